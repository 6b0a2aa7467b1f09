"""Lift motion on the canvas to 3D scene flow (paper, section 3.3).

The published code keeps the depth of the source pixel, so water slides along a plane that faces the
camera. Here a point takes the depth of its own surface at the place it arrives at and stays on it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from cine3d_core.geometry import unproject
from cine3d_core.scene import Camera, SceneFlow

Lift = Literal["surface", "source"]


def scene_flow(
    start_px: Tensor,  # [N, 2] where the points rest, canvas pixels
    layer: Tensor,  # [N] layer of each point
    displacement_px: Tensor,  # [N, 2]
    layer_depth: Tensor,  # [L, 1, H, W] surface of each layer, filled everywhere
    canvas_camera: Camera,
    *,
    lift: Lift = "surface",
) -> SceneFlow:
    """Motion in space of points that move on the canvas.

    Args:
        start_px: resting pixels, pixel centres at +0.5.
        layer: the layer whose surface carries the point.
        displacement_px: motion on the canvas, 0 for a point at rest.
        layer_depth: z-depth of each layer's surface.
        canvas_camera: camera of the canvas.
        lift: "surface" follows the surface; "source" keeps the depth, as published.
    """
    target_px = start_px + displacement_px
    depth_now = sample_layers(layer_depth, layer, start_px)
    depth_then = depth_now if lift == "source" else sample_layers(layer_depth, layer, target_px)
    rest = unproject(start_px, depth_now, canvas_camera)
    moved = unproject(target_px, depth_then, canvas_camera)
    return SceneFlow(displacement=moved - rest, displacement_px=displacement_px)


def sample_layers(
    maps: Tensor,  # [L, 1, H, W]
    layer: Tensor,  # [N]
    pixels: Tensor,  # [N, 2] x, y; beyond the border the border's value holds
) -> Tensor:
    """Bilinear samples, each from its own layer's map: [N]."""
    count, _, height, width = maps.shape
    assert int(layer.max()) < count if len(layer) else True, (layer.max(), count)
    x = (pixels[:, 0] - 0.5).clamp(0, width - 1)
    y = (pixels[:, 1] - 0.5).clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    share_x, share_y = x - left, y - top
    column, row = left.long(), top.long()
    right = (column + 1).clamp(max=width - 1)
    below = (row + 1).clamp(max=height - 1)
    flat = maps.reshape(-1)
    base = layer.long() * (height * width)
    upper = torch.lerp(
        flat[base + row * width + column], flat[base + row * width + right], share_x
    )
    lower = torch.lerp(
        flat[base + below * width + column], flat[base + below * width + right], share_x
    )
    return torch.lerp(upper, lower, share_y)
