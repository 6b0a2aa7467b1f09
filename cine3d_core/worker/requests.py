"""What Blender asks for: a photo at its working size, what was drawn on it, the build's settings.

Positions on the photo come as shares of its width and height, y from the top; a painted mask as
Blender keeps pictures, rows from bottom to top; regions and strokes as the JSON of a file of hints
(`drawing`: the bytes of {"content": ..., "size": [height, width]}, in pixels of that size).
Directing the motion is a dialogue about one photo, so the last photos and their depth are kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cine3d_core.build import EstimatedDepth, estimate_depth, read_working_photo
from cine3d_core.files.drawing.depth_strokes import parse_depth_strokes, scaled_depth_strokes
from cine3d_core.files.drawing.drawing import read_drawing
from cine3d_core.files.drawing.hints import parse_directions
from cine3d_core.files.inputs import input_file
from cine3d_core.files.models.installed import shelf_stamp
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.maps import painted_mask
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.motion_kinds import KINDS
from cine3d_core.scene import Drawing, MotionHint, MotionRegion
from cine3d_core.see.look import BUNDLED, Seen, see
from cine3d_core.settings import BuildSettings, settings_of
from cine3d_core.worker.server import JobInput

NETWORKS = Networks()  # of this process: what one job has opened the next need not
_OF_PHOTO = "of this photo"  # in messages, in the place of a file


@dataclass(frozen=True)
class Request:
    """What Blender asked to build or to preview."""

    photo: Photo
    drawing: Drawing
    settings: BuildSettings


def asked(job: JobInput, max_side: int | None = None) -> Request:
    """The photo at its working size, `max_side` at most, with what was drawn on it.

    Arrows in Blender stand in for those of the hints file, a painted mask for its outlines.
    """
    settings = settings_asked(job)
    if max_side is not None:
        settings = replace(settings, size=min(settings.size, max_side))
    photo = working_photo(job.arguments["photo"], settings)
    drawing = _drawn(job, photo)
    if replace(drawing, depth=()) == Drawing():
        drawing = replace(read_drawing(settings.hints, None, photo), depth=drawing.depth)
    painted = job.arrays.get("mask")
    if painted is not None:
        _, height, width = photo.rgb.shape
        rows = np.ascontiguousarray(painted[::-1] >= 128).astype(np.float32)
        mask = painted_mask(rows, height=height, width=width, name="the painted mask")
        drawing = replace(drawing, mask=mask)
    return Request(photo, drawing, settings)


def settings_asked(job: JobInput) -> BuildSettings:
    """What the person chose; InputError for a setting or a value that there is not."""
    return settings_of(job.arguments.get("settings", {}))


def working_photo(path: str, settings: BuildSettings) -> Photo:
    """The photo at the size that these settings work on."""
    key = replace(
        BuildSettings(),
        size=settings.size,
        preset=settings.preset,
        border=settings.border,
        view=settings.view,
        depth=settings.depth,  # with a picture of depth nothing is cut
    )
    return _photo_of_file(path, _modified(path, "photo"), key)


def estimated_depth(path: str, settings: BuildSettings, *, find_fluids: bool) -> EstimatedDepth:
    """What `estimate_depth` says of the photo; asked once while the file stays as it is."""
    key = replace(
        BuildSettings(),
        size=settings.size,
        preset=settings.preset,
        border=settings.border,
        view=settings.view,
        depth=settings.depth,
        classes=settings.classes,
        device=settings.device,
    )
    picture = Path(settings.depth or "")
    depth_modified = _modified(str(picture), "depth picture") if picture.is_file() else 0
    # the best network is another one when the shelf has changed
    modified = (_modified(path, "photo"), depth_modified, shelf_stamp())
    return _estimated_of_file(path, modified, key, find_fluids)


def seen_in(path: str, settings: BuildSettings) -> Seen:
    """What the bundled network sees in the photo; asked once while the file stays as it is."""
    key = replace(
        BuildSettings(),
        size=settings.size,
        border=settings.border,
        view=settings.view,
        depth=settings.depth,
    )
    return _seen_in_file(path, _modified(path, "photo"), key)


def _modified(path: str, kind: str) -> int:
    return input_file(path, kind).stat().st_mtime_ns


@lru_cache(maxsize=2)
def _seen_in_file(path: str, _modified: int, settings: BuildSettings) -> Seen:
    return see(working_photo(path, settings).rgb, NETWORKS.required(BUNDLED).network)


@lru_cache(maxsize=4)  # directing is a dialogue about one photo, at some sizes
def _photo_of_file(path: str, _modified: int, settings: BuildSettings) -> Photo:
    return read_working_photo(Path(path), settings)


@lru_cache(maxsize=8)  # twice as many: with what flows, and without
def _estimated_of_file(
    path: str, _modified: tuple[int, int, int], settings: BuildSettings, find_fluids: bool
) -> EstimatedDepth:
    rgb = working_photo(path, settings).rgb
    # a stroke may ask for the first time what flows: the depth is known by then
    before = _estimated_of_file(path, _modified, settings, False) if find_fluids else None
    return estimate_depth(rgb, settings, NETWORKS, find_fluids=find_fluids, before=before)


def _drawn(job: JobInput, photo: Photo) -> Drawing:
    """Regions and strokes, beside them arrows as objects and regions of such arrows."""
    drawn = directed_by_hand(job, photo)
    regions = (
        MotionRegion(
            hints=_motion_hints(region["hints"], photo),
            speed=float(region.get("speed", 1.0)),
            cycles=int(region["cycles"]) or None,
            mode=region["mode"] if region["mode"] in KINDS else "flow",
        )
        for region in job.arguments.get("regions") or []
    )
    hints = _motion_hints(job.arguments.get("hints") or [], photo)
    return replace(drawn, hints=drawn.hints + hints, regions=drawn.regions + tuple(regions))


def directed_by_hand(job: JobInput, photo: Photo) -> Drawing:
    """Regions and strokes in the photo's working pixels; nothing where none came.

    Raises:
        InputError: as `parse_directions`.
    """
    came = job.arrays.get("drawing")
    if came is None:
        return Drawing()
    sent = json.loads(came.tobytes())
    size = int(sent["size"][0]), int(sent["size"][1])
    height, width = photo.rgb.shape[1:]
    depth = parse_depth_strokes(sent["content"].pop("depth", []), _OF_PHOTO)
    depth = scaled_depth_strokes(depth, width / size[1], height / size[0])
    if not sent["content"]:
        return Drawing(depth=depth)
    drawing = parse_directions(
        sent["content"], _OF_PHOTO, height=height, width=width, original_size=size
    )
    drawing = replace(drawing, depth=depth)
    if not drawing.polygons:
        return drawing
    return replace(drawing, mask=rasterize_polygons(drawing.polygons, height, width))


def _motion_hints(hints: list[list[float]], photo: Photo) -> tuple[MotionHint, ...]:
    """Arrows in shares of the photo's sides as arrows in its working pixels."""
    height, width = photo.rgb.shape[1:]
    return tuple(
        MotionHint((x0 * width, y0 * height), (x1 * width, y1 * height)) for x0, y0, x1, y1 in hints
    )
