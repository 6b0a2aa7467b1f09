"""Compiled CPU kernels of `push_pull`; one pass per pyramid level and direction."""

from __future__ import annotations

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled


@compiled()
def pull(
    values: np.ndarray,  # [C, H, W] float32
    weights: np.ndarray,  # [H, W] float32 in [0, 1]
    out_values: np.ndarray,  # [C, ceil(H/2), ceil(W/2)]
    out_weights: np.ndarray,  # [ceil(H/2), ceil(W/2)]
) -> None:
    """Weighted means of 2x2 pixels; one known pixel of four is enough to know the coarse one."""
    channels, height, width = values.shape
    one, zero = np.float32(1.0), np.float32(0.0)
    for row in prange(out_weights.shape[0]):
        top = 2 * row
        below = top + 1 < height  # else the last row is one of a pair without its partner
        bottom = top + 1 if below else top
        for column in range(out_weights.shape[1]):
            left = 2 * column
            right = left + 1 if left + 1 < width else left
            w00 = weights[top, left]
            w01 = weights[top, right] if right > left else zero
            w10 = weights[bottom, left] if below else zero
            w11 = weights[bottom, right] if below and right > left else zero
            mass = w00 + w01 + w10 + w11
            out_weights[row, column] = min(mass, one)
            scale = one / mass if mass > 0 else zero
            for channel in range(channels):
                total = w00 * values[channel, top, left] + w01 * values[channel, top, right]
                total += w10 * values[channel, bottom, left]
                total += w11 * values[channel, bottom, right]
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
