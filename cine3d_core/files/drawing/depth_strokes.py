"""Strokes that mend the depth, as JSON, in pixels of the original photo as arrows are.

`{"depth": [{"mend": "nearer", "points": [[x, y], ...], "width": 20, "reach": 60}, ...]}`
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.points import (
    checked_keys,
    checked_list,
    checked_number,
    checked_points,
)
from cine3d_core.files.inputs import read_json
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.scene import MENDINGS, DepthStroke, Stroke

_KEYS = ("mend", "points", "width", "amount", "like", "reach")


def read_depth_strokes(path: Path, photo: Photo) -> tuple[DepthStroke, ...]:
    """The strokes of a file in the photo's working pixels.

    Raises:
        InputError: not JSON, a key that is none of the format's, or a stroke that says nothing.
    """
    content = read_json(path, "depth strokes file")
    checked_keys(content, "the drawing", path, ("depth",))
    strokes = parse_depth_strokes(content.get("depth"), path)
    _, height, width = photo.rgb.shape
    cut = photo.cut
    across = (width + cut.left + cut.right) / photo.original_width
    down = (height + cut.top + cut.bottom) / photo.original_height
    return scaled_depth_strokes(strokes, across, down, offset=(-cut.left, -cut.top))


def parse_depth_strokes(value: object, path: str | Path) -> tuple[DepthStroke, ...]:
    """Strokes in the pixels of the JSON.

    Raises:
        InputError: see `read_depth_strokes`.
    """
    entries = checked_list(value, '"depth"', path)
    return tuple(_stroke(e, f"depth stroke {n}", path) for n, e in enumerate(entries, 1))


def _stroke(entry: object, name: str, path: str | Path) -> DepthStroke:
    checked_keys(entry, name, path, _KEYS)
    assert isinstance(entry, dict)  # `checked_keys` has seen to it
    mending = entry.get("mend")
    if mending not in MENDINGS:
        raise InputError(
            f'"mend" of {name} in the file {path} is {str(mending)[:60]}; give one of '
            + ", ".join(MENDINGS)
        )
    points = checked_points(entry.get("points"), name, path)
    if not points:
        raise InputError(f"{name} in the file {path} has no points; draw it again")
    numbers: dict[str, Any] = {
        key: checked_number(entry[key], f'"{key}" of {name}', path, low=low, high=high)
        for key, low, high in (("amount", 1.0, 20.0), ("reach", 0.0, 1e5))
        if key in entry
    }
    width = checked_number(entry.get("width"), f'"width" of {name}', path, low=0.5, high=1e4)
    if "like" in entry:
        (numbers["like"],) = checked_points([entry["like"]], f'"like" of {name}', path)
    elif mending == "as-far-as":
        raise InputError(f'{name} in the file {path} lacks "like"; give it a place [x, y]')
    return DepthStroke(mending, Stroke(points, width), **numbers)


def scaled_depth_strokes(
    strokes: tuple[DepthStroke, ...],
    across: float,
    down: float,
    *,
    offset: tuple[float, float] = (0.0, 0.0),
) -> tuple[DepthStroke, ...]:
    """The strokes in other pixels."""
    mean = math.sqrt(across * down)

    def moved(point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * across + offset[0], point[1] * down + offset[1]

    return tuple(
        DepthStroke(
            one.mending,
            Stroke(tuple(map(moved, one.stroke.points)), one.stroke.width * mean),
            one.amount,
            None if one.like is None else moved(one.like),
            one.reach * mean,
        )
        for one in strokes
    )
