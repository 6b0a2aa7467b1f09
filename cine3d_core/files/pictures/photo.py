"""A photo of any kind that people have becomes sRGB, alpha and a focal length.

Colour management: an embedded ICC profile (Display P3, Adobe RGB, CMYK, grey) is converted to sRGB;
without one, RGB is taken as sRGB. 16-bit colour keeps its 16 bits unless a foreign profile has to
be converted, which happens at 8 bits.

Transparency: half-transparent pixels keep their own colour unmixed, and fully transparent ones,
whose stored colour is arbitrary, take that of the nearest visible pixel. So no matte colour is
invented and no halo appears; `alpha` says where the picture really is.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.pictures.decoding import opened_picture, samples
from cine3d_core.imaging.borders import Insets, border_of

MIN_SIDE_PX = 16

_EXIF_IFD = 0x8769
_FOCAL_LENGTH = 0x920A  # mm
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_FOCAL_35MM = 0xA405  # mm on a film of 36 x 24
_DIAGONAL_35MM = math.hypot(36.0, 24.0)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}  # inch, cm, mm, micrometre


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


def read_photo(path: str | Path, *, max_side: int | None = None) -> Photo:
    """Read a photo, upright, its long side brought down (never up) to `max_side` px by areas.

    Raises:
        InputError: no such file, not a picture, damaged, under 16 px a side, or over
            100 megapixels or 16384 px a side (told from the header, before anything is decoded).
    """
    with opened_picture(path, "photo") as image:
        _check_not_tiny(image.height, image.width, path)
        _check_flat(image, path)
        focal_share, animated = _focal_share(image), _is_animated(image)
        values = _srgb(path, image)
    height, width = values.shape[:2]
    size = _working_size(height, width, max_side)
    _check_not_tiny(*size, path)
    rgb, alpha = _colour_and_alpha(_resized(values, size), path)
    return Photo(
        rgb=torch.from_numpy(rgb),
        alpha=None if alpha is None else torch.from_numpy(alpha),
        focal_px=None if focal_share is None else focal_share * max(size),
        sha256=sha256_of(path),
        original_height=height,
        original_width=width,
        notes=_notes(animated, alpha is not None),
    )


def _notes(animated: bool, transparent: bool) -> tuple[str, ...]:
    said = {
        "the file is an animation, and its first picture is taken": animated,
        "what is transparent is filled with the colour beside it": transparent,
    }
    return tuple(sentence for sentence, true in said.items() if true)


def _is_animated(image: Image.Image) -> bool:
    """Whether a file holds several pictures in time; a phone's gain map beside it is none."""
    moving = image.format in ("GIF", "PNG", "WEBP", "AVIF", "JXL")
    return moving and getattr(image, "n_frames", 1) > 1


def _check_flat(image: Image.Image, path: str | Path) -> None:
    """InputError for a panorama of all directions, by what its camera wrote into it."""
    packet = image.info.get("xmp") or b""
    text = packet if isinstance(packet, bytes) else str(packet).encode("utf-8", "replace")
    if b"ProjectionType" in text and b"equirectangular" in text:
        raise InputError(
            f"the photo {path} is an equirectangular panorama, which no single lens sees; cut a "
            "view out of it with a panorama program first"
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


def _srgb(path: str | Path, image: Image.Image) -> np.ndarray:
    """Samples in sRGB, [H, W, 1..4] of any depth, upright."""
    converted = _converted_by_profile(image)
    if converted is not None:
        return samples(path, converted)
    values = samples(path, image)
    if values.dtype == np.float32:
        raise InputError(
            f"the photo {path} stores 32-bit samples; save it as 8-bit or 16-bit sRGB first"
        )
    return values


def _converted_by_profile(image: Image.Image) -> Image.Image | None:
    """The picture in sRGB at 8 bits, or None where it can be taken as it is."""
    profile = _profile(image)
    if profile is None:
        return None
    upright = ImageOps.exif_transpose(image)
    source = upright if upright.mode in ("CMYK", "L", "RGB", "LAB") else upright.convert("RGB")
    try:
        if source.mode == "RGB" and _changes_nothing(profile):
            return None
        converted = _to_srgb(source, profile)
    except ImageCms.PyCMSError:  # a profile for other channels than these: it says nothing
        return None
    if "A" in upright.getbands() or "transparency" in upright.info:
        converted.putalpha(upright.convert("RGBA").getchannel("A"))
    return converted


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None only for in-place conversion
    return converted


def _changes_nothing(profile: ImageCms.ImageCmsProfile) -> bool:
    """True for sRGB under any of its names, found out by converting a cube of colours."""
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(6, 36, 3)
    converted = np.asarray(_to_srgb(Image.fromarray(cube), profile))
    return bool(np.abs(converted.astype(int) - cube).max() <= 2)


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded profile, if there is one that can be read."""
    if image.mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    data = image.info.get("icc_profile")
    if not data or image.mode.startswith(("I", "F")):
        return None
    try:
        return ImageCms.getOpenProfile(io.BytesIO(data))
    except (ImageCms.PyCMSError, OSError):  # damaged profile: nothing to go by
        return None


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Area averages in float32, [h, w, C] in [0, 1]; colour is weighted by alpha."""
    top = np.float32(np.iinfo(values.dtype).max)
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


def _focal_share(image: Image.Image) -> float | None:
    """Focal length as a share of the picture's long side, from EXIF."""
    try:
        exif = image.getexif().get_ifd(_EXIF_IFD)
        share = _share_of_35mm(exif, image.size) or _share_of_sensor(exif, image.size)
    except (ValueError, TypeError, ArithmeticError, KeyError, OSError, SyntaxError):
        return None  # damaged EXIF says nothing
    return share if share is not None and 0.1 < share < 200.0 else None


def _share_of_35mm(exif: dict[int, object], size: tuple[int, int]) -> float | None:
    """By the 35 mm equivalent, which cameras state for equal diagonals."""
    focal_mm = _number(exif.get(_FOCAL_35MM))
    if not focal_mm:  # 0 stands for unknown
        return None
    return focal_mm / _DIAGONAL_35MM * math.hypot(*size) / max(size)


def _share_of_sensor(exif: dict[int, object], size: tuple[int, int]) -> float | None:
    """By the focal length and the sensor's pixels per unit of length."""
    focal_mm = _number(exif.get(_FOCAL_LENGTH))
    per_unit = _number(exif.get(_PLANE_X_RESOLUTION))
    unit_mm = _MM_PER_UNIT.get(int(_number(exif.get(_PLANE_UNIT)) or 2))
    if not focal_mm or not per_unit or unit_mm is None:
        return None
    # the resolution counts pixels of the picture as shot, which an editor may have resized
    taken = max(_number(exif.get(_PIXEL_X)) or 0.0, _number(exif.get(_PIXEL_Y)) or 0.0)
    return focal_mm / unit_mm * per_unit / (taken or max(size))


def _number(value: object) -> float | None:
    """An EXIF value as a finite number, None for anything else."""
    if value is None or isinstance(value, (bytes, str)):
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) and number > 0 else None
