"""Outlines of what flows in photographs: labelme files with the labels sky, water, smoke, still."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import read_json

LABELS = ("still", "sky", "water", "smoke")

ClassMap = NDArray[np.uint8]  # [H, W] index into LABELS


@dataclass(frozen=True)
class FluidOutlines:
    """What a person drew on one photograph."""

    name: str
    file: str  # name of the photograph's file
    sha256: str  # of that file
    credit: str  # author and licence
    split: str  # "train" or "test"
    height: int  # of the photograph, pixels
    width: int
    shapes: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]  # label, x and y in pixels


def read_outlines(path: Path) -> FluidOutlines:
    """The outlines in one file.

    Raises:
        InputError: a field is missing, or a label is none of `LABELS`.
    """
    content = read_json(path, "fluid outlines")
    try:
        outlines = FluidOutlines(
            name=path.stem,
            file=str(content["imagePath"]),
            sha256=str(content["photo"]["sha256"]),
            credit=f"{content['photo']['author']}, {content['photo']['licence']}",
            split=str(content["split"]),
            height=int(content["imageHeight"]),
            width=int(content["imageWidth"]),
            shapes=tuple(_shape(shape) for shape in content["shapes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the fluid outlines {path} cannot be read ({error!r}); they need imagePath, "
            "imageHeight, imageWidth, split, photo.sha256 and polygons in shapes"
        ) from error
    unknown = {label for label, _ in outlines.shapes} - set(LABELS)
    if unknown:
        raise InputError(
            f"the fluid outlines {path} have the labels {', '.join(sorted(unknown))}; "
            f"use {', '.join(LABELS)}"
        )
    return outlines


def _shape(shape: dict[str, Any]) -> tuple[str, tuple[tuple[float, float], ...]]:
    return str(shape["label"]), tuple((float(x), float(y)) for x, y in shape["points"])


def paint_classes(outlines: FluidOutlines, height: int, width: int) -> ClassMap:  # [height, width]
    """The classes at any size; shapes in their order, later ones over earlier ones."""
    classes = np.zeros((height, width), np.uint8)
    scale = np.array([width / outlines.width, height / outlines.height])
    for label, points in outlines.shapes:
        # 4 fractional bits; pixel centres of the drawing are at +0.5, cv2's at whole numbers
        corners = np.round((np.array(points) * scale - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(classes, [corners[:, None]], LABELS.index(label), shift=4)
    return classes
