"""Frames go out as a video, a GIF or a folder of pictures, chosen by the name of the output.

Videos are written to a temporary name and renamed at the end; encoding runs in its own thread while
the next frame is rendered.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast, get_args

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import check_output, replacing
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.video.background import BackgroundQueue
from cine3d_core.files.video.encoders import GifEncoder, Mp4Encoder, WebmEncoder
from cine3d_core.files.video.frames import CameraOf, FolderWriter, ImageFormat
from cine3d_core.scene import RenderedFrame

_ENCODERS = {".mp4": Mp4Encoder, ".webm": WebmEncoder, ".gif": GifEncoder}


class FrameWriter(Protocol):
    """Takes rendered frames; a context manager, whose end is what makes the output complete."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def colours_only(self) -> bool:
        """Whether nothing of a frame but its colours is looked at, and these in 8 bits."""
        ...

    def needs(self, frame: int) -> bool:
        """False for a frame that is there already and need not be rendered."""
        ...

    def write(self, frame: int, rendered: RenderedFrame) -> None:
        """Take one frame (in rising order); raises what went wrong with an earlier one."""
        ...


class Encoder(AbstractContextManager["Encoder"], Protocol):
    """Turns pictures [H, W, 3] uint8 into one file, complete when its block ends."""

    def add(self, pixels: np.ndarray) -> None:
        """Append one picture."""
        ...


def open_frame_writer(
    path: str | Path,
    *,
    height: int,
    width: int,
    fps: float,
    image_format: str = "png",
    resume: bool = False,
    fingerprint: str,
    cameras: CameraOf | None = None,
) -> FrameWriter:
    """The writer for an output: `.mp4`, `.webm`, `.gif`, or a folder for anything without a suffix.

    A folder gets `frame_0000.png` or `.exr` (see `exr`), each stamped with `fingerprint`, which
    stands for the scene and everything else that decides what a frame looks like. Where `cameras`
    are given, each EXR states its own.

    Raises:
        InputError: unknown extension or format, a place that cannot be written, `resume` of a
            video, or of a folder whose frames carry another fingerprint.
    """
    if not str(path):  # which would be the current folder
        raise InputError("the output has no name; give a .mp4, .webm or .gif, or a folder")
    suffix = Path(path).suffix.lower()
    if _is_folder(path):
        folder = _checked_folder(path)
        kind = _checked_format(image_format)
        return FolderWriter(
            folder,
            image_format=kind,
            resume=resume,
            fingerprint=fingerprint,
            fps=fps,
            cameras=cameras,
        )
    if suffix not in _ENCODERS:
        raise InputError(
            f"cannot write {path}: {suffix} is none of .mp4, .webm, .gif; use one of them, or "
            f"{path}/ for a folder of single frames"
        )
    if resume:
        raise InputError(f"a {suffix} cannot be resumed", "render into a folder to use {resume}")
    check_output(path)
    encoder = partial(_ENCODERS[suffix], height=height, width=width, fps=fps)
    return VideoWriter(Path(path), encoder)


class VideoWriter:
    """Writes one video file; nothing appears under its name before it is complete."""

    def __init__(self, path: Path, encoder: Callable[[Path], Encoder]) -> None:
        self._path = path
        self._make_encoder = encoder
        self._open = ExitStack()
        self._last = -1

    def __enter__(self) -> Self:
        # left in reverse: wait for the thread, finish the file, rename it
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            self._encoder = stack.enter_context(self._make_encoder(temporary))
            self._queue = stack.enter_context(BackgroundQueue())
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    colours_only = True

    def needs(self, frame: int) -> bool:
        """Always true: a video is written from its beginning."""
        return True

    def write(self, frame: int, rendered: RenderedFrame) -> None:
        """Queue one frame; raises what went wrong with an earlier one."""
        assert frame > self._last, f"frame {frame} after frame {self._last}"
        self._last = frame
        self._queue.submit(partial(self._encoder.add, rgb_bytes(rendered.rgb)))


def _is_folder(path: str | Path) -> bool:
    return str(path).endswith(("/", os.sep)) or os.path.isdir(path) or not Path(path).suffix


def _checked_folder(path: str | Path) -> Path:
    """The folder to write frames into, which may not exist yet but whose parent must."""
    folder = Path(path)
    # os.path's functions: Path's raise for names that are too long
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f"cannot write frames into {path}: that is a file; name a folder")
    if not os.path.isdir(folder):
        check_output(folder)  # its parent is there and can be written
    elif not os.access(folder, os.W_OK):
        raise InputError(f"cannot write into {path}: there is no permission; choose another folder")
    return folder


def _checked_format(name: str) -> ImageFormat:
    if name not in get_args(ImageFormat):
        raise InputError(f"there is no frame format {name!r}; use png or exr")
    return cast(ImageFormat, name)
