"""Compiled CPU kernels that put points on the screen; `place.py` says what they compute."""

from __future__ import annotations

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled


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
def tear(
    positions: np.ndarray,  # [N, 3] float32 world
    neighbours: np.ndarray,  # [N, 2] int32 point to the right and below, -1 for none
    projection: np.ndarray,  # [3, 4] float32, of the camera that looks at the canvas along z
    limit: float,  # px of the canvas
    nowhere: float,
    out_pixels: np.ndarray,  # [N, 2] float32, changed where a point is torn from a neighbour
) -> None:
    """Put points whose neighbours are too far away where no picture is."""
    most, gone = np.float32(limit), np.float32(nowhere)
    zoom_x, zoom_y = projection[0, 0], projection[1, 1]
    for point in prange(positions.shape[0]):
        inverse = np.float32(1.0) / positions[point, 2]
        x = zoom_x * positions[point, 0] * inverse
        y = zoom_y * positions[point, 1] * inverse
        for side in range(2):
            other = neighbours[point, side]
            if other < 0:
                continue
            inverse = np.float32(1.0) / positions[other, 2]
            across = zoom_x * positions[other, 0] * inverse - x
            down = zoom_y * positions[other, 1] * inverse - y
            if max(abs(across), abs(down)) > most:
                out_pixels[point, 0] = gone
                out_pixels[point, 1] = gone


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
