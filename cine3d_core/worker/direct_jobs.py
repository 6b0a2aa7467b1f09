"""What the worker does while somebody directs a photo by hand: drawings in and out of files.

Drawings travel as `requests` says. Pictures travel as Blender keeps them, bottom row first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cine3d_core.files.atomic import replacing
from cine3d_core.files.drawing.drawing import read_drawing
from cine3d_core.files.drawing.hints import directions_content, scaled_directions
from cine3d_core.files.inputs import read_json
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.worker.requests import directed_by_hand, settings_asked, working_photo
from cine3d_core.worker.server import JobFunction, JobInput, JobResult

DECIMALS = 4  # of a pixel in files


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


DIRECT_JOBS: dict[str, JobFunction] = {
    "read_directions": read_directions_file,
    "write_directions": write_directions_file,
}
