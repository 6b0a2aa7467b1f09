"""What a camera sees that the photo cannot show, and how far it may go before that shows.

Measured on frames of at most `coarse.PREVIEW_SIDE_PX`, drawn by what draws previews.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from cine3d_core.progress import Progress
from cine3d_core.render.animation import Shot
from cine3d_core.render.coarse import PREVIEW_SIDE_PX
from cine3d_core.render.drawer import DrawFrame
from cine3d_core.scene import Camera, resized_camera

MAX_REACH = 1.0  # scene units: as far as the nearest surface
REACH_STEPS = 6
SOLID_ALPHA = 0.5  # a pixel with less than this is a hole


def holes(alpha: Tensor) -> float:
    """Share of a frame [1, H, W] that no point covers."""
    return float((alpha < SOLID_ALPHA).float().mean())


def uncovered(draw: DrawFrame, camera: Camera) -> float:
    """Share of a camera's frame that is a hole when nothing has moved yet."""
    share = min(1.0, PREVIEW_SIDE_PX / max(camera.height, camera.width))
    height, width = (max(1, round(side * share)) for side in (camera.height, camera.width))
    small = resized_camera(camera, height, width)
    return holes(draw(Shot(small, small, small), 0, False).alpha)


def safe_reach(draw: DrawFrame, camera: Camera, limit: float, progress: Progress) -> np.ndarray:
    """How far the photo's `camera` may go: [6, 3] places, - and + along x, y and z of the scene.

    Searched by halving up to `MAX_REACH` units; each is the farthest place found from which at most
    the share `limit` of the frame is a hole.
    """
    reach = np.zeros((6, 3))
    for index in range(6):
        axis, sign = index // 2, 2 * (index % 2) - 1
        low, high = 0.0, MAX_REACH
        for step in range(REACH_STEPS):
            progress("Looking for holes", (index + step / REACH_STEPS) / 6)
            middle = (low + high) / 2
            pose = camera.world_to_camera.clone()
            pose[axis, 3] -= sign * middle
            solid = uncovered(draw, replace(camera, world_to_camera=pose)) <= limit
            low, high = (middle, high) if solid else (low, middle)
        reach[index, axis] = sign * low
    return reach
