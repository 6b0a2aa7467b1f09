"""Outlines become masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def rasterize_polygons(
    polygons: Sequence[Sequence[tuple[float, float]]], height: int, width: int
) -> Tensor:  # [1, H, W] bool
    """Union of closed outlines; a pixel belongs to one when its centre lies inside.

    Raises:
        InputError: an outline of fewer than three points.
    """
    union = np.zeros((height, width), bool)
    for polygon in polygons:
        if len(polygon) < 3:
            raise InputError(
                f"an outline of the mask has {len(polygon)} points and encloses nothing; "
                "draw at least three"
            )
        union |= _inside_polygon(np.array(polygon, np.float64), height, width)
    return torch.from_numpy(union)[None]


def _inside_polygon(corners: Array, height: int, width: int) -> Mask:  # [P, 2] -> [H, W]
    """Even-odd rule: a pixel is inside when an odd number of edges cross its row to its left."""
    crossed = np.zeros((height, width + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        first, last = np.clip(np.ceil([min(y0, y1) - 0.5, max(y0, y1) - 0.5]), 0, height)
        rows = np.arange(int(first), int(last))
        if len(rows) > 0:
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossed[rows, np.clip(np.ceil(x - 0.5), 0, width).astype(int)] += 1
    return (crossed.cumsum(1) % 2 == 1)[:, :width]
