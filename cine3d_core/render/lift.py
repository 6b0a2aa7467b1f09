"""Lift motion on the canvas to 3D scene flow (paper, section 3.3).

The published code keeps the depth of the source pixel, so water slides along a plane that faces the
camera. Here a point takes the depth of its surface at the place it arrives at and stays on it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numba import prange
from torch import Tensor

from cine3d_core.geometry import unproject
from cine3d_core.imaging.compiled import compiled
from cine3d_core.imaging.launch import may_launch
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
    """Motion in space of points that move on the canvas; see `flowed_positions`."""
    still = torch.zeros_like(displacement_px)
    rest = flowed_positions(start_px, layer, still, layer_depth, canvas_camera, lift=lift)
    moved = flowed_positions(
        start_px, layer, displacement_px, layer_depth, canvas_camera, lift=lift
    )
    return SceneFlow(moved - rest)


def flowed_positions(
    start_px: Tensor,  # [N, 2]
    layer: Tensor,  # [N]
    displacement_px: Tensor,  # [N, 2]
    layer_depth: Tensor,  # [L, 1, H, W]
    canvas_camera: Camera,
    *,
    lift: Lift = "surface",
) -> Tensor:  # [N, 3] world
    """Where points stand that have moved by `displacement_px` on the canvas.

    Args:
        start_px: pixels at frame 0, pixel centres at +0.5.
        layer: the layer whose surface carries the point.
        displacement_px: motion on the canvas, 0 for a static point.
        layer_depth: z-depth of each layer's surface.
        canvas_camera: camera of the canvas, at the world's origin.
        lift: "surface" follows the surface; "source" keeps the depth, as published.
    """
    if may_launch(start_px):
        return _flowed_on_card(start_px, layer, displacement_px, layer_depth, canvas_camera, lift)
    if start_px.device.type != "cpu":
        return flowed_positions_torch(
            start_px, layer, displacement_px, layer_depth, canvas_camera, lift=lift
        )
    out = torch.empty(len(start_px), 3)
    _flow_points(
        start_px.contiguous().numpy(),
        layer.contiguous().numpy(),
        displacement_px.contiguous().numpy(),
        layer_depth.contiguous().numpy(),
        torch.linalg.inv(canvas_camera.intrinsics).float().numpy(),
        lift == "source",
        out.numpy(),
    )
    return out


def _flowed_on_card(
    start_px: Tensor,
    layer: Tensor,
    displacement_px: Tensor,
    layer_depth: Tensor,
    canvas_camera: Camera,
    lift: Lift,
) -> Tensor:
    from cine3d_core.render.card import points  # imports Warp, see `launch`

    inverse = torch.linalg.inv(canvas_camera.intrinsics).float()
    return points.flowed_positions(
        start_px, layer, displacement_px, layer_depth, inverse, keep_depth=lift == "source"
    )


def flowed_positions_torch(
    start_px: Tensor,
    layer: Tensor,
    displacement_px: Tensor,
    layer_depth: Tensor,
    canvas_camera: Camera,
    *,
    lift: Lift = "surface",
) -> Tensor:
    """`flowed_positions` in torch operations, for any device."""
    target_px = start_px + displacement_px
    depth_at = start_px if lift == "source" else target_px
    return unproject(target_px, sample_layers(layer_depth, layer, depth_at), canvas_camera)


@compiled()
def _flow_points(
    start_px: np.ndarray,  # [N, 2] float32
    layer: np.ndarray,  # [N] int64
    displacement_px: np.ndarray,  # [N, 2] float32
    layer_depth: np.ndarray,  # [L, 1, H, W] float32
    inverse: np.ndarray,  # [3, 3] float32 inverse intrinsics
    keep_depth: bool,
    out: np.ndarray,  # [N, 3] float32
) -> None:
    _, _, height, width = layer_depth.shape
    half, zero = np.float32(0.5), np.float32(0.0)
    for point in prange(start_px.shape[0]):
        u = start_px[point, 0] + displacement_px[point, 0]
        v = start_px[point, 1] + displacement_px[point, 1]
        at_u = start_px[point, 0] if keep_depth else u
        at_v = start_px[point, 1] if keep_depth else v
        x = min(max(at_u - half, zero), np.float32(width - 1))
        y = min(max(at_v - half, zero), np.float32(height - 1))
        left, top = int(x), int(y)
        right, below = min(left + 1, width - 1), min(top + 1, height - 1)
        share_x, share_y = x - np.float32(left), y - np.float32(top)
        surface = layer_depth[layer[point], 0]
        upper = surface[top, left] + share_x * (surface[top, right] - surface[top, left])
        lower = surface[below, left] + share_x * (surface[below, right] - surface[below, left])
        depth = upper + share_y * (lower - upper)
        out[point, 0] = (inverse[0, 0] * u + inverse[0, 1] * v + inverse[0, 2]) * depth
        out[point, 1] = (inverse[1, 0] * u + inverse[1, 1] * v + inverse[1, 2]) * depth
        out[point, 2] = depth


def sample_layers(
    maps: Tensor,  # [L, 1, H, W]
    layer: Tensor,  # [N]
    pixels: Tensor,  # [N, 2] x, y; beyond the border the border's value holds
) -> Tensor:
    """Bilinear samples, each from its own layer's map: [N]."""
    count, _, height, width = maps.shape
    if layer.device.type == "cpu" and len(layer):  # elsewhere it would wait for the device
        assert int(layer.max()) < count, (layer.max(), count)
    x = (pixels[:, 0] - 0.5).clamp(0, width - 1)
    y = (pixels[:, 1] - 0.5).clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    share_x, share_y = x - left, y - top
    column, row = left.long(), top.long()
    right = (column + 1).clamp(max=width - 1)
    below = (row + 1).clamp(max=height - 1)
    flat = maps.reshape(-1)
    base = layer.long() * (height * width)
    upper = torch.lerp(flat[base + row * width + column], flat[base + row * width + right], share_x)
    lower = torch.lerp(
        flat[base + below * width + column], flat[base + below * width + right], share_x
    )
    return torch.lerp(upper, lower, share_y)
