"""Straight edges stay straight: disparity along every straight line of the photo made linear.

A straight edge of a thing has a disparity that is linear along its picture. Where an estimate
departs from that a little, the line bends as soon as the camera moves. So along both sides of each
line found, a robust linear course is fitted; what the estimate departs from it by is spread to
pixels nearby of about the same disparity, as a bilateral grid does it (Chen, Paris and Durand,
"Real-time edge-aware image processing with the bilateral grid", SIGGRAPH 2007).

Lengths are shares of the long side; disparity is "disparity01", see `refine`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.vanishing import find_lines

Array = NDArray[Any]

STRIP = 64  # rows whose corrections are read from the grid at a time


@dataclass(frozen=True)
class StraightParams:
    """Which lines count, and how far what they say reaches.

    Chosen on `tests/core/imaging/made_up_places.py`, seeds 0 to 11, and on the `check` photographs.
    """

    shortest: float = 0.1  # lines
    beside: tuple[float, ...] = (0.0016, 0.004, 0.008)  # how far from the line it is looked
    like: float = 0.08  # disparity01: what departs by more is another thing
    flush: float = 0.02  # disparity01: so much the strips of one side may differ
    steady: float = 0.75  # share of a side that must belong to one thing
    rounds: int = 3  # lines cross
    cell: float = 0.008  # of the grid
    levels: int = 24  # of the grid, over all disparity
    reach_cells: float = 1.6
    hold: float = 0.015  # weight with which a pixel stays, against lines that pass through its cell


@dataclass(frozen=True)
class _Departure:
    """By what pixels beside a line miss its linear course."""

    points: Array  # [n, 2] px
    missing: Array  # [n] disparity01


def straighten(
    disparity: Tensor,  # [1, H, W] disparity01
    rgb: Tensor,  # [3, H, W] sRGB in [0, 1]
    *,
    params: StraightParams | None = None,
) -> Tensor:  # [1, H, W]
    """The disparity with a linear course along straight lines; unchanged where there are none."""
    params = params or StraightParams()
    values = disparity[0].cpu().numpy()
    height, width = values.shape
    long_side = max(height, width)
    lines = find_lines(rgb.permute(1, 2, 0).cpu().numpy())
    long = lines.length >= params.shortest
    middle = np.array([width, height]) / 2 - 0.5
    ends = np.stack([lines.start[long], lines.end[long]], 1) * long_side + middle
    for _ in range(params.rounds):
        sides = [_departure(values, line, side, params) for line in ends for side in (-1, 1)]
        known = [side for side in sides if side is not None]
        if not known:
            break
        points = np.concatenate([side.points for side in known])
        missing = np.concatenate([side.missing for side in known])
        values = np.clip(values + _spread(values, points, missing, params), 0, 1)
    return torch.from_numpy(values.astype(np.float32))[None].to(disparity)


def _departure(
    values: Array,  # [H, W]
    line: Array,  # [2, 2] its ends, px
    side: int,  # -1 or 1
    params: StraightParams,
) -> _Departure | None:
    """What one side of a line departs by; None where no one thing lies along it."""
    long_side, (start, end) = max(values.shape), line
    length = float(np.linalg.norm(end - start))
    way = (end - start) / length
    normal = np.array([-way[1], way[0]]) * side
    along = np.linspace(0, 1, max(12, int(length)))
    middle = start + (end - start) * along[:, None]
    strips = np.stack([middle + normal * (away * long_side) for away in params.beside])
    places = strips.astype(np.float32)
    seen = cv2.remap(values, places[..., 0], places[..., 1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    usual = np.median(seen, axis=0).astype(np.float64)
    missing = _robust_course(along, usual) - usual
    like = np.abs(missing) < params.like
    if like.mean() < params.steady:
        return None
    # what stands out from the side, as a wire does that is thinner, goes its own way
    one = like & (np.abs(seen - usual) < params.flush)
    return _Departure(strips[one], np.broadcast_to(missing, seen.shape)[one])


def _robust_course(along: Array, seen: Array) -> Array:  # [n], [n] -> [n]
    """The straight line through most of the values, by reweighted least squares."""
    ground = np.stack([along, np.ones_like(along)], 1)
    root, course = np.ones_like(along), seen
    for _ in range(12):
        factors = np.linalg.lstsq(ground * root[:, None], seen * root, rcond=None)[0]
        course = ground @ factors
        departure = seen - course
        spread = max(1.5 * float(np.median(np.abs(departure))), 2e-3)
        root = 1 / np.sqrt(1 + (departure / spread) ** 2)
    return course


def _spread(values: Array, points: Array, missing: Array, params: StraightParams) -> Array:
    """Corrections [H, W] from those at some points: near them, and of their disparity."""
    height, width = values.shape
    cell = max(2.0, params.cell * max(height, width))
    shape = (params.levels, int(height / cell) + 2, int(width / cell) + 2)
    column, row = (
        np.clip(np.round(points[:, axis]), 0, size - 1).astype(int)
        for axis, size in ((0, width), (1, height))
    )
    level = np.round(values[row, column] * (params.levels - 1)).astype(int)
    place = (np.round(points[:, 1] / cell), np.round(points[:, 0] / cell))
    place = [np.clip(p, 0, size - 1).astype(int) for p, size in zip(place, shape[1:], strict=True)]
    flat = np.ravel_multi_index((level, *place), shape)
    full = cell * len(params.beside)  # samples of a line that crosses a cell
    total, weight = (
        _blurred(np.bincount(flat, amounts, np.prod(shape)).reshape(shape) / full, params)
        for amounts in (missing, None)
    )
    grid = torch.from_numpy(total / (weight + params.hold))[None, None]
    found = np.empty_like(values)
    for first in range(0, height, STRIP):  # coordinates of all pixels at once take much memory
        rows = slice(first, min(first + STRIP, height))
        y, x = np.mgrid[rows, :width].astype(np.float32) / np.float32(cell)
        at = (x, y, values[rows] * (params.levels - 1))
        sizes = (shape[2], shape[1], shape[0])
        share = [2 * plane / (size - 1) - 1 for plane, size in zip(at, sizes, strict=True)]
        where = torch.from_numpy(np.stack(share, -1).astype(np.float32))[None, None]
        seen = F.grid_sample(grid, where, align_corners=True, padding_mode="border")
        found[rows] = seen[0, 0, 0].numpy()
    return found.clip(-params.like, params.like)


def _blurred(grid: Array, params: StraightParams) -> Array:  # [L, h, w] -> the same, float32
    soft = np.stack([
        cv2.GaussianBlur(plane, (0, 0), params.reach_cells, borderType=cv2.BORDER_CONSTANT)
        for plane in grid.astype(np.float32)
    ])  # fmt: skip
    padded = np.pad(soft, ((1, 1), (0, 0), (0, 0)))
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
