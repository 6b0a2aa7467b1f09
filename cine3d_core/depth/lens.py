"""The lens that took a photo: given by a person, its EXIF, a network or its lines, or assumed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.pictures.exif import focal_of_35mm
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.vanishing import find_lines, focal_of_lines
from cine3d_core.scene import DepthMap
from cine3d_core.settings import CHOICES, BuildSettings


@dataclass(frozen=True)
class Lens:
    """A focal length and where it comes from."""

    focal_px: float | None  # at the photo's working size; None: the usual one is taken
    said_by: str
    assumed: tuple[str, ...] = ()  # what nobody said, in sentences


def lens_of(photo: Photo, depth: DepthMap, depth_source: str, settings: BuildSettings) -> Lens:
    """The lens by who knows it best: the person, EXIF, the depth network, the picture's lines.

    Raises:
        InputError: a person gave two lenses, or one that there is not.
    """
    if photo.focal_px is not None and photo.focal_from != "EXIF":
        return Lens(photo.focal_px, photo.focal_from)  # cut out of a panorama: nobody knows better
    asked = focal_asked(photo, settings)
    if asked is not None:
        return Lens(asked, "the person")
    if photo.focal_px is not None:
        return Lens(photo.focal_px, "EXIF")
    if depth.focal_px is not None:
        return Lens(depth.focal_px, depth_source)
    if settings.preset == "paper":  # as published
        return Lens(None, "assumed")
    side = _whole_side(photo)
    share = focal_of_lines(find_lines(photo.rgb.permute(1, 2, 0).cpu().numpy().astype(np.float32)))
    if share is None:
        return Lens(None, "assumed")
    focal_px = share * max(photo.rgb.shape[1:])
    angle = math.degrees(2 * math.atan(side / 2 / focal_px))
    sentence = f"the vanishing lines give a field of view of {angle:.0f} degrees; --fov changes it"
    return Lens(focal_px, "vanishing lines", (sentence,))


def focal_asked(photo: Photo, settings: BuildSettings) -> float | None:
    """The focal length that a person gave, in px; None where they gave none.

    Raises:
        InputError: both an angle and a length, or a number outside its range.
    """
    if settings.fov is not None and settings.focal_mm is not None:
        raise InputError(
            f"a lens of {settings.focal_mm:g} mm and an angle of {settings.fov:g} degrees were "
            "both given; give one of them"
        )
    for name, unit in (("fov", "degrees"), ("focal_mm", "mm")):
        value, choice = getattr(settings, name), CHOICES[name]
        if value is not None and not choice.low <= value <= choice.high:
            raise InputError(
                f"a lens of {value:g} {unit} was given; choose {choice.low:g} to {choice.high:g}"
            )
    side = _whole_side(photo)
    if settings.fov is not None:
        return side / 2 / math.tan(math.radians(settings.fov) / 2)
    if settings.focal_mm is not None:
        return focal_of_35mm(settings.focal_mm, _whole_size(photo)) * side
    return None


def _whole_side(photo: Photo) -> int:
    """Long side of the picture before its border was cut, working px."""
    return max(_whole_size(photo))


def _whole_size(photo: Photo) -> tuple[int, int]:
    _, height, width = photo.rgb.shape
    cut = photo.cut
    return width + cut.left + cut.right, height + cut.top + cut.bottom
