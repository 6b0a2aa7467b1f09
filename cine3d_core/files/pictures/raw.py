"""Raw files of cameras, developed plainly: the camera's white balance, sRGB, 16 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.quiet import without_own_lines

SUFFIXES = {
    ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw",
}  # fmt: skip
_CLIPPED = 0.001  # share of the brightest pixels that may become white
_SRGB_CURVE = (2.4, 12.92)


def is_raw(path: str | Path) -> bool:
    """Whether a file is a camera's raw file by its name; its bytes look like an ordinary TIFF."""
    return Path(path).suffix.lower() in SUFFIXES


def developed(path: Path, max_side: int | None) -> np.ndarray:
    """The picture in a raw file, [H, W, 3] uint16 sRGB, upright.

    Args:
        path: an existing file.
        max_side: px that will do; from twice as many on, half as many are developed.

    Raises:
        InputError: the package for it is not installed, or the file is damaged.
    """
    with _opened(path) as raw:
        side = max(raw.sizes.height, raw.sizes.width)
        return raw.postprocess(
            use_camera_wb=True,
            output_bps=16,
            gamma=_SRGB_CURVE,
            auto_bright_thr=_CLIPPED,
            half_size=max_side is not None and side >= 2 * max_side,
        )


def raw_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright picture in a raw file; InputError as `developed`."""
    with _opened(path) as raw:
        size = raw.sizes.height, raw.sizes.width
        return (size[1], size[0]) if raw.sizes.flip in (5, 6) else size


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A raw file; whatever is wrong with it becomes an InputError, here or inside."""
    try:
        import rawpy  # optional, and only for those who bring such a file
    except ImportError as error:
        raise InputError(
            f"the photo {path} is a camera's raw file, and the package for it is not installed; "
            "install cine3d[raw], or save it as TIFF or JPEG first"
        ) from error
    failures = (rawpy.LibRawError, rawpy.NotSupportedError, OSError, ValueError, MemoryError)
    try:
        with without_own_lines(), rawpy.imread(str(path)) as raw:
            yield raw
    except failures as error:
        reason = error.args[0] if error.args else type(error).__name__
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise InputError(
            f"the raw file {path} cannot be developed ({reason}); save it as TIFF or JPEG first"
        ) from error
