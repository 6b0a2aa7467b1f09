"""Regions and strokes of a photo as the content of a file of hints, and back; see docs/motion.md.

The worker checks, scales and writes it. Here it is in pixels of the size that the photo was last
built at; `scale` and `SIZE` are those of the message.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from cine3d_core.motion_kinds import KINDS

from .direct_properties import (
    MENDINGS,
    CINE3D_PG_direct,
    CINE3D_PG_region,
    CINE3D_PG_stroke,
    Points,
)

_LABELS = {"MOVES": "moves", "RESTS": "rests"}
_MENDINGS = {name for name, *_ in MENDINGS}
_REACH = 3.0  # widths of the brush that a thing may go on beyond a stroke that mends its depth
_PERSPECTIVE = {"ON": True, "OFF": False}
_DIGITS = 6  # that a number of single precision knows
BASE_NAME = "Photo"


def sent(root: bpy.types.Object | None) -> dict[str, np.ndarray]:
    """The array `drawing` of a message to the worker; empty where nothing was directed by hand."""
    drawn = {} if root is None else content(root)
    if not drawn:
        return {}
    width, height = root.cine3d.photo_size
    text = json.dumps({"content": drawn, "size": [height, width]})
    return {"drawing": np.frombuffer(text.encode(), np.uint8)}


def clicked_with(root: bpy.types.Object) -> list[str]:
    """Networks that outlined what was clicked on and takes part in the motion."""
    regions = (root.cine3d_direct.regions[index] for index in sent_regions(root))
    return sorted({region.found_by for region in regions if region.found_by})


def content(root: bpy.types.Object) -> dict[str, Any]:
    """What a file of hints would hold, in pixels of the photo's size; empty for nothing."""
    size = tuple(root.cine3d.photo_size)
    direct = root.cine3d_direct
    long_side = max(size)
    drawn: dict[str, Any] = {}
    base = direct.base()
    if base is not None:
        drawn["hints"] = _hints(base, size)
        drawn["mask"] = [_to_pixels(one, size) for one in base.outline_list()]
    regions = [_region(direct.regions[index], size) for index in sent_regions(root)]
    if regions:
        drawn["regions"] = regions
    strokes = [
        (
            stroke.label,
            {"points": _to_pixels(stroke.point_list(), size)} | _width(stroke, long_side),
        )
        for stroke in direct.strokes
        if stroke.points
    ]
    freeze = [line for label, line in strokes if label == "FREEZE"]
    scribbles = [{"label": _LABELS[name], **line} for name, line in strokes if name in _LABELS]
    if freeze:
        drawn["freeze"] = freeze
    if scribbles:
        drawn["strokes"] = scribbles
    if mended := [_mending(label, line) for label, line in strokes if label in _MENDINGS]:
        drawn["depth"] = mended
    return drawn


def sent_regions(root: bpy.types.Object) -> tuple[int, ...]:
    """Index of each region that a message holds."""
    regions = enumerate(root.cine3d_direct.regions)
    return tuple(n for n, region in regions if not (region.is_base or region.is_empty()))


def sent_to_build(root: bpy.types.Object | None) -> dict[str, np.ndarray]:
    """As `sent`; notes the number that each region is sent as, see `timing.number_built`."""
    sent_now = () if root is None else sent_regions(root)
    for index, region in enumerate(root.cine3d_direct.regions if root is not None else ()):
        region.sent_as = sent_now.index(index) + 1 if index in sent_now else 0
    return sent(root)


def take(root: bpy.types.Object, sent_back: np.ndarray) -> int:
    """Replace what directs a photo by a drawing from the worker; how many regions it has."""
    message = json.loads(sent_back.tobytes())
    height, width = message["size"]
    drawn, size = message["content"], (width, height)
    direct = root.cine3d_direct
    kept = [(s.label, s.width, s.points) for s in direct.strokes if s.label in _MENDINGS]
    direct.clear()
    if drawn.get("hints") or drawn.get("mask"):
        base = direct.new_region(BASE_NAME)
        base.is_base = True
        _take_place(base, {k: drawn[k] for k in ("hints", "mask") if k in drawn}, size)
    for entry in drawn.get("regions", []):
        region = direct.new_region(entry.get("name", ""))
        _take_region(region, entry, size)
    # a file of hints holds no depth: those strokes stay
    for label, width, points in kept:
        stroke = direct.strokes.add()
        stroke.label, stroke.width, stroke.points = label, width, points
    for entry in drawn.get("freeze", []):
        _take_stroke(direct, "FREEZE", entry, size)
    for entry in drawn.get("strokes", []):
        _take_stroke(direct, entry["label"].upper(), entry, size)
    direct.active = 0
    return len(direct.regions)


def outlines_sent(sent_back: np.ndarray) -> list[Points]:
    """The outlines of the only region of a drawing from the worker, as shares."""
    message = json.loads(sent_back.tobytes())
    height, width = message["size"]
    (region,) = message["content"]["regions"]
    return [_to_shares(outline, (width, height)) for outline in region["mask"]]


def _region(region: CINE3D_PG_region, size: tuple[int, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": region.name, "hints": _hints(region, size)}
    if region.place == "OUTLINES":
        entry["mask"] = [_to_pixels(one, size) for one in region.outline_list()]
    elif region.place == "FLUID":
        entry["mask"] = region.fluid
    elif region.place == "PICTURE":
        entry["mask"] = {"picture": bpy.path.abspath(region.picture)}
    entry["mode"] = region.mode
    entry["speed"] = _short(region.speed)
    if region.rests:
        entry["rests"] = True
    if region.cycles:
        entry["cycles"] = region.cycles
    keys = KINDS[region.mode].keys
    for key in ("amplitude", "wavelength"):
        value = getattr(region, key)
        if value and key in keys:
            entry[key] = _short(value / 100 * max(size))
    if region.perspective in _PERSPECTIVE and "perspective" in keys:
        entry["perspective"] = _PERSPECTIVE[region.perspective]
    return entry


def _take_region(region: CINE3D_PG_region, entry: dict[str, Any], size: tuple[int, int]) -> None:
    _take_place(region, entry, size)
    region.mode = entry.get("mode", "flow")
    region.speed = entry.get("speed", 1.0)
    region.cycles = entry.get("cycles") or 0
    region.rests = entry.get("rests", False)
    for key in ("amplitude", "wavelength"):
        setattr(region, key, (entry.get(key) or 0.0) * 100 / max(size))
    said: dict[bool | None, str] = {value: name for name, value in _PERSPECTIVE.items()}
    region.perspective = said.get(entry.get("perspective"), "AUTO")


def _take_place(region: CINE3D_PG_region, entry: dict[str, Any], size: tuple[int, int]) -> None:
    width, height = size
    sides = (width, height, width, height)
    hints = [[*hint["start"], *hint["end"]] for hint in entry.get("hints", [])]
    region.set_arrows([tuple(v / s for v, s in zip(h, sides, strict=True)) for h in hints])
    mask = entry.get("mask", [])
    if isinstance(mask, str):
        region.place, region.fluid = "FLUID", mask
    elif isinstance(mask, dict):
        region.place, region.picture = "PICTURE", mask["picture"]
    elif mask:
        region.set_outlines([_to_shares(outline, size) for outline in mask])


def _take_stroke(
    direct: CINE3D_PG_direct, label: str, entry: dict[str, Any], size: tuple[int, int]
) -> None:
    stroke = direct.strokes.add()
    stroke.label, stroke.width = label, entry["width"] / max(size)
    stroke.set_points(_to_shares(entry["points"], size))


def _mending(label: str, line: dict[str, Any]) -> dict[str, Any]:
    """A stroke that mends the depth; one from place to place names the first of them."""
    entry = {"mend": label.lower(), "reach": _short(_REACH * line["width"]), **line}
    if label == "AS-FAR-AS":
        entry |= {"like": line["points"][0], "points": line["points"][-1:]}
    return entry


def _width(stroke: CINE3D_PG_stroke, long_side: int) -> dict[str, float]:
    return {"width": max(_short(stroke.width * long_side), 0.5)}


def _hints(region: CINE3D_PG_region, size: tuple[int, int]) -> list[dict[str, Any]]:
    width, height = size
    return [
        {"start": [x0 * width, y0 * height], "end": [x1 * width, y1 * height]}
        for x0, y0, x1, y1 in region.arrow_list()
    ]


def _to_pixels(points: Points, size: tuple[int, int]) -> list[list[float]]:
    return [[x * size[0], y * size[1]] for x, y in points]


def _to_shares(points: list[list[float]], size: tuple[int, int]) -> Points:
    return [(x / size[0], y / size[1]) for x, y in points]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


CLASSES = ()
