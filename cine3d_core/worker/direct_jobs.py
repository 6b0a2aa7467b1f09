"""What the worker does while a person directs a photo by hand.

The flow at the size of a preview by the code that builds, what a click is on, and drawings in and
out of files. Drawings travel as `requests` says, pictures as Blender keeps them, bottom row first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cine3d_core.build import DirectedPhoto, direct_photo
from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.drawing.drawing import read_drawing
from cine3d_core.files.drawing.hints import directions_content, scaled_directions
from cine3d_core.files.inputs import read_json
from cine3d_core.files.models.installed import shelf_stamp
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.polygons import outlines_of
from cine3d_core.motion.direct import asks_what_flows
from cine3d_core.motion.sway import HARMONICS
from cine3d_core.networks.shelf.clicks import Click
from cine3d_core.scene import FLUIDS, Drawing, MotionField
from cine3d_core.see.click import grow_click
from cine3d_core.see.look import BUNDLED
from cine3d_core.worker.kept import KeptParts
from cine3d_core.worker.model_jobs import found_by_network, prepare_clicks
from cine3d_core.worker.pictures import rows_up
from cine3d_core.worker.requests import (
    NETWORKS,
    Request,
    asked,
    directed_by_hand,
    estimated_depth,
    seen_in,
    settings_asked,
    working_photo,
)
from cine3d_core.worker.server import JobFunction, JobInput, JobResult

LIVE_SIDE_PX = 256  # of the motion that is solved while somebody draws
CLICK_SIDE_PX = 640  # of the photo that is clicked on
DECIMALS = 4  # of a pixel in files
_KEPT = KeptParts()  # of the motion, from stroke to stroke


def read_directions_file(job: JobInput) -> JobResult:
    """A file of hints or of labelme as `drawing`; mask pictures stay files, named in full."""
    photo = working_photo(job.arguments["photo"], settings_asked(job))
    path = Path(job.arguments["path"])
    drawing = read_drawing(path, None, photo)
    pictures = _mask_pictures(read_json(path, "hints file"), path)
    content = directions_content(drawing, pictures)
    _, height, width = photo.rgb.shape
    sent = json.dumps({"content": content, "size": [height, width]}).encode()
    return {"regions": len(drawing.regions)}, {"drawing": np.frombuffer(sent, np.uint8)}


def write_directions_file(job: JobInput) -> JobResult:
    """`drawing` as a file of hints, in pixels of the original photo."""
    photo = working_photo(job.arguments["photo"], settings_asked(job))
    path = Path(job.arguments["path"])
    sent = json.loads(job.arrays["drawing"].tobytes())
    drawing = directed_by_hand(job, photo)
    width_share, height_share = _original_per_working(photo)
    whole = scaled_directions(drawing, 1.0, 1.0, offset=(photo.cut.left, photo.cut.top))
    original = scaled_directions(whole, width_share, height_share)
    content = directions_content(original, _mask_pictures(sent["content"], path))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_rounded(content), indent=1) + "\n", encoding="utf-8")
    return {"regions": len(drawing.regions)}, {}


def _original_per_working(photo: Photo) -> tuple[float, float]:
    """Original pixels per working pixel, across and down."""
    _, height, width = photo.rgb.shape
    across = photo.original_width / (width + photo.cut.left + photo.cut.right)
    return across, photo.original_height / (height + photo.cut.top + photo.cut.bottom)


def _mask_pictures(content: dict[str, Any], path: Path) -> dict[int, str]:
    """Index of a region -> its mask picture; a file that reads has them where they belong."""
    masks = [region.get("mask") for region in content.get("regions", [])]
    return {
        index: str((path.parent / mask["picture"]).resolve())
        for index, mask in enumerate(masks)
        if isinstance(mask, dict)
    }


def _rounded(value: Any) -> Any:
    """JSON without the digits that scaling has left behind."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return value


def live_motion(job: JobInput) -> JobResult:
    """The motion that a build would make, at `LIVE_SIDE_PX`.

    `flow` [h, w, 4] float32: velocity as shares of width and height per frame, y up; 1 where it
    flows; cycles per loop. `swing` [h, w, 4]: amplitude in the same shares, phase, cycles; what
    moves in place. `owner` [h, w] uint8: the region, counted from 1, 255 where none directs it,
    0 where static. `sure` [h, w] uint8: how sure the network is that it moves, of 255; all of
    what a person has outlined. `depth` [h, w] float32 z-depth.
    """
    start = time.monotonic()
    request = asked(job, max_side=LIVE_SIDE_PX)
    job.progress("Looking at the photo", 0.0)
    estimated = estimated_depth(
        job.arguments["photo"], request.settings, find_fluids=asks_what_flows(request.drawing)
    )
    directed = direct_photo(
        request.photo,
        request.drawing,
        request.settings,
        NETWORKS,
        estimated=estimated,
        keep=_KEPT.of(_of_what(job, request)),
        progress=job.progress,
    )
    job.progress("Handing over", 0.9)
    arrays = {
        "flow": rows_up(_flow_planes(directed.motion)),
        "swing": rows_up(_swing_planes(directed.motion)),
        "owner": rows_up(directed.owner)[..., 0].astype(np.int16).astype(np.uint8),
        "sure": rows_up(_sureness(directed, request.drawing))[..., 0],
        "depth": rows_up(directed.depth.depth)[..., 0],
    }
    facts = {
        "assumed": list(directed.assumed),
        "num_frames": request.settings.frames,
        "harmonics": [list(harmonic) for harmonic in HARMONICS],
        "seconds": round(time.monotonic() - start, 3),
    }
    return facts, arrays


def _sureness(directed: DirectedPhoto, drawing: Drawing) -> Tensor:  # [1, h, w] uint8
    """What was outlined is as sure as what rests; the network knows of the rest."""
    seen = directed.depth.fluid
    found = torch.ones_like(directed.depth.depth) if seen is None else seen.sum(0, keepdim=True)
    for number, region in enumerate(drawing.regions, 1):
        if region.rests or region.polygons or region.picture is not None:
            found = torch.where(directed.owner == number, 1.0, found)
    return (found.clamp(0, 1) * 255).round().to(torch.uint8)


def _of_what(job: JobInput, request: Request) -> Hashable:
    """What the motion comes from beside arrows, regions and strokes on the motion."""
    path, picture = Path(job.arguments["photo"]), Path(request.settings.depth or "")
    modified = [file.stat().st_mtime_ns for file in (path, picture) if file.is_file()]
    subject = [str(path), modified, shelf_stamp(), job.arguments.get("settings")]
    sees = asks_what_flows(request.drawing)
    return json.dumps([*subject, sees], sort_keys=True), request.drawing.depth


def _flow_planes(motion: MotionField) -> Tensor:  # [4, h, w]
    height, width = motion.velocity.shape[1:]
    sides = torch.tensor([width, -height], dtype=torch.float32)[:, None, None]
    return torch.cat([motion.velocity / sides, motion.moving.float(), motion.cycles.float()])


def _swing_planes(motion: MotionField) -> Tensor:  # [4, h, w]
    """All kinds in place are waves with one amplitude and one phase; no pixel has two of them."""
    height, width = motion.velocity.shape[1:]
    planes = torch.zeros(3, height, width)
    for field in motion.in_place.values():
        planes = planes + field
    sides = torch.tensor([width, -height, 1], dtype=torch.float32)[:, None, None]
    return torch.cat([planes / sides, motion.cycles.float()])


def click_thing(job: JobInput) -> JobResult:
    """What `clicks` (x, y as shares, y from the top, and whether it belongs) are on: `drawing`.

    The outlines are those of one region, `what` the fluid that it is or "thing". A network for
    clicks finds them where one is here, else what the bundled one sees; `network` says which.
    """
    settings = replace(settings_asked(job), size=CLICK_SIDE_PX)
    photo = working_photo(job.arguments["photo"], settings)
    seen = seen_in(job.arguments["photo"], settings)
    _, height, width = photo.rgb.shape
    places = [
        (min(int(x * width), width - 1), min(int(y * height), height - 1), bool(belongs))
        for x, y, belongs in job.arguments["clicks"]
    ]
    colour = np.ascontiguousarray(photo.rgb.permute(1, 2, 0).numpy())
    shares = tuple(Click(float(x), float(y), bool(b)) for x, y, b in job.arguments["clicks"])
    found = found_by_network(job.arguments["photo"], settings, shares)
    network, mask = found or (BUNDLED, grow_click(seen.fluid.numpy(), colour, places))
    outlines = outlines_of(mask)
    if not outlines:
        raise InputError("nothing was found under the click; click in the middle of a thing")
    content = {"regions": [{"hints": [], "mask": [[list(p) for p in one] for one in outlines]}]}
    sent = json.dumps({"content": content, "size": [height, width]}).encode()
    inside = seen.fluid[:, torch.from_numpy(mask)].mean(1)
    best = int(inside.argmax())
    what = FLUIDS[best] if float(inside[best]) > 0.5 else "thing"
    return {"what": what, "network": network}, {"drawing": np.frombuffer(sent, np.uint8)}


def prepare_click(job: JobInput) -> JobResult:
    """Look at the photo as its first click will; then that is answered at once."""
    settings = replace(settings_asked(job), size=CLICK_SIDE_PX)
    seen_in(job.arguments["photo"], settings)
    prepare_clicks(job.arguments["photo"], settings)
    return {}, {}


DIRECT_JOBS: dict[str, JobFunction] = {
    "live_motion": live_motion,
    "click_thing": click_thing,
    "prepare_click": prepare_click,
    "read_directions": read_directions_file,
    "write_directions": write_directions_file,
}
