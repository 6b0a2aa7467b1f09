"""How much memory a build or a clip takes, said before the work begins.

Measured on the CPU with `python -m tests.benchmarks`; a scene's memory grows with the pixels of its
photo and does not depend on the number of frames.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.decoding import REDUCED, opened_picture
from cine3d_core.files.pictures.photo import ViewChoice, reading_bytes

GIB = 2**30
SAID_FROM = 2_000_000  # pixels: smaller photos fit everywhere


@dataclass(frozen=True)
class MemoryCost:
    """Memory of one kind of work as a line over the photo's pixels."""

    base_gib: float  # the program and its networks
    gib_per_megapixel: float

    def of(self, pixels: int) -> float:
        """GiB for a photo of so many pixels."""
        return self.base_gib + self.gib_per_megapixel * pixels / 1e6


BUILD = MemoryCost(0.45, 0.75)

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_KEPT_BYTES = 2**30


def keep_freed_memory() -> bool:
    """From now on this process keeps what it frees for what it allocates next; False: it cannot.

    Every frame allocates and frees the same large blocks. glibc hands each back to the system and
    asks for fresh pages, which the system must empty: a sixth of a frame's time. Call this when
    what stays is loaded.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))


def available_gib() -> float | None:
    """Memory that is free for a new program; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        free = int(lines["MemAvailable"].split()[0]) * 1024 / GIB
    except (OSError, KeyError, ValueError):
        return _physical_gib()
    limit = _container_limit_gib()
    return free if limit is None else min(free, limit)


def _physical_gib() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    except (AttributeError, OSError, ValueError):  # Windows
        return None


def _container_limit_gib() -> float | None:
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
    except OSError:
        return None
    return None if limit == "max" else int(limit) / GIB


def size_that_fits(height: int, width: int, gib: float) -> int | None:
    """The long side, in whole hundreds of pixels, with which a build fits; None for none.

    Args:
        height: of the photo as it would be worked on.
        width: likewise.
        gib: memory there is.
    """
    pixels = (gib - BUILD.base_gib) / BUILD.gib_per_megapixel * 1e6
    if pixels <= 0:
        return None
    side = max(height, width) * min(1.0, (pixels / (height * width)) ** 0.5)
    return int(side // 100 * 100) or None


def memory_sentence(height: int, width: int, free_gib: float | None) -> tuple[str, bool]:
    """What a build needs, in words, and whether it fits.

    Args:
        height: of the photo as it will be worked on.
        width: likewise.
        free_gib: from `available_gib`.
    """
    needed = BUILD.of(height * width)
    sentence = f"a photo of {width}x{height} needs about {needed:.1f} GiB of memory"
    if free_gib is None or needed <= free_gib:
        return sentence, True
    return f"{sentence}, but only {free_gib:.1f} GiB are free", False


def check_memory(height: int, width: int, free_gib: float | None) -> None:
    """Refuses a photo for which there is too little memory.

    Raises:
        InputError: which says what would fit.
    """
    sentence, fits = memory_sentence(height, width, free_gib)
    if not fits:
        assert free_gib is not None
        fitting = size_that_fits(height, width, free_gib)
        advice = "close other programs" if fitting is None else f"{{size}} {fitting} would fit"
        raise InputError(sentence, advice)


def reading_sentence(
    path: Path, max_side: int, view: ViewChoice, free_gib: float | None
) -> tuple[str, bool] | None:
    """What reading a very large photo needs, in words, and whether it fits; None for others.

    Args:
        path: of the photo.
        max_side: px that it is reduced to.
        view: cut out of it; see `read_photo`.
        free_gib: from `available_gib`.

    Raises:
        InputError: as `read_photo`, from the file's header.
    """
    needed = reading_bytes(path, max_side, view)
    if needed is None:
        return None
    gib = BUILD.base_gib + needed / GIB
    sentence = f"reading the photo {path} takes about {gib:.1f} GiB of memory"
    if free_gib is None or gib <= free_gib:
        return sentence, True
    return f"{sentence}, but only {free_gib:.1f} GiB are free", False


def check_reading_memory(path: Path, max_side: int, view: ViewChoice) -> None:
    """Refuses a photo that cannot be read with the memory there is; InputError says so."""
    said = reading_sentence(path, max_side, view, available_gib())
    if said is not None and not said[1]:
        raise InputError(f"{said[0]}; make the photo smaller first, or close other programs")


def photo_size(path: Path, max_side: int) -> tuple[int, int] | None:
    """Height and width of a photo as it will be worked on; None for what only reading can tell."""
    try:
        with opened_picture(path, "photo", bounds=REDUCED) as image:
            width, height = image.size
    except InputError:  # whoever reads it says what is wrong
        return None
    scale = min(1.0, max_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
