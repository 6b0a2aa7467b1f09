"""Compiled CPU kernels of `push_pull`; one pass per pyramid level and direction."""

from __future__ import annotations

import numpy as np
from numba import prange

from cine3d_core.compiled import compiled


@compiled()
def pull(
    values: np.ndarray,  # [C, H, W] float32
    weights: np.ndarray,  # [H, W] float32 in [0, 1]
    out_values: np.ndarray,  # [C, ceil(H/2), ceil(W/2)]
    out_weights: np.ndarray,  # [ceil(H/2), ceil(W/2)]
) -> None:
    """Weighted means of 2x2 pixels; one known pixel of four is enough to know the coarse one."""
    channels, height, width = values.shape
    for row in prange(out_weights.shape[0]):
        bottom = min(2 * row + 2, height)
        for column in range(out_weights.shape[1]):
            right = min(2 * column + 2, width)
            mass = np.float32(0.0)
            for y in range(2 * row, bottom):
                for x in range(2 * column, right):
                    mass += weights[y, x]
            out_weights[row, column] = min(mass, np.float32(1.0))
            scale = np.float32(1.0) / mass if mass > 0 else np.float32(0.0)
            for channel in range(channels):
                total = np.float32(0.0)
                for y in range(2 * row, bottom):
                    for x in range(2 * column, right):
                        total += weights[y, x] * values[channel, y, x]
                out_values[channel, row, column] = total * scale


@compiled()
def push(
    coarse_values: np.ndarray,  # [C, h, w]
    coarse_weights: np.ndarray,  # [h, w]
    values: np.ndarray,  # [C, H, W], filled in place
    weights: np.ndarray,  # [H, W], raised in place to the coarse level's where that knows more
) -> None:
    """Fills what a level does not know with the bilinear enlargement of the level above."""
    channels, height, width = values.shape
    last_row, last_column = coarse_weights.shape[0] - 1, coarse_weights.shape[1] - 1
    near, far = np.float32(0.75), np.float32(0.25)
    one = np.float32(1.0)
    for y in prange(height):
        row = y // 2
        other_row = min(max(row + (1 if y % 2 else -1), 0), last_row)
        for x in range(width):
            own = weights[y, x]
            if own >= one:
                continue
            column = x // 2
            other_column = min(max(column + (1 if x % 2 else -1), 0), last_column)
            w00 = near * near * coarse_weights[row, column]
            w01 = near * far * coarse_weights[row, other_column]
            w10 = far * near * coarse_weights[other_row, column]
            w11 = far * far * coarse_weights[other_row, other_column]
            known = w00 + w01 + w10 + w11
            scale = (one - own) / max(known, np.float32(1e-12))
            for channel in range(channels):
                above = (
                    w00 * coarse_values[channel, row, column]
                    + w01 * coarse_values[channel, row, other_column]
                    + w10 * coarse_values[channel, other_row, column]
                    + w11 * coarse_values[channel, other_row, other_column]
                )
                values[channel, y, x] = own * values[channel, y, x] + above * scale
            weights[y, x] = max(own, known)
