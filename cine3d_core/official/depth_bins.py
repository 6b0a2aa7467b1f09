"""From quantised disparity to depth, and from depth to the intervals of the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

SAMPLE_EVERY = 10  # px
WARD_THRESHOLD = 5.0  # Ward distance: grows with the number of samples, so with the resolution
ALL_PAIRS_LIMIT = 12000  # samples, 1.2 megapixels: 580 MB of distances


def quantised_disparity(
    inverse_depth: Tensor,  # [H, W] up to scale and shift
) -> np.ndarray:  # [H, W] uint16
    """Disparity stretched to 0 ... 65535 and cut off to integers, as the authors store it."""
    low, high = inverse_depth.min(), inverse_depth.max()
    scaled = (inverse_depth - low) / (high - low).clamp(min=torch.finfo(low.dtype).eps)
    return (65535 * scaled).cpu().numpy().astype(np.uint16)


def depth_from_disparity(
    disparity: np.ndarray,  # [H, W] uint16
) -> Tensor:  # [1, 1, H, W] float32 >= 1
    """Depth after a 5x5 median; up to 1e6 where the disparity is 0."""
    from scipy import ndimage  # costs a second of start-up

    smooth = ndimage.median_filter(disparity / 65535, size=5)
    return torch.from_numpy(1 / np.maximum(smooth, 1e-6)).float()[None, None]


def depth_bins(
    depth: Tensor,  # [1, 1, H, W] > 0
    *,
    all_pairs_limit: int = ALL_PAIRS_LIMIT,  # samples from which neighbours alone are looked at
) -> list[float]:  # L + 1 edges, near to far
    """Edges of the layers' depth intervals: clusters of disparity (Ward linkage, paper 3.1)."""
    disparity = 1 / depth[0, 0]  # float32: its rounding decides between equal Ward distances
    low, high = disparity.min(), disparity.max()
    samples = disparity[::SAMPLE_EVERY, ::SAMPLE_EVERY].flatten()
    stretched = ((samples - low) / (high - low).clamp(min=1e-12)).cpu().numpy()
    labels = _ward_clusters(stretched, all_pairs_limit)
    smallest = [samples.cpu().numpy()[labels == label].min() for label in np.unique(labels)]
    nearest, farthest = float(depth.min()), float(depth.max())
    edges = sorted([nearest, *(1 / float(disparity) for disparity in smallest)])
    edges[0], edges[-1] = nearest - 1e-6, farthest + 1e-6
    return edges


def _ward_clusters(values: np.ndarray, all_pairs_limit: int) -> np.ndarray:
    """Cluster label of each number.

    The published way needs memory for all pairs. For large photos only neighbours in sorted order
    may merge, which is the same: in one dimension two clusters are never closer, in Ward's sense,
    than one of them and a cluster between. Only the choice between equal distances differs.
    """
    from scipy import sparse  # both cost seconds of start-up
    from sklearn.cluster import AgglomerativeClustering

    count = len(values)
    if count < 2:
        return np.zeros(count, dtype=np.int64)
    options: dict[str, Any] = {"n_clusters": None, "distance_threshold": WARD_THRESHOLD}
    if count <= all_pairs_limit:
        return AgglomerativeClustering(**options).fit(values[:, None]).labels_
    order = np.argsort(values, kind="stable")
    after = sparse.eye(count, k=1)
    chain = AgglomerativeClustering(connectivity=after + after.T, **options)
    labels = np.empty(count, dtype=np.int64)
    labels[order] = chain.fit(values[order, None]).labels_
    return labels
