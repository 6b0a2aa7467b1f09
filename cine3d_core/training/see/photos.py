"""Photographs with notes made by looking, as the see network learns from them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.files.drawing.fluid_polygons import (
    LABELS,
    FluidOutlines,
    paint_classes,
    read_outlines,
)
from cine3d_core.networks.see import CLASSES

LONG_SIDE = 640  # pixels of a stored photograph
STILL_OR_SKY, NOT_SKY, UNKNOWN = 253, 254, 255  # beside the indices of CLASSES
EDGE = 0.004  # of the long side: so near an outline the class is not sure

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NotedPhoto:
    """One photograph with all that was noted of it; points are in pixels of `rgb`."""

    name: str
    content: str  # fluid, sky or none
    rgb: NDArray[np.uint8]  # [H, W, 3] sRGB
    classes: NDArray[np.uint8]  # [H, W] index into CLASSES, or one of the codes above
    disparity: NDArray[np.float16] | None  # [H, W] a label maker's, scale and shift free
    levels: Floats  # [N, 3] x, y, nearness with 100 the nearest thing
    order: Floats  # [N, 4] x, y of the nearer place, x, y of the farther one
    same: Floats  # [N, 4] two places of one thing
    arrows: Floats  # [N, 4] x, y of the foot, x and y of a unit vector


def read_photos(folder: Path, *, split: str, labels: Path | None = None) -> list[NotedPhoto]:
    """Photographs of a split, by name.

    Args:
        folder: holds `photos.csv`, `images`, `notes` and `levels`.
        split: as in `photos.csv`.
        labels: holds NAME.npy [H, W], disparity of a label maker; None where there is none.

    Raises:
        InputError: a photograph cannot be read.
    """
    with open(folder / "photos.csv", encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    return [_read(folder, row, labels) for row in rows]


def _read(folder: Path, row: dict[str, str], labels: Path | None) -> NotedPhoto:
    name = row["name"]
    bgr, size = _picture(folder / "images" / f"{name}.jpg")
    noted = folder / "notes" / f"{name}.json"
    notes = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    levels = json.loads((folder / "levels" / f"{name}.json").read_text(encoding="utf-8"))
    return NotedPhoto(
        name=name,
        content=row["content"],
        rgb=np.ascontiguousarray(bgr[:, :, ::-1], np.uint8),
        classes=class_map(notes if noted.exists() else None, row["content"], size),
        disparity=_disparity(labels, name, size),
        levels=_points([[*p, v] for p, v in zip(levels["points"], levels["levels"], strict=True)],
                       size, places=1, width=3),
        order=_points([[*p["near"], *p["far"]] for p in notes.get("order", [])], size),
        same=_points([[*p["a"], *p["b"]] for p in notes.get("same", [])], size),
        arrows=_arrows(notes.get("flow", []), size),
    )  # fmt: skip


def read_outlined(folder: Path, outlines: Path, *, labels: Path | None = None) -> list[NotedPhoto]:
    """Photographs of which only what flows is outlined, those of the split `train`, by name.

    Args:
        folder: holds the photographs.
        outlines: labelme files, as `read_outlines` reads them.
        labels: as for `read_photos`.

    Raises:
        InputError: a photograph or its outlines cannot be read.
    """
    found = (read_outlines(path) for path in sorted(outlines.glob("*.json")))
    return [_outlined(folder, drawn, labels) for drawn in found if drawn.split == "train"]


def _outlined(folder: Path, drawn: FluidOutlines, labels: Path | None) -> NotedPhoto:
    bgr, size = _picture(folder / drawn.file)
    painted = paint_classes(drawn, size[1], size[0])
    ours = np.array([CLASSES.index(label) for label in LABELS], np.uint8)
    near = cv2.morphologyEx(painted, cv2.MORPH_GRADIENT, _disc(size)) > 0
    nothing = np.zeros((0, 4), np.float32)
    return NotedPhoto(
        name=drawn.name,
        content="outlined",
        rgb=np.ascontiguousarray(bgr[:, :, ::-1], np.uint8),
        classes=np.where(near, UNKNOWN, ours[painted]).astype(np.uint8),
        disparity=_disparity(labels, drawn.name, size),
        levels=np.zeros((0, 3), np.float32),
        order=nothing,
        same=nothing,
        arrows=nothing,
    )


def _picture(path: Path) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A photograph [H, W, 3] BGR of `LONG_SIDE`, and its width and height."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{path.name} is not in {path.parent}; get the photographs first")
    scale = LONG_SIDE / max(bgr.shape[:2])
    size = (round(bgr.shape[1] * scale), round(bgr.shape[0] * scale))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8), size


def _disparity(labels: Path | None, name: str, size: tuple[int, int]) -> NDArray[np.float16] | None:
    if labels is None or not (labels / f"{name}.npy").exists():
        return None
    stored = np.load(labels / f"{name}.npy").astype(np.float32)
    return cv2.resize(stored, size, interpolation=cv2.INTER_LINEAR).astype(np.float16)


def _disc(size: tuple[int, int]) -> NDArray[np.uint8]:
    reach = max(1, round(EDGE * max(size)))
    return np.ones((2 * reach + 1,) * 2, np.uint8)


def _points(
    rows: Sequence[Sequence[float]], size: tuple[int, int], *, places: int = 2, width: int = 4
) -> Floats:
    """Rows whose first 2 `places` columns are permille of width and height, in pixels."""
    table = np.array(rows, np.float32).reshape(-1, width)
    table[:, : 2 * places] *= np.array([*size] * places, np.float32) / 1000
    return table


def _arrows(flow: Sequence[dict[str, Any]], size: tuple[int, int]) -> Floats:
    table = _points([[*a["start"], *a["end"]] for a in flow], size)
    way = table[:, 2:] - table[:, :2]
    length = np.linalg.norm(way, axis=1, keepdims=True)
    table[:, 2:] = way / np.maximum(length, 1e-6)
    return table[length[:, 0] > 0]


def class_map(
    notes: dict[str, Any] | None,
    content: str,  # fluid, sky or none
    size: tuple[int, int],  # width, height
) -> NDArray[np.uint8]:  # [H, W]
    """Class of every pixel; near an outline, and outside of all outlines, what is known of it."""
    width, height = size
    if notes is None:
        return np.full((height, width), STILL_OR_SKY if content == "sky" else 0, np.uint8)
    classes = np.zeros((height, width), np.uint8)
    edges = np.zeros((height, width), np.uint8)
    drawn = [(r["polygon"], CLASSES.index(r["class"]))
             for r in notes["regions"] if r["class"] in CLASSES]  # fmt: skip
    drawn += [(r["polygon"], 0) for r in notes["rests"]]
    for polygon, kind in drawn:
        corners = np.round(np.array(polygon) * [(width - 1) / 1000, (height - 1) / 1000])
        cv2.fillPoly(classes, [corners.astype(np.int32)], kind)
        cv2.polylines(edges, [corners.astype(np.int32)], True, 1, 1)
    reach = max(1, round(EDGE * max(size)))
    near = cv2.dilate(edges, _disc(size)) > 0
    # the picture's own border is no outline
    inner = np.zeros_like(near)
    inner[reach + 1 : -reach - 1, reach + 1 : -reach - 1] = True
    near &= inner
    return np.where(near, UNKNOWN, classes).astype(np.uint8)
