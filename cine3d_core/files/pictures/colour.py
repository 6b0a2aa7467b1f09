"""The stored samples of a picture as sRGB.

An embedded ICC profile (Display P3, Adobe RGB, CMYK, grey) is converted to sRGB; without one, RGB
is taken as sRGB. 16-bit colour keeps its 16 bits unless a foreign profile has to be converted,
which happens at 8 bits.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.decoding import samples


def srgb_samples(path: str | Path, image: Image.Image) -> np.ndarray:
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
