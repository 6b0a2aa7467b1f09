"""Compiled CPU kernels of the splatter; `splat.py` says what they compute."""

from __future__ import annotations

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled


# Not fastmath: with reassociation the same pixel could differ between band layouts.
@compiled()
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


@compiled()
def composite(
    index: np.ndarray,  # [H, W, K] int32
    depth: np.ndarray,  # [H, W, K] float32
    weight: np.ndarray,  # [H, W, K] float32
    features: np.ndarray,  # [N, C] float32
    over: bool,
    same_surface: float,
    crack_gain: float,
    out: np.ndarray,  # [C, H, W] float32, or [C + 1, H, W]: disparity last
    alpha: np.ndarray,  # [1, H, W] float32
) -> None:
    """Share out every pixel among its fragments and add up their features."""
    height, width, count = index.shape
    channels = features.shape[1]
    with_disparity = out.shape[0] > channels
    surface = np.float32(1.0 + same_surface)
    most = np.float32(crack_gain)
    empty = np.float32(np.inf)
    one = np.float32(1.0)
    for row in prange(height):
        total = np.empty(out.shape[0], dtype=np.float32)
        for column in range(width):
            total[:] = 0
            covered = np.float32(0.0)
            limit = depth[row, column, 0] * surface
            gain = one
            if not over:
                first = np.float32(0.0)
                for k in range(count):
                    if depth[row, column, k] == empty or depth[row, column, k] > limit:
                        break
                    first += weight[row, column, k]
                gain = min(one / max(first, np.float32(1e-6)), most)
            left = one
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
                if with_disparity:
                    total[channels] += share / z
            for channel in range(out.shape[0]):
                out[channel, row, column] = total[channel]
            alpha[0, row, column] = covered


@compiled()
def place(
    positions: np.ndarray,  # [N, 3] float32 world
    neighbours: np.ndarray,  # [N, 2] int32 point to the right and below, -1 for none
    projection: np.ndarray,  # [3, 4] float32, K [R | t]
    near: float,
    radius_scale: float,
    min_radius: float,
    max_radius: float,
    max_stretch: float,
    out_pixels: np.ndarray,  # [N, 2] float32
    out_depth: np.ndarray,  # [N] float32
    out_radius: np.ndarray,  # [N] float32
) -> None:
    """Project points and size their footprints."""
    nearest = np.float32(near)
    scale = np.float32(radius_scale)
    least, most = np.float32(min_radius), np.float32(max_radius)
    stretch = np.float32(max_stretch)
    for point in prange(positions.shape[0]):
        x, y, z = positions[point, 0], positions[point, 1], positions[point, 2]
        u = projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]
        v = projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]
        w = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3]
        inverse = np.float32(1.0) / max(w, nearest)
        out_pixels[point, 0] = u * inverse
        out_pixels[point, 1] = v * inverse
        out_depth[point] = w
        out_radius[point] = min(max(scale * z * inverse, least), most)
    if max_stretch <= 0:
        return
    for point in prange(positions.shape[0]):
        radius = out_radius[point]
        limit = stretch * radius
        for side in range(2):
            other = neighbours[point, side]
            if other < 0:
                continue
            away = max(
                abs(out_pixels[other, 0] - out_pixels[point, 0]),
                abs(out_pixels[other, 1] - out_pixels[point, 1]),
            )
            if radius < away <= limit:
                radius = away
        out_radius[point] = min(radius, most)


@compiled()
def way_to(
    positions: np.ndarray,  # [N, 3] float32 world
    projection: np.ndarray,  # [3, 4] float32, K [R | t]
    near: float,
    pixels: np.ndarray,  # [N, 2] float32 where the way begins
    first: int,
    out: np.ndarray,  # [N, 4] float32, of which columns `first` and the next are written
) -> None:
    """The way on the screen from `pixels` to where points are projected."""
    nearest = np.float32(near)
    for point in prange(positions.shape[0]):
        x, y, z = positions[point, 0], positions[point, 1], positions[point, 2]
        u = projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]
        v = projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]
        w = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3]
        inverse = np.float32(1.0) / max(w, nearest)
        out[point, first] = u * inverse - pixels[point, 0]
        out[point, first + 1] = v * inverse - pixels[point, 1]
