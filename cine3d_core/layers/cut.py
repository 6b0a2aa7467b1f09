"""Cut a photo by depth into layers (paper, section 3.1, made independent of the resolution).

The published code clusters the disparities of every 10th pixel with Ward's agglomerative rule and a
fixed distance threshold. That rule's distance grows with the number of samples, so the number of
layers depends on the resolution, and its greedy merging falls over ties on smooth slopes. Here the
same criterion (squared distance within clusters, Ward distance between them) is minimised exactly,
which in one dimension a short dynamic programme does in milliseconds, on a fixed number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cine3d_core.scene import LayeredDepthImage

# A 1280x720 photo has 9216 samples in the published code; its threshold is meant for that number.
_OFFICIAL_SAMPLES = 9216


@dataclass(frozen=True)
class LayeringParams:
    """How a photo is cut into layers."""

    samples: int = 512  # quantiles of the disparity distribution that are clustered
    ward_distance: float = 5.0  # neighbouring layers are at least this far apart (9216 samples)
    max_layers: int = 5  # more cuts than this only cost time
    min_share: float = 0.005  # of the picture, for every layer


def disparity_cuts(
    disparity: Tensor,  # [1, H, W] > 0
    params: LayeringParams,
) -> Tensor:
    """Disparities that separate the layers: [L-1], descending (near to far)."""
    values = disparity.reshape(-1).cpu().double().numpy()
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * high:
        return disparity.new_empty(0)
    positions = (np.arange(params.samples) + 0.5) / params.samples
    samples = (np.quantile(values, positions) - low) / (high - low)
    starts = _cluster_starts(samples, params)
    # Halfway between the samples either side of a cut.
    cuts = (samples[starts - 1] + samples[starts]) / 2 * (high - low) + low
    return torch.from_numpy(cuts[::-1].copy()).to(disparity)


def layer_index(
    disparity: Tensor,  # [1, H, W]
    cuts: Tensor,  # [L-1] descending
) -> Tensor:
    """Layer of every pixel, 0 = nearest: [1, H, W] int64."""
    return (disparity[..., None] < cuts).sum(dim=-1)


def build_layers(
    rgb: Tensor,  # [3, H, W]
    depth: Tensor,  # [1, H, W]
    params: LayeringParams,
) -> LayeredDepthImage:
    """Every pixel of the photo in exactly one layer, nearest first; nothing inpainted yet."""
    index = layer_index(1.0 / depth, disparity_cuts(1.0 / depth, params))
    present = torch.unique(index)  # sorted; a cut may leave a layer empty after rounding
    own = torch.stack([index == layer for layer in present])  # [L, 1, H, W]
    rgba = torch.cat([rgb * own, own.to(rgb)], dim=1)
    return LayeredDepthImage(rgba=rgba, depth=depth * own, inpainted=torch.zeros_like(own))


def _cluster_starts(samples: np.ndarray, params: LayeringParams) -> np.ndarray:
    """First sample of every cluster but the first, for sorted samples in [0, 1]: [L-1] int."""
    starts = np.empty(0, dtype=np.int64)
    for candidate in _optimal_partitions(samples, params)[1:]:
        if _smallest_ward_distance(samples, candidate) < params.ward_distance:
            break
        starts = candidate
    return starts


def _optimal_partitions(samples: np.ndarray, params: LayeringParams) -> list[np.ndarray]:
    """For 1, 2, ... clusters the cluster starts with the least squared distance within clusters."""
    count = len(samples)
    sums = np.concatenate([[0.0], np.cumsum(samples)])
    squares = np.concatenate([[0.0], np.cumsum(samples**2)])
    size = np.arange(count + 1)[None, :] - np.arange(count + 1)[:, None]
    # cost[i, j]: squared distance to the mean of samples i .. j-1; clusters below min_share barred.
    total = sums[None, :] - sums[:, None]
    cost = squares[None, :] - squares[:, None] - total**2 / np.maximum(size, 1)
    cost[size < max(1, round(params.min_share * count))] = np.inf

    best = cost[0]
    came_from: list[np.ndarray] = []
    partitions = [np.empty(0, dtype=np.int64)]
    for _ in range(1, params.max_layers):
        through = best[:, None] + cost
        came_from.append(through.argmin(axis=0))
        best = through.min(axis=0)
        if not np.isfinite(best[count]):
            break
        starts, end = [], count
        for table in reversed(came_from):
            end = int(table[end])
            starts.append(end)
        partitions.append(np.array(starts[::-1], dtype=np.int64))
    return partitions


def _smallest_ward_distance(samples: np.ndarray, starts: np.ndarray) -> float:
    """Least Ward distance between neighbouring clusters, as if there were 9216 samples."""
    clusters = np.split(samples, starts)
    scale = _OFFICIAL_SAMPLES / len(samples)
    distances = []
    for near, far in zip(clusters[:-1], clusters[1:], strict=True):
        harmonic = 2 * len(near) * len(far) / (len(near) + len(far)) * scale
        distances.append(harmonic**0.5 * abs(float(far.mean() - near.mean())))
    return min(distances)
