"""Smooth ground under what flows: the depth of moving regions without steps.

Estimated depth follows reflections and foam; where it steps, water tears when it flows on. A plane
has a disparity that is linear in the picture, so each moving region becomes one robustly fitted
plane plus what slowly departs from it (a fall's brink, a bend).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.plane import robust_plane
from cine3d_core.imaging.regions import connected_regions, each_region
from cine3d_core.scene import DepthMap

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SurfaceParams:
    """How freely the surface of a moving region may bend."""

    reach: float = 0.05  # share of the long side over which departures from the plane are averaged
    smallest: float = 2e-4  # share of the picture; smaller regions keep their depth


def smooth_surfaces(
    depth: DepthMap,
    moving: Tensor,  # [1, H, W] bool
    *,
    params: SurfaceParams | None = None,
) -> DepthMap:
    """The depth with every connected moving region on a smooth surface; sky stays as it is."""
    params = params or SurfaceParams()
    disparity = (1 / depth.depth[0]).cpu().numpy().astype(np.float64)
    sky = depth.sky[0].cpu().numpy()
    out = depth.depth[0].cpu().numpy().copy()
    count, label = connected_regions(moving[0].cpu().numpy())
    for _, window, region in each_region(count, label):
        water = region & (sky[window] <= 0.5)
        if water.sum() >= params.smallest * label.size:
            reach_px = params.reach * max(label.shape)
            out[window][water] = 1 / _surface(disparity[window], water, reach_px)[water]
    return DepthMap(torch.from_numpy(out)[None].to(depth.depth), depth.sky)


def _surface(disparity: Array, water: Mask, reach_px: float) -> Array:  # [h, w] disparity
    """Robust plane and the slow part of the departures from it."""
    y, x = np.mgrid[: water.shape[0], : water.shape[1]]
    ground = np.stack([x, y, np.ones_like(x)], -1).astype(np.float64)
    plane, spread = robust_plane(ground[water], disparity[water])
    flat = ground @ plane
    departure = disparity - flat
    weight = water / (1 + (departure / spread) ** 2)
    surface = flat + _weighted_mean(departure, weight, reach_px)
    # a tilted plane may pass the horizon: never farther than the region was seen to be
    return np.maximum(surface, disparity[water].min())


def _weighted_mean(values: Array, weight: Array, reach_px: float) -> Array:
    """Gaussian average of [h, w] values, computed small: it is smooth."""
    height, width = values.shape
    shrink = max(1.0, reach_px / 4)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    pair = np.dstack([values * weight, weight]).astype(np.float32)
    small = cv2.resize(pair, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), reach_px / shrink, borderType=cv2.BORDER_REFLECT_101)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return large[..., 0] / np.maximum(large[..., 1], 1e-6)
