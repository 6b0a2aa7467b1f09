"""A folder of numbered frames that can be continued: a file with a frame's name is complete."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing, writing
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.video.background import BackgroundQueue
from cine3d_core.scene import Camera, RenderedFrame

ImageFormat = Literal["png", "exr"]
CameraOf = Callable[[int], Camera]  # of a frame

_PNG_FINGERPRINT = "cine3d"  # text chunk
_PNG_COMPRESSION = 4  # zlib level: half the time of 6 for 3 % more bytes
_NAME = re.compile(r"frame_(\d{4,})\.(png|exr)")


class FolderWriter:
    """Writes `frame_0000.png` or `.exr`, each whole or not at all, behind the renderer's back."""

    def __init__(
        self,
        folder: Path,
        *,
        image_format: ImageFormat,
        resume: bool,
        fingerprint: str,
        fps: float,
        cameras: CameraOf | None,
    ) -> None:
        self._folder = folder
        self._format: ImageFormat = image_format
        self._fingerprint = fingerprint
        self._fps = fps
        self._cameras = cameras
        self._queue = BackgroundQueue()
        self._done = _finished(folder, image_format, fingerprint) if resume else frozenset()

    def __enter__(self) -> Self:
        self._is_new = not self._folder.is_dir()
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
        self._queue.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._queue.__exit__(kind, error, trace)
        finally:
            if self._is_new:
                with suppress(OSError):  # it holds frames, as it should
                    self._folder.rmdir()

    @property
    def colours_only(self) -> bool:
        """See `FrameWriter`."""
        return self._format == "png"

    def needs(self, frame: int) -> bool:
        """False for a frame that an earlier run finished and `resume` keeps."""
        return frame not in self._done

    def write(self, frame: int, rendered: RenderedFrame) -> None:
        """Queue one frame; raises what went wrong with an earlier one."""
        if self._format == "png":
            encode = _png_encoder(rendered)
        else:
            camera = None if self._cameras is None else self._cameras(frame)
            encode = _exr_encoder(rendered, self._fps, camera)
        path = self._folder / frame_name(frame, self._format)
        self._queue.submit(partial(_write_frame, path, encode, self._fingerprint))


def frame_name(frame: int, image_format: ImageFormat) -> str:
    """`frame_0007.png` for frame 7."""
    assert frame >= 0, frame
    return f"frame_{frame:04d}.{image_format}"


def _write_frame(path: Path, encode: Callable[[Path, str], None], fingerprint: str) -> None:
    with replacing(path) as temporary:
        encode(temporary, fingerprint)


def _png_encoder(rendered: RenderedFrame) -> Callable[[Path, str], None]:
    pixels = rgb_bytes(rendered.rgb)  # now: the caller may reuse its tensors

    def encode(path: Path, fingerprint: str) -> None:
        text = PngImagePlugin.PngInfo()
        text.add_text(_PNG_FINGERPRINT, fingerprint)
        Image.fromarray(pixels).save(path, pnginfo=text, compress_level=_PNG_COMPRESSION)

    return encode


def _exr_encoder(
    rendered: RenderedFrame, fps: float, camera: Camera | None
) -> Callable[[Path, str], None]:
    # OpenEXR is imported only where EXR is asked for: a broken install must not stop videos
    from cine3d_core.files.pictures.exr import exr_channels, exr_header, write_exr

    channels, header = exr_channels(rendered), exr_header(fps, camera)

    def encode(path: Path, fingerprint: str) -> None:
        write_exr(path, channels, fingerprint, header)

    return encode


def _finished(folder: Path, image_format: ImageFormat, fingerprint: str) -> frozenset[int]:
    """Frames in the folder that need not be rendered again.

    Raises:
        InputError: a frame there belongs to another scene or other settings.
    """
    done: set[int] = set()
    for path in sorted(folder.glob(f"frame_*.{image_format}")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        if _fingerprint_of(path, image_format) != fingerprint:
            raise InputError(
                f"{path} was rendered from another scene or with other settings; resume with the "
                "same ones or choose another folder"
            )
        done.add(int(match.group(1)))
    return frozenset(done)


def _fingerprint_of(path: Path, image_format: ImageFormat) -> str | None:
    if image_format == "exr":
        from cine3d_core.files.pictures.exr import exr_fingerprint  # see _exr_encoder

        return exr_fingerprint(path)
    try:
        with Image.open(path) as image:
            value = image.info.get(_PNG_FINGERPRINT)
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    return value if isinstance(value, str) else None
