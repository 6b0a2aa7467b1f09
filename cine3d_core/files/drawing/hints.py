"""What a person drew, as JSON: arrows, outlines, regions, freeze strokes and scribbles.

One format for the command line and the add-on; `docs/motion.md` describes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.drawing.labelme import labelme_directions, labelme_size
from cine3d_core.files.drawing.points import (
    Point,
    checked_keys,
    checked_list,
    checked_number,
    checked_points,
)
from cine3d_core.files.inputs import read_json
from cine3d_core.files.pictures.maps import read_mask
from cine3d_core.motion_kinds import KINDS
from cine3d_core.scene import FLUIDS, Drawing, MotionHint, MotionRegion, Stroke

Size = tuple[int, int]  # height, width

_KEYS = ("hints", "mask", "regions", "freeze", "strokes")
_KIND_KEYS = tuple(dict.fromkeys(key for kind in KINDS.values() for key in kind.keys))
_REGION_KEYS = ("name", "mask", "hints", "rests", "speed", "cycles", "mode", *_KIND_KEYS)
_NAME_LENGTH = 63
_SLACK_PX = 1.0  # drawing programs round to whole pixels, on either side of the border


def read_directions(path: str | Path, *, height: int, width: int, original_size: Size) -> Drawing:
    """What was drawn, in working pixels (`height` x `width`), from a JSON file.

    Our format is in pixels of the original photo (`original_size`: height, width). labelme's files
    are taken as they are: two-point shapes labelled `hint*` are arrows, every area is mask. Mask
    pictures are named relative to the file.

    Raises:
        InputError: not JSON, a key that is none of the format's, an arrow outside the picture or
            without length, an outline without area, labelme without a hint, or a labelme file
            drawn on a picture of another shape.
    """
    content = read_json(path, "hints file")
    return parse_directions(content, path, height=height, width=width, original_size=original_size)


def parse_directions(
    content: dict[str, Any], path: str | Path, *, height: int, width: int, original_size: Size
) -> Drawing:
    """`read_directions` of what a file holds; `path` is for messages and beside mask pictures.

    Raises:
        InputError: see `read_directions`.
    """
    if "shapes" in content:
        size = labelme_size(content, original_size, path)
        directions = labelme_directions(content, path)
    elif any(key in content for key in _KEYS):
        size = original_size
        directions = _own_directions(content, path, size, (height, width))
    else:
        raise InputError(
            f'the hints file {path} holds neither "hints" nor "mask" nor "regions" nor labelme\'s '
            '"shapes"; draw an arrow or an outline and save it again'
        )
    _check_directions(directions, size, path)
    directions = _with_feet_inside(directions, size)
    return scaled_directions(directions, width / size[1], height / size[0])


def write_directions(
    path: str | Path,
    directions: Drawing,
    *,
    height: int,
    width: int,
    original_size: Size,
) -> None:
    """Write working pixels (`height` x `width`) as our JSON, in pixels of the original photo.

    What is as it would be assumed is left out.
    """
    content = directions_content(
        scaled_directions(directions, original_size[1] / width, original_size[0] / height)
    )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def directions_content(
    scaled: Drawing, pictures: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """What a file of our format holds, in the drawing's own pixels.

    Args:
        scaled: as the file has it.
        pictures: index of a region -> file of its mask picture, which the record does not know.
    """
    content: dict[str, Any] = {
        "hints": _hints_json(scaled.hints),
        "mask": _polygons_json(scaled.polygons),
    }
    if scaled.regions:
        files = pictures or {}
        content["regions"] = [_region_json(r, files.get(i)) for i, r in enumerate(scaled.regions)]
    if scaled.freeze:
        content["freeze"] = [_stroke_json(stroke) for stroke in scaled.freeze]
    scribbles = [("moves", stroke) for stroke in scaled.moves]
    scribbles += [("rests", stroke) for stroke in scaled.rests]
    if scribbles:
        content["strokes"] = [{"label": label, **_stroke_json(s)} for label, s in scribbles]
    return content


def _hints_json(hints: tuple[MotionHint, ...]) -> list[Any]:
    return [{"start": list(hint.start), "end": list(hint.end)} for hint in hints]


def _polygons_json(polygons: tuple[tuple[Point, ...], ...]) -> list[Any]:
    return [[list(point) for point in polygon] for polygon in polygons]


def _stroke_json(stroke: Stroke) -> dict[str, Any]:
    return {"points": [list(point) for point in stroke.points], "width": stroke.width}


def _region_json(region: MotionRegion, picture: str | None) -> dict[str, Any]:
    assert region.picture is None or picture, "a mask picture has no place in a JSON file"
    content: dict[str, Any] = {"hints": _hints_json(region.hints)}
    if picture:
        content["mask"] = {"picture": picture}
    elif region.polygons or region.fluid:
        content["mask"] = _polygons_json(region.polygons) or region.fluid
    known = MotionRegion()
    for name in ("name", "rests", "speed", "cycles", "mode", *_KIND_KEYS):
        if getattr(region, name) != getattr(known, name):
            content[name] = getattr(region, name)
    return content


def _own_directions(
    content: dict[str, Any], path: str | Path, size: Size, working_size: Size
) -> Drawing:
    checked_keys(content, "the drawing", path, _KEYS)
    regions = checked_list(content.get("regions", []), '"regions"', path)
    freeze = checked_list(content.get("freeze", []), '"freeze"', path)
    scribbles = checked_list(content.get("strokes", []), '"strokes"', path)
    labelled = [_scribble(s, f"stroke {n}", path) for n, s in enumerate(scribbles, 1)]
    return Drawing(
        hints=_own_hints(content, "", path),
        polygons=_own_polygons(content.get("mask", []), "", path),
        regions=tuple(
            _own_region(r, f"region {n}", path, size, working_size)
            for n, r in enumerate(regions, 1)
        ),
        freeze=tuple(_own_stroke(s, f"freeze stroke {n}", path) for n, s in enumerate(freeze, 1)),
        moves=tuple(stroke for label, stroke in labelled if label == "moves"),
        rests=tuple(stroke for label, stroke in labelled if label == "rests"),
    )


def _own_region(
    entry: object, name: str, path: str | Path, size: Size, working_size: Size
) -> MotionRegion:
    checked_keys(entry, name, path, _REGION_KEYS)
    assert isinstance(entry, dict)  # `checked_keys` has seen to it
    mode = entry.get("mode", "flow")
    if not isinstance(mode, str) or mode not in KINDS:
        raise InputError(
            f"the mode of {name} in the hints file {path} is {str(mode)[:60]}; give "
            + " or ".join(f'"{kind}"' for kind in KINDS)
        )
    misplaced = [key for key in _KIND_KEYS if key in entry and key not in KINDS[mode].keys]
    if misplaced:
        raise InputError(
            f'"{misplaced[0]}" of {name} in the hints file {path} has no effect in the mode '
            f'"{mode}"; remove it or change the mode'
        )
    side = float(max(size))
    optional: dict[str, Any] = {}
    for key, low, high in (
        ("speed", 0.01, 100.0),
        ("cycles", 1.0, 1000.0),
        ("amplitude", 0.01, side / 10),
        ("wavelength", 4.0, 10 * side),
    ):
        if key in entry:
            full = f'"{key}" of {name}'
            optional[key] = checked_number(entry[key], full, path, low=low, high=high)
    switches = (entry.get("perspective", True), entry.get("rests", True))
    if optional.get("cycles", 1.0) % 1 or not all(isinstance(s, bool) for s in switches):
        raise InputError(
            f'{name} in the hints file {path} needs a whole number as "cycles", and true or '
            'false as "perspective" and "rests"; correct it'
        )
    if "cycles" in optional:
        optional["cycles"] = int(optional["cycles"])
    return MotionRegion(
        hints=_own_hints(entry, f" of {name}", path),
        mode=mode,
        perspective=entry.get("perspective"),
        rests=entry.get("rests", False),
        name=_own_name(entry.get("name", ""), name, path),
        **_own_mask(entry.get("mask", []), name, path, size, working_size),
        **optional,
    )


def _own_name(value: object, name: str, path: str | Path) -> str:
    if not isinstance(value, str) or len(value) > _NAME_LENGTH:
        raise InputError(
            f'the "name" of {name} in the hints file {path} is {str(value)[:60]}; give at most '
            f"{_NAME_LENGTH} letters"
        )
    return value


def _own_mask(
    mask: object, name: str, path: str | Path, size: Size, working_size: Size
) -> dict[str, Any]:
    """The field of `MotionRegion` that says where the region is."""
    if isinstance(mask, str):
        if mask not in FLUIDS:
            raise InputError(
                f'the mask of {name} in the hints file {path} is "{mask[:60]}"; give outlines, '
                f'one of {", ".join(FLUIDS)}, or {{"picture": FILE}}'
            )
        return {"fluid": mask}
    if isinstance(mask, dict):
        checked_keys(mask, f"the mask of {name}", path, ("picture",))
        file = Path(path).parent / str(mask.get("picture"))
        height, width = working_size
        return {"picture": read_mask(file, height=height, width=width, original_size=size)}
    return {"polygons": _own_polygons(mask, f" of {name}", path)}


def _own_polygons(value: object, whose: str, path: str | Path) -> tuple[tuple[Point, ...], ...]:
    polygons = checked_list(value, f'"mask"{whose}', path)
    return tuple(checked_points(p, f"polygon {n}{whose}", path) for n, p in enumerate(polygons, 1))


def _own_hints(content: dict[str, Any], whose: str, path: str | Path) -> tuple[MotionHint, ...]:
    hints = checked_list(content.get("hints", []), f'"hints"{whose}', path)
    return tuple(_own_hint(h, f"arrow {n}{whose}", path) for n, h in enumerate(hints, 1))


def _own_hint(entry: object, name: str, path: str | Path) -> MotionHint:
    if not isinstance(entry, dict) or "start" not in entry or "end" not in entry:
        raise InputError(
            f'{name} in the hints file {path} must be {{"start": [x, y], "end": [x, y]}}'
        )
    checked_keys(entry, name, path, ("start", "end"))
    start, end = checked_points([entry["start"], entry["end"]], name, path)
    return MotionHint(start, end)


def _scribble(entry: object, name: str, path: str | Path) -> tuple[str, Stroke]:
    label = entry.get("label") if isinstance(entry, dict) else None
    if label not in ("moves", "rests"):
        raise InputError(
            f'{name} in the hints file {path} must be {{"label": "moves" or "rests", '
            '"points": [[x, y], ...], "width": px}'
        )
    assert isinstance(entry, dict)
    return label, _own_stroke({k: v for k, v in entry.items() if k != "label"}, name, path)


def _own_stroke(entry: object, name: str, path: str | Path) -> Stroke:
    checked_keys(entry, name, path, ("points", "width"))
    assert isinstance(entry, dict)
    points = checked_points(entry.get("points"), name, path)
    if not points:
        raise InputError(f"{name} in the hints file {path} has no points; draw it again")
    width = checked_number(entry.get("width"), f'"width" of {name}', path, low=0.5, high=1e4)
    return Stroke(points, width)


def _check_directions(directions: Drawing, size: Size, path: str | Path) -> None:
    regions = enumerate(directions.regions, 1)
    parts = [("", directions), *((f" of region {number}", region) for number, region in regions)]
    for whose, part in parts:
        for number, hint in enumerate(part.hints, 1):
            _check_hint(hint, size, f"arrow {number}{whose} in the hints file {path}")
        for number, polygon in enumerate(part.polygons, 1):
            _check_polygon(polygon, size, f"polygon {number}{whose} in the hints file {path}")


def _check_hint(hint: MotionHint, size: Size, name: str) -> None:
    height, width = size
    for x, y in (hint.start, hint.end):
        if not (-_SLACK_PX <= x <= width + _SLACK_PX and -_SLACK_PX <= y <= height + _SLACK_PX):
            raise InputError(
                f"{name} reaches ({x:g}, {y:g}), outside the {width}x{height} picture; keep both "
                "its ends inside"
            )
    if math.dist(hint.start, hint.end) < 1e-3:
        raise InputError(f"{name} has no length; drag it along the motion")


def _check_polygon(polygon: tuple[Point, ...], size: Size, name: str) -> None:
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
        raise InputError(f"{name} lies over {reach} px outside the picture; draw it again")


def _is_on_a_line(polygon: tuple[Point, ...]) -> bool:
    (x0, y0), (x1, y1) = polygon[0], max(polygon, key=lambda point: math.dist(point, polygon[0]))
    length = max(math.dist((x0, y0), (x1, y1)), 1e-9)
    # twice the area of a triangle over its base: the distance from the line, in px
    return all(abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) < 1e-3 * length for x, y in polygon)


def _with_feet_inside(directions: Drawing, size: Size) -> Drawing:
    """Arrows that begin in the slack around the picture, moved into it as a whole."""
    height, width = size

    def moved(hint: MotionHint) -> MotionHint:
        (x, y), (end_x, end_y) = hint.start, hint.end
        inside = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
        return MotionHint(inside, (end_x + (inside[0] - x), end_y + (inside[1] - y)))

    return _with_hints(directions, moved)


def _with_hints(directions: Drawing, change: Callable[[MotionHint], MotionHint]) -> Drawing:
    regions = (replace(r, hints=tuple(map(change, r.hints))) for r in directions.regions)
    return replace(directions, hints=tuple(map(change, directions.hints)), regions=tuple(regions))


def moved_into(directions: Drawing, x: float, y: float, size: Size) -> Drawing:
    """Directions of a photo of which only `size` is left, from (`x`, `y`) on.

    Arrows that stood on what was cut off start at the border; painted masks stay as they are.
    """
    return _with_feet_inside(scaled_directions(directions, 1.0, 1.0, offset=(-x, -y)), size)


def scaled_directions(
    directions: Drawing, x_scale: float, y_scale: float, *, offset: Point = (0.0, 0.0)
) -> Drawing:
    """The drawing in other pixels; painted masks stay as they are."""
    mean = math.sqrt(x_scale * y_scale)

    def moved(point: Point) -> Point:
        return point[0] * x_scale + offset[0], point[1] * y_scale + offset[1]

    def outlines(polygons: tuple[tuple[Point, ...], ...]) -> tuple[tuple[Point, ...], ...]:
        return tuple(tuple(map(moved, polygon)) for polygon in polygons)

    def strokes(drawn: tuple[Stroke, ...]) -> tuple[Stroke, ...]:
        return tuple(Stroke(tuple(map(moved, s.points)), s.width * mean) for s in drawn)

    def length(value: float | None) -> float | None:
        return None if value is None else value * mean

    regions = (
        replace(
            region,
            polygons=outlines(region.polygons),
            amplitude=length(region.amplitude),
            wavelength=length(region.wavelength),
        )
        for region in directions.regions
    )
    scaled = replace(
        directions,
        polygons=outlines(directions.polygons),
        regions=tuple(regions),
        freeze=strokes(directions.freeze),
        moves=strokes(directions.moves),
        rests=strokes(directions.rests),
    )
    return _with_hints(scaled, lambda hint: MotionHint(moved(hint.start), moved(hint.end)))
