"""A photo of any kind that people have becomes sRGB (`colour`), alpha and a focal length.

Of a file with several pictures, such as a phone's with its gain map, the first is the photo.

Transparency: half-transparent pixels keep their own colour unmixed, and fully transparent ones,
whose stored colour is arbitrary, take that of the nearest visible pixel. So no matte colour is
invented and no halo appears; `alpha` says where the picture really is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from cine3d_core.errors import InputError, PanoramaError
from cine3d_core.files.inputs import input_file, sha256_of
from cine3d_core.files.pictures.colour import srgb_samples
from cine3d_core.files.pictures.decoding import (
    REDUCED,
    USUAL,
    Bounds,
    decoding_bytes,
    opened_picture,
    reduced,
)
from cine3d_core.files.pictures.exif import focal_share
from cine3d_core.files.pictures.panorama import (
    Sphere,
    View,
    cut_view,
    focal_of,
    looks_round,
    sphere_said,
    view_size,
    view_width,
    whole_sphere,
)
from cine3d_core.files.pictures.raw import developed, is_raw, raw_size
from cine3d_core.imaging.borders import Insets, border_of

MIN_SIDE_PX = 16


@dataclass(frozen=True)
class Photo:
    """A photo at its working size."""

    rgb: Tensor  # [3, H, W] float32 sRGB in [0, 1]
    alpha: Tensor | None  # [1, H, W] float32 in [0, 1]; None where the file has none
    focal_px: float | None  # at the working size; None where EXIF does not tell
    sha256: str  # of the file
    original_height: int  # after EXIF's rotation
    original_width: int
    notes: tuple[str, ...] = ()  # what was decided about the file, in sentences
    cut: Insets = Insets()  # px of the working size around `rgb` that were left out
    focal_from: str = "EXIF"  # who told `focal_px`


ViewChoice = View | Literal["flat"] | None  # None: the photo must be none of a panorama


@dataclass(frozen=True)
class _Stored:
    """What a file holds."""

    values: np.ndarray  # [h, w, 1..4] sRGB samples of any depth, upright, perhaps made smaller
    height: int  # of the photo
    width: int
    focal_share: float | None = None  # of the long side
    notes: tuple[str, ...] = ()
    sphere: Sphere | None = None  # where the file says that it is one


def read_photo(path: str | Path, *, max_side: int | None = None, view: ViewChoice = None) -> Photo:
    """Read a photo, upright, its long side reduced (never enlarged) to `max_side` px by areas.

    Over 100 megapixels, or 16384 px a side, it is made smaller while it is read; without `max_side`
    it is refused (told from the header, before anything is decoded).

    Args:
        path: a picture, or a camera's raw file.
        max_side: None for all there is.
        view: what to cut out of a panorama; "flat" to take a panorama as it is.

    Raises:
        InputError: no such file, not a picture, damaged, under 16 px a side, or too large.
        PanoramaError: a panorama without a view.
    """
    stored = _read_raw(path, max_side) if is_raw(path) else _read_picture(path, max_side, view)
    focal_from = "EXIF"
    if isinstance(view, View):
        stored, focal_from = _cut(stored, view, path, max_side), "the view"
    size = _working_size(stored.height, stored.width, max_side)
    _check_not_tiny(*size, path)
    values = _resized(stored.values, size)
    if view is None and looks_round(values):
        raise _is_panorama(path)
    rgb, alpha = _colour_and_alpha(values, path)
    return Photo(
        rgb=torch.from_numpy(rgb),
        alpha=None if alpha is None else torch.from_numpy(alpha),
        focal_px=None if stored.focal_share is None else stored.focal_share * max(size),
        sha256=sha256_of(path),
        original_height=stored.height,
        original_width=stored.width,
        notes=stored.notes + (_FILLED,) * (alpha is not None),
        focal_from=focal_from,
    )


_FILLED = "transparent areas are filled with the colours beside them"
_FIRST = "the file is an animation; its first picture is used"


def _read_picture(path: str | Path, max_side: int | None, view: ViewChoice) -> _Stored:
    with opened_picture(path, "photo", bounds=_bounds(max_side)) as image:
        _check_not_tiny(image.height, image.width, path)
        width, height = image.size
        sphere = sphere_said(_xmp(image), width, height)
        if view is None and sphere is not None:
            raise _is_panorama(path)
        share = focal_share(image, image.size)
        notes = (_FIRST,) if _is_animated(image) else ()
        if max_side is not None and not _is_usual(image):
            notes += (f"the photo of {width}x{height} pixels is reduced while it is read",)
            image = reduced(image, _side_needed(image, max_side, view))
        values = srgb_samples(path, image)
    if (values.shape[0] > values.shape[1]) != (height > width):  # turned by EXIF
        width, height = height, width
    return _Stored(values, height, width, share, notes, sphere)


def _read_raw(path: str | Path, max_side: int | None) -> _Stored:
    place = input_file(path, "photo")
    height, width = raw_size(place)
    try:
        with Image.open(place) as image:  # its preview, with the camera's words
            share = focal_share(image, (width, height))
    except (OSError, ValueError, SyntaxError):  # no kind of TIFF: it does not tell
        share = None
    note = "the raw file is developed with the camera's white balance and no other correction"
    return _Stored(developed(place, max_side), height, width, share, (note,))


def _cut(stored: _Stored, view: View, path: str | Path, max_side: int | None) -> _Stored:
    """The view of a panorama, in float32."""
    sphere = stored.sphere or whole_sphere(stored.width, stored.height)
    if sphere is None:
        raise InputError(
            f"the photo {path} is {stored.width}x{stored.height}, and a panorama of all directions "
            "is twice as wide as high",
            "leave {view} out",
        )
    size = view_size(sphere, view, max_side)
    # as many pixels as the view has, so that none is left out
    scale = min(size[1] / view_width(sphere, view), stored.values.shape[1] / stored.width)
    small = max(1, round(stored.height * scale)), max(1, round(stored.width * scale))
    sides = (round(n * scale) for n in (sphere.width, sphere.height, sphere.left, sphere.top))
    values = cut_view(_resized(stored.values, small), Sphere(*sides), view, size)
    note = (
        f"the view of the panorama is {view.fov_deg:g} degrees wide, {view.yaw_deg:g} to the right "
        f"and {view.pitch_deg:g} upwards"
    )
    share = focal_of(view, size[1]) / max(size)
    return _Stored(values, *size, share, (*stored.notes, note))


def _side_needed(image: Image.Image, max_side: int, view: ViewChoice) -> int:
    """Long side of the picture that the photo's `max_side` px are made of."""
    if not isinstance(view, View):
        return max_side
    sphere = sphere_said(_xmp(image), *image.size) or whole_sphere(*image.size)
    if sphere is None:
        return max_side
    return math.ceil(max_side * max(image.size) / view_width(sphere, view))


def reading_bytes(path: Path, max_side: int, view: ViewChoice) -> int | None:
    """Memory that reading a photo takes before it is small; None where that is of no account.

    Raises:
        InputError: as `read_photo`.
    """
    if is_raw(path):
        height, width = raw_size(input_file(path, "photo"))
        return 24 * height * width  # in LibRaw: four channels, and the result in 16 bits
    with opened_picture(path, "photo", bounds=REDUCED) as image:
        if _is_usual(image):
            return None
        return decoding_bytes(image, _side_needed(image, max_side, view))


def _bounds(max_side: int | None) -> Bounds:
    return USUAL if max_side is None else REDUCED


def _is_usual(image: Image.Image) -> bool:
    return max(image.size) <= USUAL.side_px and image.width * image.height <= USUAL.pixels


def _is_animated(image: Image.Image) -> bool:
    """Whether a file holds several pictures in time; a phone's gain map beside it is none."""
    moving = image.format in ("GIF", "PNG", "WEBP", "AVIF", "JXL")
    return moving and getattr(image, "n_frames", 1) > 1


def _xmp(image: Image.Image) -> bytes:
    """What the camera wrote as XMP."""
    packet = image.info.get("xmp") or b""
    return packet if isinstance(packet, bytes) else str(packet).encode("utf-8", "replace")


def _is_panorama(path: str | Path) -> PanoramaError:
    return PanoramaError(
        f"the photo {path} is a panorama of all directions, which no single lens sees",
        "cut a view out of it with {view} 0,0,75 (degrees to the right, upwards, and wide)",
        "use the whole picture with {view} flat",
    )


def without_border(photo: Photo) -> Photo:
    """The photo without a scan frame, paper margin or disc rim; as it is where it has none."""
    cut = border_of(photo.rgb)
    _, height, width = photo.rgb.shape
    inner = (
        slice(None),
        slice(cut.top, height - cut.bottom),
        slice(cut.left, width - cut.right),
    )
    if not cut or min(photo.rgb[inner].shape[1:]) < MIN_SIDE_PX:
        return photo
    alpha = None if photo.alpha is None else photo.alpha[inner]
    return replace(photo, rgb=photo.rgb[inner].contiguous(), alpha=alpha, cut=cut)


def _check_not_tiny(height: int, width: int, path: str | Path) -> None:
    if min(height, width) < MIN_SIDE_PX:
        raise InputError(
            f"the photo {path} is only {width}x{height} px at its working size; "
            f"at least {MIN_SIDE_PX} px a side are needed, so use a larger one or a larger size"
        )


def _working_size(height: int, width: int, max_side: int | None) -> tuple[int, int]:
    scale = 1.0 if max_side is None else min(1.0, max_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Area averages in float32, [h, w, C] in [0, 1]; colour is weighted by alpha."""
    top = np.float32(1.0 if values.dtype == np.float32 else np.iinfo(values.dtype).max)
    channels = values.shape[2]
    alpha = values[:, :, -1].astype(np.float32) / top if channels in (2, 4) else None
    result = np.empty((*size, channels), np.float32)
    small_alpha = None if alpha is None else _area(alpha, size)
    for index in range(channels if alpha is None else channels - 1):
        # one channel at a time: a large photo as float32 would take 1.2 GB
        plane = values[:, :, index].astype(np.float32) / top
        if alpha is None or small_alpha is None:
            result[:, :, index] = _area(plane, size)
        else:
            mixed = _area(plane * alpha, size)
            result[:, :, index] = np.divide(
                mixed, small_alpha, out=np.zeros_like(mixed), where=small_alpha > 0
            )
    if small_alpha is not None:
        result[:, :, -1] = small_alpha
    return result.clip(0.0, 1.0)


def _area(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if plane.shape == size:
        return plane
    return cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _colour_and_alpha(values: np.ndarray, path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """[3, H, W] colour and [1, H, W] alpha (None for an opaque picture) of [H, W, C] samples."""
    alpha = values[:, :, -1] if values.shape[2] in (2, 4) else None
    colour = values[:, :, :3] if values.shape[2] >= 3 else values[:, :, :1].repeat(3, axis=2)
    if alpha is not None and not alpha.any():
        raise InputError(f"the photo {path} is fully transparent; save it without its alpha")
    if alpha is None or alpha.min() == 1.0:
        return _planes(colour), None
    if not alpha.all():
        nearest = distance_transform_edt(alpha == 0, return_distances=False, return_indices=True)
        assert isinstance(nearest, np.ndarray)
        colour = colour[nearest[0], nearest[1]]
    return _planes(colour), np.ascontiguousarray(alpha[None])


def _planes(colour: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(colour.transpose(2, 0, 1))
