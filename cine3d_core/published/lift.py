"""Lifting 2D displacement to 3D points, layer by layer, at the depth of the source pixel.

What does not change with time (depth, masks, which point hides which) is prepared once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.published.masked_ops import Diffusion, diffused, eroded, plan_diffusion
from cine3d_core.scene import LayeredDepthImage

EROSION = 5
DEPTH_RANGE = (1e-3, 1000.0)
REACHED = 1e-6  # diffused mask above which a pixel takes part in the motion


@dataclass(frozen=True)
class LayerLift:
    """One layer, ready to move."""

    depth: Tensor  # [1, 1, H, W] z of the points, diffused from the layer's inside
    diffusion: Diffusion  # of displacement
    moves: Tensor  # [1, 1, H, W] bool
    solid: Tensor  # [H, W] bool: pixels that are points
    hidden: Tensor  # [H, W] bool: not behind the nearer layers' points, to be moved there


@dataclass(frozen=True)
class LiftedLayer:
    """The points of one layer at one moment."""

    positions: Tensor  # [3, H, W] camera axes
    visible: Tensor  # [H, W] bool: solid and still inside the picture


def clamped_depth(depth: Tensor) -> Tensor:
    """Depth inside the range that the authors allow."""
    return depth.clamp(*DEPTH_RANGE)


def unprojected(
    pixels: Tensor,  # [2, ...] x, y; integer at pixel centres
    depth: Tensor,  # [...] z-depth
    intrinsics: Tensor,  # [3, 3]
) -> Tensor:  # [3, ...] camera axes
    """Points at pixels."""
    homogeneous = torch.cat((pixels, torch.ones_like(pixels[:1])))
    inverse = torch.linalg.inv(intrinsics).to(pixels.dtype)
    return torch.einsum("ij,j...->i...", inverse, homogeneous) * depth


def composite_depth(
    depth: Tensor,  # [L, 1, H, W] near to far
    alpha: Tensor,  # [L, 1, H, W]
) -> Tensor:  # [1, 1, H, W] >= 1
    """Depth of what is seen first, the layers composited from the front."""
    in_front = torch.cumprod(1 - alpha, dim=0)
    before = torch.cat((torch.ones_like(alpha[:1]), in_front[:-1]))
    return (depth * alpha * before).sum(0, keepdim=True).clamp(min=1)


def prepared_lift(layers: LayeredDepthImage) -> tuple[LayerLift, ...]:
    """Everything about the layers that does not depend on time."""
    prepared, nearer = [], torch.zeros_like(layers.depth[0, 0])
    for rgba, depth, inpainted in zip(layers.rgba, layers.depth, layers.inpainted, strict=True):
        seen = (~inpainted)[None].to(depth.dtype)
        diffusion = plan_diffusion(eroded(seen, EROSION))
        moves = diffusion.mask > REACHED
        z = torch.where(moves, diffused(depth[None], diffusion), depth[None])
        solid = rgba[3] > 0.5
        hidden = solid & (z[0, 0] <= nearer)
        prepared.append(LayerLift(z, diffusion, moves, solid, hidden))
        nearer = torch.where(solid, torch.where(hidden, 1.01 * nearer, z[0, 0]), nearer)
    return tuple(prepared)


def lifted_layers(
    layers: tuple[LayerLift, ...],
    displacement: Tensor,  # [1, 2, H, W] px
    intrinsics: Tensor,  # [3, 3], principal point in integer-centre pixels
) -> list[LiftedLayer]:
    """Points of all layers, displaced.

    A point that would lie in front of a nearer layer's point of the same source pixel takes that
    point's place, 1 % farther away.
    """
    height, width = displacement.shape[-2:]
    ys = torch.arange(height, dtype=displacement.dtype, device=displacement.device)
    xs = torch.arange(width, dtype=displacement.dtype, device=displacement.device)
    grid = torch.stack((xs.expand(height, width), ys[:, None].expand(height, width)))
    lifted, nearer = [], torch.zeros(3, height, width).to(displacement)
    for layer in layers:
        target = grid + (diffused(displacement, layer.diffusion) * layer.moves)[0]
        x, y = target
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        positions = unprojected(target, layer.depth[0, 0], intrinsics)
        positions = torch.where(layer.hidden, 1.01 * nearer, positions)
        nearer = torch.where(layer.solid, positions, nearer)
        lifted.append(LiftedLayer(positions, layer.solid & inside))
    return lifted


def merged_features(
    features: Tensor,  # [L, C, h, w] of every layer, at about a quarter of the size
    seen: Tensor,  # [L, 1, H, W] 0 or 1: the layers' masks
) -> Tensor:  # [1, C, H, W]
    """Features of what is visible in the photo, all layers in one map."""
    weight = F.interpolate(seen, features.shape[-2:], mode="area")
    size = seen.shape[-2:]
    total = _enlarged((features * weight).sum(0, keepdim=True), size)
    return total / _enlarged(weight.sum(0, keepdim=True), size).clamp(min=1e-6)


def point_features(
    features: Tensor,  # [1, C, h, w] of one layer
    merged: Tensor,  # [1, C, H, W]
    seen: Tensor,  # [1, 1, H, W] 0 or 1: the layer's mask
) -> Tensor:  # [1, C, H, W]
    """A layer's own features inside its eroded mask, those of the visible photo outside.

    So what was invented carries the features of what hides it. The checkpoints expect that.
    """
    inside = eroded(seen, EROSION) > 0
    return torch.where(inside, _enlarged(features, merged.shape[-2:]), merged)


def _enlarged(image: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    return F.interpolate(image, tuple(size), mode="bilinear", align_corners=True)
