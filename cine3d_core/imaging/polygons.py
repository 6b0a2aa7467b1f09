"""Outlines become masks, and masks outlines."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 0.6  # by which an outline may miss the border of its mask


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


def outlines_of(
    mask: Mask,  # [H, W]
) -> list[list[tuple[float, float]]]:
    """Outlines of a mask's parts, largest first, to `TOLERANCE_PX`; a hole is cut in by a seam.

    Parts and holes of less than the square of four tolerances are left out.
    """
    # twice as large, the line through the middles of its border pixels runs nearer to the border
    double = mask.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, tree = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    least = 4 * (4 * TOLERANCE_PX) ** 2
    rings = [
        cv2.approxPolyDP(one, 2 * TOLERANCE_PX, True)[:, 0]
        if cv2.contourArea(one) >= least
        else None
        for one in found
    ]
    outer = [
        n
        for n, ring in enumerate(rings)
        if ring is not None and len(ring) > 2 and tree[0, n, 3] < 0
    ]
    outlines = []
    for number in sorted(outer, key=lambda n: -cv2.contourArea(found[n])):
        ring = np.asarray(rings[number], np.float64)
        for hole, holed in enumerate(rings):
            if holed is not None and len(holed) > 2 and tree[0, hole, 3] == number:
                ring = _with_hole(ring, holed.astype(np.float64))
        outlines.append([(float(x), float(y)) for x, y in (ring + 0.5) / 2])
    return outlines


def _with_hole(ring: Array, hole: Array) -> Array:  # [P, 2], [Q, 2] -> [P + Q + 2, 2]
    """One outline there and back along the shortest seam; even-odd, the seam encloses nothing."""
    gap = np.linalg.norm(ring[:, None] - hole[None], axis=-1)
    at, start = np.unravel_index(gap.argmin(), gap.shape)
    around = np.roll(hole, -int(start), axis=0)
    return np.concatenate([ring[: at + 1], around, around[:1], ring[at:]])
