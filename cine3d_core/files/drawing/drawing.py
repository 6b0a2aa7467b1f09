"""What a person drew, from the files that were named: a JSON file of hints, a mask picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.hints import moved_into, read_directions
from cine3d_core.files.pictures.maps import read_mask
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.scene import Drawing


def read_drawing(hints: Path | None, mask: Path | None, photo: Photo) -> Drawing:
    """The drawing in the photo's working pixels; a painted mask stands in for outlines.

    Raises:
        InputError: a file that cannot be used, or outlines that enclose no pixel.
    """
    cut, inner = photo.cut, photo.rgb.shape[1:]
    height, width = inner[0] + cut.top + cut.bottom, inner[1] + cut.left + cut.right
    original = (photo.original_height, photo.original_width)
    drawing = Drawing()
    if hints is not None:
        drawing = read_directions(hints, height=height, width=width, original_size=original)
        drawing = _without_cut(drawing, photo)
    if mask is not None:
        painted = read_mask(mask, height=height, width=width, original_size=original)
        return replace(drawing, mask=_inner(painted, photo))
    if not drawing.polygons:
        return drawing
    outlined = rasterize_polygons(drawing.polygons, *inner)
    if not bool(outlined.any()):
        raise InputError(
            f"the outlines in {hints} enclose no pixel of the photo at {inner[1]}x{inner[0]}",
            "draw them larger",
            "raise {size}",
        )
    return replace(drawing, mask=outlined)


def _without_cut(drawing: Drawing, photo: Photo) -> Drawing:
    """What was drawn on the whole picture, on what is left of it."""
    if not photo.cut:
        return drawing
    height, width = photo.rgb.shape[1:]
    moved = moved_into(drawing, photo.cut.left, photo.cut.top, (height, width))
    regions = (
        region if region.picture is None else replace(region, picture=_inner(region.picture, photo))
        for region in moved.regions
    )
    return replace(moved, regions=tuple(regions))


def _inner(mask: Tensor, photo: Photo) -> Tensor:
    """The part of a mask [1, H, W] of the whole picture that is left: [1, h, w]."""
    height, width = photo.rgb.shape[1:]
    top, left = photo.cut.top, photo.cut.left
    return mask[:, top : top + height, left : left + width]
