"""labelme's JSON taken as it is: `hint*` lines are arrows, every area is mask."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.points import Point, checked_list, checked_points
from cine3d_core.scene import Drawing, MotionHint

_CIRCLE_CORNERS = 64


def labelme_directions(content: dict[str, Any], path: str | Path) -> Drawing:
    """Arrows and outlines in the pixels of `labelme_size`."""
    hints: list[MotionHint] = []
    polygons: list[tuple[Point, ...]] = []
    for number, shape in enumerate(checked_list(content["shapes"], '"shapes"', path), 1):
        if not isinstance(shape, dict):
            raise InputError(f"shape {number} in the hints file {path} is not an object")
        label = str(shape.get("label", ""))
        name = f'shape {number} ("{label}")'
        points = checked_points(shape.get("points"), name, path)
        if label.lower().startswith("hint"):
            hints.append(_labelme_hint(points, name, path))
        else:
            polygons.append(_labelme_area(shape, points, name, path))
    if not hints:
        raise InputError(
            f"the labelme file {path} holds no hint; draw a line along the motion and label it "
            '"hint0"'
        )
    return Drawing(tuple(hints), tuple(polygons))


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
        return ((left, top), (right, top), (right, bottom), (left, bottom))
    if kind == "circle" and len(points) == 2:
        (x, y), on_it = points
        radius = math.dist((x, y), on_it)
        turns = [math.tau * corner / _CIRCLE_CORNERS for corner in range(_CIRCLE_CORNERS)]
        return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in turns)
    raise InputError(
        f"{name} in the hints file {path} is a {kind}; label arrows hint0, hint1, ... and draw "
        "what moves as polygons"
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
