"""What a person drew, from the files that were named: a JSON file of hints, a mask picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.hints import read_directions
from cine3d_core.files.pictures.maps import read_mask
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.scene import Drawing


def read_drawing(hints: Path | None, mask: Path | None, photo: Photo) -> Drawing:
    """The drawing in the photo's working pixels; a painted mask stands in for outlines.

    Raises:
        InputError: a file that cannot be used, or outlines that enclose no pixel.
    """
    height, width = photo.rgb.shape[1:]
    original = (photo.original_height, photo.original_width)
    drawing = Drawing()
    if hints is not None:
        drawing = read_directions(hints, height=height, width=width, original_size=original)
    if mask is not None:
        painted = read_mask(mask, height=height, width=width, original_size=original)
        return replace(drawing, mask=painted)
    if not drawing.polygons:
        return drawing
    outlined = rasterize_polygons(drawing.polygons, height, width)
    if not bool(outlined.any()):
        raise InputError(
            f"the outlines in {hints} enclose no pixel of the photo at {width}x{height}",
            "draw them larger",
            "raise {size}",
        )
    return replace(drawing, mask=outlined)
