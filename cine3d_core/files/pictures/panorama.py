"""A view cut out of an equirectangular panorama, as an ordinary lens would have seen it.

Directions: yaw to the right and pitch upwards from the panorama's middle, in degrees.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cine3d_core.errors import InputError

FLAT = "flat"
_FOV_DEG = (20.0, 120.0)  # across; beyond, a flat picture is stretched at its sides
_ASPECT = 1.5  # of the view
_WRAPPED = 4  # columns repeated at the seam for the interpolation
_EVEN = 0.03  # spread of a row that shows a single direction, the zenith or what is below
_LIVELY = 0.05  # spread of the horizon's row, without which nothing can be told
_XMP_NUMBER = rb"%b\s*(?:=\s*[\"']|>)\s*(\d{1,6})"


@dataclass(frozen=True)
class View:
    """Where to look, and how wide."""

    yaw_deg: float
    pitch_deg: float
    fov_deg: float  # from the left border to the right one


@dataclass(frozen=True)
class Sphere:
    """Which part of all directions a picture shows, in its own pixels."""

    width: int  # of all 360 degrees
    height: int  # of all 180 degrees
    left: int  # where the picture begins in it
    top: int


def read_view(text: str) -> View | Literal["flat"]:
    """A view from "YAW,PITCH,FOV" in degrees; "flat" where the picture is none of a panorama.

    Raises:
        InputError: neither, or a view that cannot be cut out.
    """
    if text == FLAT:
        return FLAT
    try:
        yaw, pitch, fov = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"the view {text!r} is not YAW,PITCH,FOV in degrees, such as 30,0,75, nor {FLAT}"
        ) from error
    if not (abs(yaw) <= 360 and abs(pitch) <= 90 and _FOV_DEG[0] <= fov <= _FOV_DEG[1]):
        raise InputError(
            f"the view {text!r} cannot be cut out; choose a yaw from -360 to 360, a pitch from -90 "
            f"to 90 and an angle across from {_FOV_DEG[0]:g} to {_FOV_DEG[1]:g} degrees"
        )
    return View(yaw, pitch, fov)


def sphere_said(xmp: bytes, width: int, height: int) -> Sphere | None:
    """What the camera wrote of a panorama (Google's GPano); None where it wrote of none."""
    if b"ProjectionType" not in xmp or b"equirectangular" not in xmp:
        return None

    def said(name: bytes, otherwise: int) -> int:
        match = re.search(_XMP_NUMBER % name, xmp)
        return int(match[1]) if match else otherwise

    # the picture may have been made smaller since
    scale = width / max(said(b"CroppedAreaImageWidthPixels", width), 1)
    whole = round(said(b"FullPanoWidthPixels", width) * scale)
    left = round(said(b"CroppedAreaLeftPixels", 0) * scale)
    top = round(said(b"CroppedAreaTopPixels", 0) * scale)
    high = round(said(b"FullPanoHeightPixels", round(whole / scale / 2)) * scale)
    if not (width + left <= whole + 1 and height + top <= high + 1):
        return whole_sphere(width, height)  # numbers that contradict each other
    return Sphere(whole, high, left, top)


def whole_sphere(width: int, height: int) -> Sphere | None:
    """All directions, if a picture has their shape."""
    return Sphere(width, height, 0, 0) if abs(width - 2 * height) <= 2 else None


def looks_round(rgb: np.ndarray) -> bool:  # [H, W, C] float32 in [0, 1]
    """Whether a picture of twice its height shows all directions.

    Then its first and last rows show one direction each, and its sides meet.
    """
    height, width = rgb.shape[:2]
    if abs(width - 2 * height) > max(2, 0.005 * width):
        return False
    top, bottom, middle = (rgb[row, :, :3].std(axis=0).max() for row in (0, -1, height // 2))
    seam = np.abs(rgb[:, 0, :3] - rgb[:, -1, :3]).mean()
    usual = np.abs(np.diff(rgb[:, :, :3], axis=1)).mean()
    even = max(top, bottom) < _EVEN
    return bool(even and middle > _LIVELY and seam < 2 * usual + 0.002)


def view_width(sphere: Sphere, view: View) -> int:
    """Width of a view, in px, that shows all that the panorama has in its middle."""
    return round(2 * math.tan(math.radians(view.fov_deg) / 2) * sphere.width / (2 * math.pi))


def view_size(sphere: Sphere, view: View, max_side: int | None) -> tuple[int, int]:
    """Height and width of a view, its width reduced (never enlarged) to `max_side` px."""
    width = view_width(sphere, view)
    width = width if max_side is None else min(width, max_side)
    return max(1, round(width / _ASPECT)), max(1, width)


def cut_view(
    values: np.ndarray,  # [h, w, C] float32 in [0, 1]: the panorama, perhaps made smaller
    sphere: Sphere,  # in pixels of `values`
    view: View,
    size: tuple[int, int],  # height and width of the view
) -> np.ndarray:  # [*size, C] float32
    """The view.

    Raises:
        InputError: it looks beyond what the panorama shows.
    """
    columns, rows = _places(sphere, view, size)
    height, width = values.shape[:2]
    around = width >= sphere.width - 1
    if around:
        columns = columns % width
        values = np.concatenate([values[:, -_WRAPPED:], values, values[:, :_WRAPPED]], axis=1)
        columns = columns + _WRAPPED
    slack = 1.0  # px
    beyond = (rows < -slack) | (rows > height - 1 + slack)
    if not around:
        beyond |= (columns < -slack) | (columns > width - 1 + slack)
    if beyond.any():
        raise InputError(
            f"the view reaches beyond the panorama in {beyond.mean():.0%} of its pixels; turn "
            "it or make it narrower"
        )
    planes = [
        cv2.remap(
            np.ascontiguousarray(values[:, :, channel]),
            columns.astype(np.float32),
            rows.astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for channel in range(values.shape[2])
    ]
    return np.stack(planes, axis=2).clip(0.0, 1.0)


def focal_of(view: View, width: int) -> float:
    """Focal length of a view in px of its width."""
    return width / 2 / math.tan(math.radians(view.fov_deg) / 2)


def _places(
    sphere: Sphere, view: View, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:  # each [*size]
    """Column and row of the panorama's picture that each pixel of the view looks at."""
    height, width = size
    focal = focal_of(view, width)
    y, x = np.mgrid[:height, :width] + 0.5
    x, y, z = (x - width / 2) / focal, (y - height / 2) / focal, np.ones(size)
    pitch, yaw = math.radians(view.pitch_deg), math.radians(view.yaw_deg)
    y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
    x, z = x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw)
    longitude, latitude = np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))
    columns = (longitude / (2 * math.pi) + 0.5) * sphere.width - sphere.left - 0.5
    rows = (0.5 - latitude / math.pi) * sphere.height - sphere.top - 0.5
    return columns, rows
