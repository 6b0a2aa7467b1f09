"""Pictures beside the photo: masks and depth."""

from __future__ import annotations

import tokenize
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import input_file
from cine3d_core.files.pictures.decoding import check_size, opened_picture, samples
from cine3d_core.files.quiet import without_own_lines

_GREY_TOLERANCE = 8 / 255  # between the channels of a grey picture that went through JPEG
_NPY_DAMAGE = (  # what NumPy's reading of a header, which is Python source, may raise
    ValueError,
    TypeError,
    OSError,
    EOFError,
    SyntaxError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)
_DEPTH_CHANNELS = ("Z", "Depth", "depth", "Y", "V", "R")  # last part of an EXR channel's name


def read_mask(
    path: str | Path, *, height: int, width: int, original_size: tuple[int, int]
) -> Tensor:  # [1, height, width] bool
    """What moves, as a person painted it: bright or opaque is moving, black or clear is not.

    The picture has the working size or the photo's `original_size` (height, width). A pixel counts
    as moving from half of the picture's brightest value on, so 0/255, 0/1 and coloured labels all
    work. Where everything visible is black, the painted (opaque) area is what moves.

    Raises:
        InputError: not a picture, another size, or nothing painted.
    """
    with opened_picture(path, "mask") as image:
        values = samples(path, image).astype(np.float32)
    size = values.shape[:2]
    if size not in ((height, width), tuple(original_size)):
        raise InputError(
            f"the mask {path} is {size[1]}x{size[0]} but the photo is "
            f"{original_size[1]}x{original_size[0]}; resize the mask to the photo"
        )
    return painted_mask(_painted(values), height=height, width=width, name=f"the mask {path}")


def painted_mask(
    painted: np.ndarray,  # [h, w] float32, 1 where something moves
    *,
    height: int,
    width: int,
    name: str,
) -> Tensor:  # [1, height, width] bool
    """A mask of any size at the working size: moving is what is painted by half or more.

    Raises:
        InputError: nothing is; `name` says of what.
    """
    if painted.shape != (height, width):
        painted = cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA)
    moving = painted >= 0.5
    if not moving.any():
        raise InputError(f"{name} is empty; paint what moves in white")
    return torch.from_numpy(moving[None])


def _painted(values: np.ndarray) -> np.ndarray:
    """[H, W] float32, 1 where a mask's samples [H, W, C] say moving."""
    strength = values[:, :, : 1 if values.shape[2] < 3 else 3].max(axis=2)
    if values.shape[2] in (2, 4):
        opacity = values[:, :, -1] / max(1.0, float(values[:, :, -1].max()))
        strength = strength * opacity
        if not strength.any() and opacity.min() < 1:
            strength = opacity
    return (strength >= max(0.5 * float(strength.max()), 1e-12)).astype(np.float32)


def read_depth_picture(path: str | Path) -> Tensor:  # [1, h, w] float32
    """The values of a depth or disparity picture exactly as stored, at its own size.

    Reads 8/16-bit and float PNG or TIFF, `.npy`, `.pfm` and `.exr` (channel Z, `*.Z`, Y, V or R).
    Which of the two they are, and their scale, is for the caller to say.

    Raises:
        InputError: not readable, coloured, or holding NaN or infinity.
    """
    place = input_file(path, "depth picture")
    reader = {".npy": _read_npy, ".pfm": _read_pfm, ".exr": _read_exr}.get(place.suffix.lower())
    values = _read_grey(place) if reader is None else reader(place)
    if not np.isfinite(values).all():
        raise InputError(
            f"the depth picture {path} holds NaN or infinity; write a large number for the sky"
        )
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)[None])


def _read_grey(path: Path) -> np.ndarray:
    with opened_picture(path, "depth picture") as image:
        values = samples(path, image)
    colour = values[:, :, : 1 if values.shape[2] < 3 else 3].astype(np.float32)
    full = 1.0 if values.dtype == np.float32 else float(np.iinfo(values.dtype).max)
    if np.ptp(colour, axis=2).max() > _GREY_TOLERANCE * full:
        raise InputError(
            f"the depth picture {path} is coloured; depth must be grey, one value per pixel"
        )
    return colour.mean(axis=2)


def _read_npy(path: Path) -> np.ndarray:
    try:
        # mapped, not read: a header that promises more than the file holds is refused unallocated
        array = np.lib.format.open_memmap(path, mode="r")
    except _NPY_DAMAGE as error:
        raise InputError(f"the depth picture {path} is not a plain .npy array ({error})") from error
    # [1, h, w] and [h, w, 1] mean the same as [h, w]
    flat = [side for side in array.shape if side != 1] if array.ndim == 3 else array.shape
    if len(flat) != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"the depth picture {path} is an array of {array.dtype} {array.shape}; "
            "numbers of shape (height, width) are needed"
        )
    check_size(flat[0], flat[1], path, "depth picture")
    with np.errstate(over="ignore"):  # becomes infinity, which is refused
        return np.asarray(array).reshape(flat).astype(np.float32)


def _read_pfm(path: Path) -> np.ndarray:
    """Portable float map: three text lines, then rows from the bottom up."""
    with path.open("rb") as file:
        kind = file.readline(8).strip()
        try:
            width, height = (int(word) for word in file.readline(64).split())
            scale = float(file.readline(64))
        except ValueError as error:
            raise InputError(f"the depth picture {path} is not a PFM file ({error})") from error
        if kind != b"Pf":
            raise InputError(f"the depth picture {path} is not a grey PFM file; it must start Pf")
        check_size(height, width, path, "depth picture")
        data = file.read(4 * height * width)
    if len(data) != 4 * height * width:
        raise InputError(f"the depth picture {path} is cut off; export it again")
    order = "<f4" if scale < 0 else ">f4"
    return np.frombuffer(data, order).reshape(height, width)[::-1].astype(np.float32)


def _read_exr(path: Path) -> np.ndarray:
    import OpenEXR  # only where EXR is asked for: a broken install must not stop a build

    try:
        # the header alone first: its size decides whether pixels are read at all
        with without_own_lines():
            headers = [part.header for part in OpenEXR.File(str(path), header_only=True).parts]
        for header in headers:
            low, high = header["dataWindow"]
            columns, rows = (int(side) + 1 for side in np.subtract(high, low))
            check_size(rows, columns, path, "depth picture")
        with without_own_lines():
            parts = OpenEXR.File(str(path), separate_channels=True).parts
    except InputError:
        raise
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"the depth picture {path} is not a readable EXR ({error})") from error
    if len(parts) < len(headers):  # OpenEXR drops parts that it cannot decode
        raise InputError(f"the depth picture {path} is damaged or cut off; export it again")
    found = {name: c.pixels for part in parts for name, c in part.channels.items()}
    for wanted in _DEPTH_CHANNELS:
        for name, pixels in found.items():
            if name.rpartition(".")[2] == wanted:
                return pixels.astype(np.float32)
    raise InputError(
        f"the depth picture {path} has channels {', '.join(found)}; a channel named Z is needed"
    )
