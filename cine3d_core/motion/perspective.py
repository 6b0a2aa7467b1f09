"""How much slower what flows looks where it is farther away (own method).

On a receding plane what moves alike in space moves in the picture by its disparity. A plane's
disparity is linear in the picture, so it is fitted there; where the fit is poor or the plane hardly
recedes (a fall, a wall, a reflection's false depth), nothing is assumed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.regions import connected_regions, each_region

Array = NDArray[np.float64]

SMALLEST = 1e-3  # share of the picture that deserves a fit
GOOD_FIT = 0.6  # share of the disparity's variance that the plane explains
RECEDES = 1.4  # nearest over farthest disparity (5th and 95th percentile) of the plane
LIMITS = (0.3, 3.0)  # of the factor
FIT_POINTS = 20_000


def perspective_factor(
    disparity: Tensor,  # [1, H, W]
    moving: Tensor,  # [1, H, W] bool, without sky
    *,
    always: bool = False,  # also where the depth shows no receding plane clearly
) -> Tensor:  # [1, H, W] float64, of mean 1 in each connected region; 1 elsewhere
    """Factor of the speed by the distance, for each connected region separately."""
    values = disparity[0].cpu().numpy().astype(np.float64)
    factor = np.ones_like(values)
    count, label = connected_regions(moving[0].cpu().numpy())
    for _, window, region in each_region(count, label):
        if region.sum() >= SMALLEST * label.size:
            found = _plane_factor(values[window], region, always)
            factor[window][region] = found[region]
    return torch.from_numpy(factor)[None]


def _plane_factor(disparity: Array, region: NDArray[np.bool_], always: bool) -> Array:  # [h, w]
    y, x = np.nonzero(region)
    step = max(1, len(x) // FIT_POINTS)
    y, x = y[::step], x[::step]
    known = disparity[y, x]
    points = np.stack([x, y, np.ones_like(x)], 1).astype(np.float64)
    (a, b, c), *_ = np.linalg.lstsq(points, known, rcond=None)
    fitted = points @ (a, b, c)
    rows, columns = np.indices(region.shape)
    plane = np.clip((a * columns + b * rows + c) / fitted.mean(), *LIMITS)
    explained = 1 - ((known - fitted) ** 2).mean() / max(known.var(), 1e-12)
    low, high = np.percentile(fitted, [5, 95])
    recedes = high > RECEDES * max(low, 1e-9) and b > abs(a)  # ground: nearer further down
    return plane if always or (explained > GOOD_FIT and recedes) else np.ones_like(disparity)
