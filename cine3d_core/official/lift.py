"""Lifting 2D displacement to 3D points, layer by layer, at the depth of the source pixel.

What does not change with time (depth, masks, which point hides which) is prepared once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.imaging.launch import upload
from cine3d_core.official.masked_ops import Diffusion, diffused, eroded, plan_diffusion

EROSION = 5
DEPTH_RANGE = (1e-3, 1000.0)
REACHED = 1e-6  # diffused mask above which a pixel takes part in the motion


@dataclass(frozen=True)
class LayerPoints:
    """Layers as points that can move, nearest layer first, row by row."""

    layer: Tensor  # [N] int64
    pixel: Tensor  # [N] int64: row-major source pixel
    depth: Tensor  # [N] z, the same at all times
    ends: tuple[int, ...]  # of each layer's points
    diffusions: tuple[Diffusion, ...]  # of the displacement, one per layer
    leader: Tensor  # [N] int64: whose place the point takes; itself, or a nearer layer's point
    retreat: Tensor  # [N] how far behind that: 1, or 1.01 for each layer between


@dataclass(frozen=True)
class MovedPoints:
    """The points at one moment."""

    positions: Tensor  # [N, 3] camera axes
    inside: Tensor  # [N] bool: the pixel a point moved to is still in the picture


def integer_centred(intrinsics: Tensor) -> Tensor:
    """Intrinsics for pixel coordinates whose centres are integers."""
    shifted = intrinsics.clone()
    shifted[:2, 2] -= 0.5
    return shifted


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
    inverse = upload(torch.linalg.inv(intrinsics).to(pixels.dtype), pixels.device)
    return torch.einsum("ij,j...->i...", inverse, homogeneous) * depth


def layer_points(
    depth: Tensor,  # [L, 1, H, W] > 0 where solid
    seen: Tensor,  # [L, 1, H, W] bool: neither invented nor at a layer's edge
    solid: Tensor,  # [L, H, W] bool: what becomes points
    moving: Tensor,  # [1, 1, H, W] bool: where the displacement may differ from zero
) -> LayerPoints:
    """Everything about moving layers that does not depend on time.

    A point of a layer whose depth is not beyond the nearer layers' point of the same source pixel
    follows that point, 1 % farther away.
    """
    height, width = depth.shape[-2:]
    layer, pixel = solid.flatten(1).nonzero(as_tuple=True)
    near_depth = torch.zeros_like(depth[0, 0]).flatten()
    near_row = torch.zeros_like(near_depth, dtype=torch.long)
    leader, retreat = torch.arange(len(pixel), device=pixel.device), torch.ones(len(pixel))
    retreat, z, diffusions = retreat.to(depth), torch.zeros(len(pixel)).to(depth), []
    for index in range(len(depth)):
        trusted = eroded(seen[index : index + 1].to(depth.dtype), EROSION)
        diffusions.append(plan_diffusion(trusted, support=moving))
        rows = (layer == index).nonzero()[:, 0]
        at = pixel[rows]
        z[rows] = reachable_depth(depth[index : index + 1], trusted).flatten()[at]
        hidden = z[rows] <= near_depth[at]
        ahead = near_row[at]
        leader[rows] = torch.where(hidden, leader[ahead], rows)
        retreat[rows] = torch.where(hidden, 1.01 * retreat[ahead], 1.0)
        near_depth[at] = torch.where(hidden, 1.01 * near_depth[at], z[rows])
        near_row[at] = rows
    ends = solid.flatten(1).sum(1).cumsum(0).tolist()
    return LayerPoints(layer, pixel, z, tuple(ends), tuple(diffusions), leader, retreat)


def reachable_depth(
    depth: Tensor,  # [1, 1, H, W]
    trusted: Tensor,  # [1, 1, H, W] 0 or 1
) -> Tensor:  # [1, 1, H, W]
    """Depth spread outward from where it is trusted; as it was beyond that reach."""
    plan = plan_diffusion(trusted)
    return torch.where(plan.mask > REACHED, diffused(depth, plan), depth)


def moved_points(
    points: LayerPoints,
    displacement: Tensor,  # [1, 2, H, W] px
    intrinsics: Tensor,  # [3, 3], principal point in integer-centre pixels
) -> MovedPoints:
    """Points displaced in the picture, at their own depth."""
    height, width = displacement.shape[-2:]
    x, y = points.pixel % width, points.pixel // width
    target = torch.stack((x, y)).to(displacement.dtype)
    begin = 0  # slices, since choosing rows would wait for a device
    for end, diffusion in zip(points.ends, points.diffusions, strict=True):
        spread = diffused(displacement, diffusion) * (diffusion.mask > REACHED)
        target[:, begin:end] += spread[0].flatten(1)[:, points.pixel[begin:end]]
        begin = end
    x, y = target
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    positions = unprojected(target, points.depth, intrinsics).T
    positions = positions[points.leader] * points.retreat[:, None]
    return MovedPoints(positions, inside)


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
