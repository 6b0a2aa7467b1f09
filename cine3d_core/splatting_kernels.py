"""Compiled CPU kernels of the splatter; `splatting.py` says what they compute."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


# Not fastmath: with reassociation the same pixel could differ between band layouts.
@njit(parallel=True, cache=True, nogil=True)
def rasterize(
    pixels: np.ndarray,  # [N, 2] float32
    depth: np.ndarray,  # [N] float32
    radius: np.ndarray,  # [N] float32
    first_index: int,
    disc: bool,
    near: float,
    min_weight: float,
    out_index: np.ndarray,  # [H, W, K] int32
    out_depth: np.ndarray,  # [H, W, K] float32
    out_weight: np.ndarray,  # [H, W, K] float32
    bands: int,
) -> None:
    """Insert all points into the sorted fragment lists; each thread owns a band of rows."""
    height, width, count = out_index.shape
    one = np.float32(1.0)
    half = np.float32(0.5)
    least = np.float32(min_weight)
    for band in prange(bands):
        row_first = band * height // bands
        row_end = (band + 1) * height // bands
        for point in range(depth.shape[0]):
            z = depth[point]
            if not z > near:
                continue
            x = pixels[point, 0]
            y = pixels[point, 1]
            r = radius[point]
            # Also false for NaN; and keeps the integers below in range.
            if not (x > -r and x < width + r and y > row_first - r and y < row_end + r):
                continue
            top = max(row_first, int(np.ceil(y - r - half)))
            bottom = min(row_end - 1, int(np.floor(y + r - half)))
            left = max(0, int(np.ceil(x - r - half)))
            right = min(width - 1, int(np.floor(x + r - half)))
            index = first_index + point
            for row in range(top, bottom + 1):
                away_y = abs(y - (np.float32(row) + half))
                for column in range(left, right + 1):
                    away_x = abs(x - (np.float32(column) + half))
                    if disc:
                        weight = one - (away_x * away_x + away_y * away_y) / (r * r)
                    else:
                        weight = max(one - away_x / r, np.float32(0.0)) * max(
                            one - away_y / r, np.float32(0.0)
                        )
                    if not weight > least:
                        continue
                    last = out_depth[row, column, count - 1]
                    if z > last or (z == last and index > out_index[row, column, count - 1]):
                        continue
                    slot = count - 1
                    while slot > 0:
                        before = out_depth[row, column, slot - 1]
                        if before < z or (before == z and out_index[row, column, slot - 1] < index):
                            break
                        out_depth[row, column, slot] = before
                        out_index[row, column, slot] = out_index[row, column, slot - 1]
                        out_weight[row, column, slot] = out_weight[row, column, slot - 1]
                        slot -= 1
                    out_depth[row, column, slot] = z
                    out_index[row, column, slot] = index
                    out_weight[row, column, slot] = weight


@njit(parallel=True, cache=True, nogil=True)
def composite(
    index: np.ndarray,  # [H, W, K] int32
    depth: np.ndarray,  # [H, W, K] float32
    weight: np.ndarray,  # [H, W, K] float32
    features: np.ndarray,  # [N, C] float32
    over: bool,
    same_surface: float,
    crack_gain: float,
    out: np.ndarray,  # [C, H, W] float32
    alpha: np.ndarray,  # [1, H, W] float32
) -> None:
    """Share out every pixel among its fragments and add up their features."""
    height, width, count = index.shape
    channels = features.shape[1]
    surface = np.float32(1.0 + same_surface)
    most = np.float32(crack_gain)
    empty = np.float32(np.inf)
    for row in prange(height):
        total = np.empty(channels, dtype=np.float32)
        for column in range(width):
            total[:] = 0
            covered = np.float32(0.0)
            limit = depth[row, column, 0] * surface
            gain = np.float32(1.0)
            if not over:
                first = np.float32(0.0)
                for k in range(count):
                    if depth[row, column, k] == empty or depth[row, column, k] > limit:
                        break
                    first += weight[row, column, k]
                gain = min(max(np.float32(1.0) / max(first, np.float32(1e-6)), gain), most)
            left = np.float32(1.0)
            for k in range(count):
                z = depth[row, column, k]
                if z == empty or left <= 0:
                    break
                share = weight[row, column, k]
                if over:
                    share = share * left
                else:
                    if z <= limit:
                        share = share * gain
                    share = min(share, left)
                left -= share
                covered += share
                point = index[row, column, k]
                for channel in range(channels):
                    total[channel] += share * features[point, channel]
            for channel in range(channels):
                out[channel, row, column] = total[channel]
            alpha[0, row, column] = covered
