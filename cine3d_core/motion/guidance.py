"""What the motion network reads: photo, mask, spread arrows and the analytic flow, in own units.

Arrows are spread by Gaussians as in the published code (reference, section 1.2), for each region
from its own arrows. Speeds are divided by the mean speed of the region's arrows, so that the
network knows no frame rate; without arrows the unit is a convention (`PRIOR_SPEED`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.regions import connected_regions
from cine3d_core.networks.motion import (
    BASE,
    BEHIND,
    CHANNELS,
    HINT,
    LOWER,
    MASK,
    NEAR_ARROW,
    NEARER,
    NEARNESS,
    RGB,
)
from cine3d_core.scene import DepthMap

PRIOR_SPEED = 1e-3  # px/frame per px of the long side
LEAST_NEARNESS = 0.05  # keeps the logarithm finite at the horizon
ARROW_SPOT = 0.05  # radius of the spot that marks an arrow's foot, share of the long side

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Arrows:
    """Arrows on a grid."""

    feet: NDArray[np.float64]  # [A, 2] x, y in pixels
    vectors: NDArray[np.float64]  # [A, 2] px/frame

    def mirrored(self, width: int) -> Arrows:
        """The same on the mirrored picture."""
        return Arrows(self.feet * (-1, 1) + (width, 0), self.vectors * (-1, 1))


@dataclass(frozen=True)
class Guidance:
    """Input of the motion network."""

    planes: Tensor  # [13, h, w]
    unit: Tensor  # [1, h, w] px/frame of this grid that a network's 1 means; > 0


@dataclass(frozen=True)
class View:
    """What is known of a photo, at the network's size."""

    rgb: Tensor  # [3, h, w]
    mask: Tensor  # [1, h, w] bool, what moves
    behind: Tensor  # [1, h, w] bool, sky: drifts on behind what stands before it
    nearness: Tensor  # [1, h, w] in [0, 1]; zeros when unknown


def nearness_of(depth: DepthMap) -> Tensor:  # [1, H, W] in [0, 1]
    """Disparity between its 1st and 99th percentile."""
    return stretched(1 / depth.depth)


def stretched(disparity: Tensor) -> Tensor:  # [1, H, W] -> [1, H, W] in [0, 1]
    """Disparity of any scale between its 1st and 99th percentile."""
    low, high = np.percentile(disparity.cpu().numpy(), [1, 99])
    return ((disparity.cpu() - low) / max(float(high - low), 1e-9)).clamp(0, 1).float()


def make_guidance(view: View, arrows: Arrows, base: Tensor | None) -> Guidance:
    """Puts the network's input together.

    Args:
        view: the photo.
        arrows: with feet inside the picture; may be empty.
        base: [2, h, w] analytic flow of the same arrows, px/frame; None without arrows.
    """
    height, width = view.mask.shape[1:]
    planes = torch.zeros(CHANNELS, height, width)
    planes[RGB] = view.rgb * 2 - 1
    planes[MASK] = view.mask.float()
    planes[BEHIND] = view.behind.float()
    planes[NEARNESS] = view.nearness
    y = (torch.arange(height) + 0.5)[:, None] / max(height, width)
    planes[LOWER] = y - 0.5 * height / max(height, width)
    unit = torch.full((1, height, width), PRIOR_SPEED * max(height, width))
    if len(arrows.feet) > 0:
        assert base is not None
        spread = _spread(view, arrows)
        unit = spread.unit
        planes[HINT] = spread.hint / unit * planes[MASK]
        planes[NEAR_ARROW] = _spots(height, width, arrows)
        planes[BASE] = base / unit * planes[MASK]
        planes[LOWER] = y - spread.row / max(height, width)
        nearer = (view.nearness + LEAST_NEARNESS) / (spread.nearness + LEAST_NEARNESS)
        planes[NEARER] = nearer.log()
    return Guidance(planes, unit)


def mirrored(planes: Tensor) -> Tensor:  # [13, h, w]
    """The guidance of the mirrored picture."""
    flipped = planes.flip(-1)
    for vectors in (HINT, BASE):
        flipped[vectors.start] *= -1
    return flipped


def region_labels(mask: NDArray[np.bool_], behind: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Connected regions of what moves, sky apart from the rest; 0 is outside. [h, w]."""
    hidden, label = connected_regions(mask & behind)
    _, rest = connected_regions(mask & ~behind)
    return np.where(rest > 0, rest + hidden - 1, label).astype(np.int32)


@dataclass(frozen=True)
class _Spread:
    """What the arrows of its region say at every pixel."""

    hint: Tensor  # [2, h, w] px/frame
    unit: Tensor  # [1, h, w] mean speed, px/frame
    row: Tensor  # [1, h, w] mean y of the feet
    nearness: Tensor  # [1, h, w] mean nearness at the feet


def _spread(view: View, arrows: Arrows) -> _Spread:
    """Arrows of each region over the region; regions without arrows hear all."""
    mask, near = view.mask[0].cpu().numpy(), view.nearness[0].cpu().numpy()
    label = region_labels(mask, view.behind[0].cpu().numpy())
    x, y = np.clip(arrows.feet.astype(int), 0, [label.shape[1] - 1, label.shape[0] - 1]).T
    home = label[y, x]
    planes = np.zeros((5, *label.shape), np.float32)
    for number in (-1, *np.unique(home[home > 0])):
        used = np.ones(len(home), bool) if number < 0 else home == number
        region = np.ones(label.shape, bool) if number < 0 else label == number
        planes[:2, region] = _gaussians(label.shape, arrows, used)[:, region]
        speed = max(float(np.linalg.norm(arrows.vectors[used], axis=1).mean()), 1e-9)
        about = speed, arrows.feet[used, 1].mean(), near[y[used], x[used]].mean()
        planes[2:, region] = np.array(about, np.float32)[:, None]
    return _Spread(*torch.from_numpy(planes).split((2, 1, 1, 1)))


def _gaussians(
    shape: tuple[int, ...], arrows: Arrows, used: NDArray[np.bool_]
) -> Array:  # [2, h, w] px/frame
    """Mean of the arrows by Gaussian weights, radius the middle of the published range."""
    height, width = shape
    radius = 1.25 * height / int(used.sum())
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    squared = [((x - u) ** 2 + (y - v) ** 2) / radius**2 for u, v in arrows.feet[used]]
    # relative to the nearest, so that nothing underflows far from every arrow
    weights = np.exp(np.min(squared, axis=0) - squared)
    weights /= weights.sum(0)
    return np.einsum("ahw,ac->chw", weights, arrows.vectors[used]).astype(np.float32)


def _spots(height: int, width: int, arrows: Arrows) -> Tensor:  # [1, h, w] in [0, 1]
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    radius = ARROW_SPOT * max(height, width)
    spots = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / radius**2) for u, v in arrows.feet]
    return torch.from_numpy(np.max(spots, axis=0).astype(np.float32))[None]
