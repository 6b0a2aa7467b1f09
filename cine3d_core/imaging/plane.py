"""A plane fitted to values of which some belong to something else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FIT_POINTS = 20_000
ROUNDS = 10


def robust_plane(
    ground: Array,  # [N, 3] coordinates, a column of them 1
    disparity: Array,  # [N] or any other value
) -> tuple[Array, float]:
    """Coefficients [3] by reweighted least squares (Cauchy weights), and the usual departure."""
    step = max(1, len(ground) // FIT_POINTS)
    ground, disparity = ground[::step], disparity[::step]
    weight = np.ones(len(ground))
    plane, spread = np.zeros(3), 1.0
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        plane, *_ = np.linalg.lstsq(ground * root[:, None], disparity * root, rcond=None)
        departure = disparity - ground @ plane
        spread = max(3 * float(np.median(np.abs(departure))), 1e-6)
        weight = 1 / (1 + (departure / spread) ** 2)
    return plane, spread
