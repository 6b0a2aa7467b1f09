"""What a person drew, from our JSON or labelme's: arrows and outlines of what moves."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.inputs import read_json
from cine3d_core.scene import MotionDirections, MotionHint

Point = tuple[float, float]  # x, y

_MAX_HINTS = 1000
_MAX_POINTS = 200_000
_CIRCLE_CORNERS = 64
_SLACK_PX = 1.0  # drawing programs round to whole pixels, on either side of the border


def read_directions(
    path: str | Path, *, height: int, width: int, original_size: tuple[int, int]
) -> MotionDirections:
    """Arrows and outlines in working pixels (`height` x `width`) from a JSON file.

    Our format: `{"hints": [{"start": [x, y], "end": [x, y]}, ...], "mask": [[[x, y], ...], ...]}`
    in pixels of the original photo (`original_size`: height, width). labelme's files are taken as
    they are: two-point shapes labelled `hint*` are arrows, every area is mask. Unknown keys are
    ignored.

    Raises:
        InputError: not JSON, an arrow outside the picture or without length, an outline without
            area, labelme without a hint, or a labelme file drawn on a picture of another shape.
    """
    content = read_json(path, "hints file")
    if "shapes" in content:
        size = _labelme_size(content, original_size, path)
        directions = _labelme_directions(content, path)
    elif "hints" in content or "mask" in content:
        size = original_size
        directions = _own_directions(content, path)
    else:
        raise InputError(
            f'the hints file {path} holds neither "hints" nor "mask" nor labelme\'s "shapes"; '
            "draw an arrow or an outline and save it again"
        )
    _check_directions(directions, size, path)
    directions = _with_feet_inside(directions, size)
    return _scaled(directions, width / size[1], height / size[0])


def write_directions(
    path: str | Path,
    directions: MotionDirections,
    *,
    height: int,
    width: int,
    original_size: tuple[int, int],
) -> None:
    """Write working pixels (`height` x `width`) as our JSON, in pixels of the original photo."""
    scaled = _scaled(directions, original_size[1] / width, original_size[0] / height)
    content = {
        "hints": [{"start": list(h.start), "end": list(h.end)} for h in scaled.hints],
        "mask": [[list(point) for point in polygon] for polygon in scaled.polygons],
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _own_directions(content: dict[str, Any], path: str | Path) -> MotionDirections:
    hints = _list(content.get("hints", []), '"hints"', path)
    polygons = _list(content.get("mask", []), '"mask"', path)
    return MotionDirections(
        hints=tuple(_own_hint(h, f"arrow {n}", path) for n, h in enumerate(hints, 1)),
        polygons=tuple(_points(p, f"polygon {n}", path) for n, p in enumerate(polygons, 1)),
    )


def _own_hint(entry: object, name: str, path: str | Path) -> MotionHint:
    if not isinstance(entry, dict) or "start" not in entry or "end" not in entry:
        raise InputError(
            f'{name} in the hints file {path} must be {{"start": [x, y], "end": [x, y]}}'
        )
    start, end = _points([entry["start"], entry["end"]], name, path)
    return MotionHint(start, end)


def _labelme_directions(content: dict[str, Any], path: str | Path) -> MotionDirections:
    hints: list[MotionHint] = []
    polygons: list[tuple[Point, ...]] = []
    for number, shape in enumerate(_list(content["shapes"], '"shapes"', path), 1):
        if not isinstance(shape, dict):
            raise InputError(f"shape {number} in the hints file {path} is not an object")
        label = str(shape.get("label", ""))
        name = f'shape {number} ("{label}")'
        points = _points(shape.get("points"), name, path)
        if label.lower().startswith("hint"):
            hints.append(_labelme_hint(points, name, path))
        else:
            polygons.append(_labelme_area(shape, points, name, path))
    if not hints:
        raise InputError(
            f"the labelme file {path} holds no hint; draw a line along the motion and label it "
            '"hint0"'
        )
    return MotionDirections(tuple(hints), tuple(polygons))


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


def _labelme_size(
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


def _list(value: object, name: str, path: str | Path) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{name} in the hints file {path} must be a list")
    if len(value) > _MAX_HINTS:
        raise InputError(f"{name} in the hints file {path} has over {_MAX_HINTS} entries; use less")
    return value


def _points(value: object, name: str, path: str | Path) -> tuple[Point, ...]:
    if not isinstance(value, list) or len(value) > _MAX_POINTS:
        raise InputError(f"{name} in the hints file {path} must be a list of points [x, y]")
    return tuple(_point(point, name, path) for point in value)


def _point(value: object, name: str, path: str | Path) -> Point:
    if isinstance(value, list) and len(value) == 2 and all(map(_is_coordinate, value)):
        return float(value[0]), float(value[1])
    raise InputError(
        f"{name} in the hints file {path} has {str(value)[:60]} where a point [x, y] is wanted"
    )


def _is_coordinate(value: object) -> bool:
    """A finite number; bool is an int in Python but no coordinate, 1e999 is read as infinity."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _check_directions(
    directions: MotionDirections, size: tuple[int, int], path: str | Path
) -> None:
    height, width = size
    for number, hint in enumerate(directions.hints, 1):
        for x, y in (hint.start, hint.end):
            if not (-_SLACK_PX <= x <= width + _SLACK_PX and -_SLACK_PX <= y <= height + _SLACK_PX):
                raise InputError(
                    f"arrow {number} in the hints file {path} reaches ({x:g}, {y:g}), outside the "
                    f"{width}x{height} picture; keep both its ends inside"
                )
        if math.dist(hint.start, hint.end) < 1e-3:
            raise InputError(
                f"arrow {number} in the hints file {path} has no length; drag it along the motion"
            )
    for number, polygon in enumerate(directions.polygons, 1):
        _check_polygon(polygon, size, f"polygon {number} in the hints file {path}")


def _with_feet_inside(directions: MotionDirections, size: tuple[int, int]) -> MotionDirections:
    """Arrows that begin in the slack around the picture, moved into it as a whole."""
    height, width = size
    hints: list[MotionHint] = []
    for hint in directions.hints:
        (x, y), (end_x, end_y) = hint.start, hint.end
        inside = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
        hints.append(MotionHint(inside, (end_x + (inside[0] - x), end_y + (inside[1] - y))))
    return MotionDirections(tuple(hints), directions.polygons)


def _check_polygon(polygon: tuple[Point, ...], size: tuple[int, int], name: str) -> None:
    height, width = size
    if len(polygon) < 3:
        raise InputError(f"{name} has {len(polygon)} points; an outline needs at least 3")
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    if max(xs) <= 0 or min(xs) >= width or max(ys) <= 0 or min(ys) >= height:
        raise InputError(f"{name} lies outside the {width}x{height} picture; draw it on the photo")
    if _is_on_a_line(polygon):
        raise InputError(f"{name} encloses nothing; its points lie on one line")
    reach = 10 * max(height, width)
    if max(map(abs, xs + ys)) > reach:
        raise InputError(f"{name} reaches over {reach} px away from the picture; draw it anew")


def _is_on_a_line(polygon: tuple[Point, ...]) -> bool:
    (x0, y0), (x1, y1) = polygon[0], max(polygon, key=lambda point: math.dist(point, polygon[0]))
    length = max(math.dist((x0, y0), (x1, y1)), 1e-9)
    # twice the area of a triangle over its base: the distance from the line, in px
    return all(abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) < 1e-3 * length for x, y in polygon)


def _scaled(directions: MotionDirections, x_scale: float, y_scale: float) -> MotionDirections:
    def moved(point: Point) -> Point:
        return point[0] * x_scale, point[1] * y_scale

    return MotionDirections(
        hints=tuple(MotionHint(moved(h.start), moved(h.end)) for h in directions.hints),
        polygons=tuple(tuple(map(moved, polygon)) for polygon in directions.polygons),
    )
