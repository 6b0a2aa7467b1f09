"""Laminar flow through a channel with obstacles: the stream function of an incompressible flow.

Potential flow: the Laplacian of the stream function is zero in the water, and banks and islands
are lines of constant value (any textbook of fluid mechanics). Banks slow their neighbourhood down
and the middle may be faster than the sides, as viscosity would make it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SWEEPS = 220
OVER_RELAXATION = 1.9


@dataclass(frozen=True)
class Channel:
    """A channel that repeats along its length; it spans [-1, 1] across and [0, length) along."""

    water: Mask  # [across, along]
    velocity: Array  # [across, along, 2] (along, across), mean speed 1 in the water
    stream: Array  # [across, along] the stream function, 0 to 1 from bank to bank
    length: float


def channel_flow(
    low: Array,  # [along] where the water begins, in [-1, 1]
    high: Array,  # [along] where it ends
    islands: Mask,  # [across, along]
    *,
    length: float,
    bank_layer: float,  # width over which banks slow the water, in units of half the span
    roundness: float = 0.0,  # 0: as fast at the sides as in the middle; 1: a parabola
) -> Channel:
    """Solves for the flow along a periodic channel."""
    rows, columns = islands.shape
    across = np.linspace(-1, 1, rows)[:, None]
    share = np.clip((across - low) / (high - low), 0, 1)  # undisturbed stream function
    fixed = (share <= 0) | (share >= 1) | islands
    stream = share.copy()
    _, label = cv2.connectedComponents(islands.astype(np.uint8), connectivity=4)
    for number in range(1, int(label.max()) + 1):
        stream[label == number] = share[label == number].mean()
    _relax(stream, fixed)
    step_across, step_along = 2 / (rows - 1), length / columns
    along = np.gradient(stream, step_across, axis=0)
    sideways = -(np.roll(stream, -1, 1) - np.roll(stream, 1, 1)) / (2 * step_along)
    water = ~fixed
    # any function of the stream function is one of the same streamlines: here stream^2 (3 - 2
    # stream), whose slope slows the sides
    slope = 1 + roundness * (6 * stream * (1 - stream) - 1)
    along, sideways = along * slope, sideways * slope
    velocity = np.stack([along, sideways], -1) * water[..., None]
    velocity *= _slowed_by_banks(water, bank_layer / step_across)[..., None]
    speed = np.linalg.norm(velocity, axis=-1)[water].mean() if water.any() else 1.0
    return Channel(water, velocity / max(speed, 1e-9), stream, length)


def _slowed_by_banks(water: Mask, layer_px: float) -> Array:
    """Factor of the speed: 0 at a bank, 1 far from it."""
    doubled = np.concatenate([water, water, water], 1)  # the channel repeats
    distance = cv2.distanceTransform(doubled.astype(np.uint8), cv2.DIST_L2, 5)
    columns = water.shape[1]
    return 1 - np.exp(-distance[:, columns : 2 * columns] / max(layer_px, 1e-3))


@njit(cache=True)
def _relax(stream: Array, fixed: Mask) -> None:
    """Successive over-relaxation of Laplace's equation in place, periodic along the columns."""
    rows, columns = stream.shape
    for _ in range(SWEEPS):
        for y in range(1, rows - 1):
            for x in range(columns):
                if not fixed[y, x]:
                    mean = 0.25 * (
                        stream[y - 1, x]
                        + stream[y + 1, x]
                        + stream[y, (x - 1) % columns]
                        + stream[y, (x + 1) % columns]
                    )
                    stream[y, x] += OVER_RELAXATION * (mean - stream[y, x])
