"""A contact sheet of fluid masks: photograph, what a person outlined, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

ClassMap = NDArray[np.uint8]  # [H, W] index into files.fluid_polygons.LABELS
Picture = NDArray[np.uint8]  # [H, W, 3] RGB

TILE_WIDTH = 300
CAPTION = 18  # px
TINTS = ((0, 0, 0), (40, 150, 255), (0, 230, 120), (255, 60, 220))  # still, sky, water, smoke
SHARE = 0.5  # of the tint


@dataclass(frozen=True)
class SheetRow:
    """One photograph of a sheet."""

    caption: str
    rgb: Tensor  # [3, H, W]
    truth: ClassMap
    found: ClassMap


def tinted(picture: Picture, classes: ClassMap) -> Picture:
    """The picture with what flows in the colour of its class."""
    tint = np.array(TINTS, np.float32)[classes]
    mixed = np.where(classes[..., None] > 0, (1 - SHARE) * picture + SHARE * tint, picture)
    return np.round(mixed).astype(np.uint8)


def draw_sheet(rows: Sequence[SheetRow]) -> Picture:
    """Two photographs side by side in each line of the sheet, each three times."""
    tiles = [_tile(row) for row in rows]
    height = max((tile.shape[0] for tile in tiles), default=0)
    tiles = [_padded(tile, height) for tile in tiles]
    if len(tiles) % 2:
        tiles.append(np.zeros_like(tiles[0]))
    lines = [np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)]
    return np.vstack(lines)


def _tile(row: SheetRow) -> Picture:
    height, width = row.truth.shape
    # upright photographs are shown as high as the others
    scale = min(TILE_WIDTH / width, 0.75 * TILE_WIDTH / height)
    size = (round(width * scale), round(height * scale))
    photo = (row.rgb.cpu().permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown = [small]
    for classes in (row.truth, row.found):
        labels = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST)
        shown.append(tinted(small, np.asarray(labels, np.uint8)))
    line = np.hstack([_padded(picture, size[1], TILE_WIDTH) for picture in shown])
    caption = np.zeros((CAPTION, line.shape[1], 3), np.uint8)
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
    cv2.putText(caption, row.caption, (4, 13), font, 0.4, white, 1, cv2.LINE_AA)
    return np.vstack([line, caption])


def _padded(picture: Picture, height: int, width: int | None = None) -> Picture:
    canvas = np.zeros((height, width or picture.shape[1], 3), np.uint8)
    canvas[: picture.shape[0], : picture.shape[1]] = picture
    return canvas
