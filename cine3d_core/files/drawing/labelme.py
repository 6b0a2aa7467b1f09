"""labelme's JSON taken as it is.

`hint*` lines are arrows, every area is mask. A label that begins with "rest" (or `still`, `freeze`)
names a static area, `ignore` is left out. Points and other lines are scribbles over what moves
or what stays still. Masks that labelme 5 stores as pictures become outlines.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.points import Point, checked_list, checked_points
from cine3d_core.scene import Drawing, MotionHint, Stroke

_CIRCLE_CORNERS = 64
_STATIC = ("rest", "still", "freeze")
_HATCHES = 100  # strokes that cover an area which rests
_SCRIBBLE_PX = 12.0
_MASK_PIXELS = 100_000_000


def labelme_directions(content: dict[str, Any], path: str | Path) -> Drawing:
    """Arrows, outlines and scribbles in the pixels of `labelme_size`."""
    hints: list[MotionHint] = []
    polygons: list[tuple[Point, ...]] = []
    freeze: list[Stroke] = []
    moves: list[Stroke] = []
    rests: list[Stroke] = []
    for number, shape in enumerate(checked_list(content["shapes"], '"shapes"', path), 1):
        if not isinstance(shape, dict):
            raise InputError(f"shape {number} in the hints file {path} is not an object")
        label = str(shape.get("label", "")).lower()
        name = f'shape {number} ("{shape.get("label", "")}")'
        if label.startswith("ignore"):
            continue
        points = checked_points(shape.get("points"), name, path)
        static = label.startswith(_STATIC)
        if label.startswith("hint"):
            hints.append(_labelme_hint(points, name, path))
        elif shape.get("shape_type") in ("point", "points", "line", "linestrip") and points:
            (rests if static else moves).append(Stroke(points, _SCRIBBLE_PX))
        else:
            areas = _labelme_areas(shape, points, name, path)
            if static:
                freeze += [stroke for area in areas for stroke in _hatched(area)]
            else:
                polygons += areas
    if not (hints or polygons or freeze or moves or rests):
        raise InputError(
            f"the labelme file {path} has no moving or static area; draw a line along the "
            'motion and label it "hint0", or outline the moving area'
        )
    return Drawing(
        hints=tuple(hints),
        polygons=tuple(polygons),
        freeze=tuple(freeze),
        moves=tuple(moves),
        rests=tuple(rests),
    )


def _hatched(area: tuple[Point, ...]) -> list[Stroke]:
    """Level strokes that cover an area, half a stroke short of its outline at their ends."""
    corners = np.array(area, np.float64)
    low, high = corners[:, 1].min(), corners[:, 1].max()
    width = max(1.0, (high - low) / _HATCHES)
    following = np.roll(corners, -1, axis=0)
    strokes = []
    for y in np.arange(low + width / 2, high, width):
        crossing = (corners[:, 1] <= y) != (following[:, 1] <= y)
        one, other = corners[crossing], following[crossing]
        share = (y - one[:, 1]) / (other[:, 1] - one[:, 1])
        across = np.sort(one[:, 0] + share * (other[:, 0] - one[:, 0]))
        for left, right in zip(across[::2], across[1::2], strict=False):
            if right - left > width:
                ends = ((left + width / 2, float(y)), (right - width / 2, float(y)))
                strokes.append(Stroke(ends, width))
    return strokes


def _labelme_areas(
    shape: dict[str, Any], points: tuple[Point, ...], name: str, path: str | Path
) -> list[tuple[Point, ...]]:
    if shape.get("shape_type") == "mask":
        return _mask_outlines(shape.get("mask"), points, name, path)
    return [_labelme_area(shape, points, name, path)]


def _mask_outlines(
    text: object, points: tuple[Point, ...], name: str, path: str | Path
) -> list[tuple[Point, ...]]:
    """Outlines of a mask that labelme keeps as a picture in text, its corner at the first point."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MASK_PIXELS:
                raise ValueError("too large")
            mask = np.asarray(image.convert("L")) > 0
    except (binascii.Error, ValueError, OSError, UnidentifiedImageError) as error:
        raise InputError(
            f"{name} in the hints file {path} holds a mask that is no picture; draw it again"
        ) from error
    if not points or not mask.any():
        raise InputError(f"{name} in the hints file {path} is an empty mask; draw it again")
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    (left, top) = points[0]
    outlines = [contour.reshape(-1, 2) + 0.5 for contour in found if len(contour) >= 3]
    if not outlines:
        raise InputError(f"{name} in the hints file {path} is a mask of a few pixels; enlarge it")
    return [tuple((float(x) + left, float(y) + top) for x, y in one) for one in outlines]


def _labelme_hint(points: tuple[Point, ...], name: str, path: str | Path) -> MotionHint:
    if len(points) != 2:
        raise InputError(
            f"{name} in the hints file {path} has {len(points)} points; an arrow has two"
        )
    return MotionHint(*points)


def _labelme_area(
    shape: dict[str, Any], points: tuple[Point, ...], name: str, path: str | Path
) -> tuple[Point, ...]:
    """Corners of a polygon, rectangle (two corners) or circle (centre, a point on it)."""
    kind = shape.get("shape_type", "polygon")
    if kind == "polygon":
        return points
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        corners = (left, top), (right, top), (right, bottom), (left, bottom)
        return corners
    if kind == "circle" and len(points) == 2:
        (x, y), on_it = points
        radius = math.dist((x, y), on_it)
        turns = [math.tau * corner / _CIRCLE_CORNERS for corner in range(_CIRCLE_CORNERS)]
        return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in turns)
    raise InputError(
        f"{name} in the hints file {path} is a {kind}; label arrows hint0, hint1, ... and draw "
        "what moves as polygons, masks or lines"
    )


def labelme_size(
    content: dict[str, Any], original_size: tuple[int, int], path: str | Path
) -> tuple[int, int]:
    """Height and width of the picture that was drawn on: the photo at any size."""
    values = content.get("imageHeight"), content.get("imageWidth")
    if values == (None, None):
        return original_size
    if not all(isinstance(v, int) and 0 < v < 10**6 for v in values):
        raise InputError(f"the labelme file {path} states a picture of {values[1]}x{values[0]}")
    height, width = int(values[0] or 0), int(values[1] or 0)
    shape = width / height / (original_size[1] / original_size[0])
    # one pixel of rounding on either side is the most that resizing does
    if abs(math.log(shape)) > 0.01 + 1 / min(height, width):
        raise InputError(
            f"the labelme file {path} was drawn on a picture of {width}x{height}, the photo is "
            f"{original_size[1]}x{original_size[0]}; draw it on this photo"
        )
    return height, width
