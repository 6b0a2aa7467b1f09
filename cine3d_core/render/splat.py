"""Splatting: points to a picture, nearest first (paper, section 3.4).

`rasterize` finds, for every pixel, the K nearest points that touch it and by how much; `composite`
adds up what those points carry. The order within a pixel is by depth, then by point index, so a
picture never depends on the order of work and nothing pops. Points are spread with a tent, whose
weights sum to one over an evenly sampled surface, or with PyTorch3D's disc (published code).

On the CPU compiled kernels do the work; elsewhere, and where gradients of the features are asked
for, torch operations do, with equal results.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE, project
from cine3d_core.render import splat_kernels as kernels
from cine3d_core.scene import Camera

EMPTY = 2**31 - 1  # point index of an unused fragment; sorts behind every real one


@dataclass(frozen=True)
class SplatParams:
    """How points become pixels."""

    footprint: Literal["tent", "disc"] = "tent"
    compositing: Literal["coverage", "over"] = "coverage"
    radius_px: float = 1.0  # of a point at its source depth; the published disc has 1.5
    min_radius_px: float = 1.0  # a tent narrower than a pixel would fall between pixels
    max_radius_px: float = 6.0  # beyond this magnification points separate instead of smearing
    min_weight: float = 1 / 256  # touches below this are rounding noise and only fill the list
    max_points: int = 12  # K: fragments kept in each pixel
    same_surface: float = 0.02  # relative depth within which fragments are one surface
    crack_gain: float = 1.6  # a stretched surface is closed up to this much
    max_stretch: float = 1.5  # neighbours that part by more radii than this tear; 0: no stretching


PAPER_SPLAT = SplatParams(
    footprint="disc",
    compositing="over",
    radius_px=1.5,
    min_radius_px=0.0,
    max_radius_px=1e3,
    min_weight=0.0,
    max_points=8,
    max_stretch=0.0,
)


@dataclass(frozen=True)
class Points:
    """What the rasteriser needs of a cloud, in pixels of the target picture."""

    pixels: Tensor  # [N, 2] float32 x, y
    depth: Tensor  # [N] float32; points nearer than the near plane are not drawn
    radius: Tensor  # [N] float32 px, > 0


@dataclass(frozen=True)
class Fragments:
    """For every pixel the K nearest points that touch it, nearest first."""

    index: Tensor  # [H, W, K] int32, EMPTY where there is none
    depth: Tensor  # [H, W, K] float32, inf where there is none
    weight: Tensor  # [H, W, K] float32 in [0, 1], share of the pixel
    drawn: int  # how many points were drawn; their indices are 0 .. drawn - 1


def splat_radius(
    source_depth: Tensor,  # [N] depth for the photo's camera
    depth: Tensor,  # [N] depth now
    zoom: float,  # focal length now / focal length of the photo, both in target pixels
    params: SplatParams,
) -> Tensor:
    """Radius in pixels that keeps a surface closed when it comes nearer: [N]."""
    magnification = zoom * source_depth / depth.clamp(min=NEAR_PLANE)
    radius = params.radius_px * magnification
    return radius.clamp(params.min_radius_px, params.max_radius_px)


def place_points(
    positions: Tensor,  # [N, 3] float32 world; z is the depth for the photo's camera
    neighbours: Tensor,  # [N, 2] int32: which point is to the right and below, -1 for none
    camera: Camera,
    *,
    zoom: float,
    params: SplatParams,
) -> Points:
    """Points on the screen of a camera.

    The radius is that of `splat_radius`, and where the surface is stretched, by the camera or by
    the flow, the distance to the neighbours on it, so that it stays closed.
    """
    if positions.device.type != "cpu":
        return place_points_torch(positions, neighbours, camera, zoom=zoom, params=params)
    count = len(positions)
    points = Points(torch.empty(count, 2), torch.empty(count), torch.empty(count))
    projection = camera.intrinsics.double() @ camera.world_to_camera[:3].double()
    kernels.place(
        positions.contiguous().numpy(),
        neighbours.contiguous().numpy(),
        projection.float().numpy(),
        NEAR_PLANE,
        params.radius_px * zoom,
        params.min_radius_px,
        params.max_radius_px,
        params.max_stretch,
        points.pixels.numpy(),
        points.depth.numpy(),
        points.radius.numpy(),
    )
    return points


def place_points_torch(
    positions: Tensor, neighbours: Tensor, camera: Camera, *, zoom: float, params: SplatParams
) -> Points:
    """`place_points` in torch operations, for any device."""
    pixels, depth = project(positions, camera)
    radius = splat_radius(positions[:, 2], depth, zoom, params)
    if params.max_stretch > 0:
        limit = params.max_stretch * radius
        for side in range(2):
            other = neighbours[:, side].long()
            away = (pixels[other] - pixels).abs().amax(dim=1)
            stretched = (other >= 0) & (away <= limit)
            radius = torch.where(stretched, torch.maximum(radius, away), radius)
    return Points(pixels, depth, radius.clamp(max=params.max_radius_px))


def screen_motion(
    before: Tensor,  # [N, 3] world positions at the previous frame
    after: Tensor,  # [N, 3] at the next frame
    pixels: Tensor,  # [N, 2] where the points are now
    previous: Camera,
    following: Camera,
) -> Tensor:  # [N, 4] px
    """The way on the screen to the previous frame (x, y) and to the next (x, y)."""
    if pixels.device.type != "cpu":
        moments = (before, previous), (after, following)
        return torch.cat([project(at, camera)[0] - pixels for at, camera in moments], dim=1)
    out = torch.empty(len(pixels), 4)
    for side, (positions, camera) in enumerate(((before, previous), (after, following))):
        projection = camera.intrinsics.double() @ camera.world_to_camera[:3].double()
        kernels.way_to(
            positions.contiguous().numpy(),
            projection.float().numpy(),
            NEAR_PLANE,
            pixels.contiguous().numpy(),
            2 * side,
            out.numpy(),
        )
    return out


def surface_neighbours(
    layer: Tensor,  # [N] layer of each point
    pixel: Tensor,  # [N] row-major pixel of each point
    height: int,
    width: int,
) -> Tensor:
    """For each point the points to its right and below on the same layer, -1: [N, 2] int32."""
    count = int(layer.max()) + 1 if len(layer) else 0
    cell = layer.long() * (height * width) + pixel
    owner = torch.full((count * height * width + width,), -1, dtype=torch.int32)
    owner = owner.to(pixel.device)
    owner[cell] = torch.arange(len(pixel), dtype=torch.int32, device=pixel.device)
    right = torch.where(pixel % width < width - 1, owner[cell + 1], -1)
    below = torch.where(pixel < (height - 1) * width, owner[cell + width], -1)
    return torch.stack([right, below], dim=1)


def rasterize(
    points: Points, height: int, width: int, *, params: SplatParams, base: Fragments | None = None
) -> Fragments:
    """Fragments of a picture of `height` x `width`.

    Args:
        points: what to draw.
        height: of the target, pixels.
        width: of the target, pixels.
        params: footprint and K.
        base: fragments of points drawn before with the same camera. `points` are added to them
            and numbered after them, as if both had been drawn together.
    """
    assert points.pixels.dtype == torch.float32, points.pixels.dtype
    if points.pixels.device.type == "cpu":
        return _rasterize_cpu(points, height, width, params, base)
    return rasterize_torch(points, height, width, params=params, base=base)


def empty_fragments(height: int, width: int, params: SplatParams, like: Tensor) -> Fragments:
    """A picture that nothing touches."""
    shape = (height, width, params.max_points)
    return Fragments(
        index=torch.full(shape, EMPTY, dtype=torch.int32, device=like.device),
        depth=torch.full(shape, torch.inf, device=like.device),
        weight=torch.zeros(shape, device=like.device),
        drawn=0,
    )


def composite(
    fragments: Fragments,
    features: Tensor,  # [N, C] float32, rows in the order of drawing
    params: SplatParams,
) -> tuple[Tensor, Tensor]:
    """Covered sum of what the fragments carry, and coverage: [C, H, W], [1, H, W].

    The sum is not divided by the coverage. Differentiable in `features`.
    """
    if features.device.type == "cpu" and not features.requires_grad:
        return _composite_cpu(fragments, features, params, features.shape[1])
    return composite_torch(fragments, features, params)


def composite_with_disparity(
    fragments: Fragments,
    features: Tensor,  # [N, C]
    params: SplatParams,
) -> tuple[Tensor, Tensor]:
    """`composite` with the disparity 1 / depth as one more channel: [C + 1, H, W], [1, H, W]."""
    if features.device.type == "cpu" and not features.requires_grad:
        return _composite_cpu(fragments, features, params, features.shape[1] + 1)
    total, alpha = composite_torch(fragments, features, params)
    disparity = (fragment_shares(fragments, params) / fragments.depth).sum(dim=-1)
    return torch.cat([total, disparity[None]]), alpha


def _composite_cpu(
    fragments: Fragments, features: Tensor, params: SplatParams, channels: int
) -> tuple[Tensor, Tensor]:
    height, width, _ = fragments.index.shape
    out = torch.empty(channels, height, width)
    alpha = torch.empty(1, height, width)
    kernels.composite(
        fragments.index.numpy(),
        fragments.depth.numpy(),
        fragments.weight.numpy(),
        features.contiguous().numpy(),
        params.compositing == "over",
        params.same_surface,
        params.crack_gain,
        out.numpy(),
        alpha.numpy(),
    )
    return out, alpha


def fragment_shares(fragments: Fragments, params: SplatParams) -> Tensor:
    """How much of its pixel each fragment finally colours: [H, W, K], summing to at most 1.

    "over" is alpha compositing, w_k prod_{j<k} (1 - w_j). "coverage" lets each fragment fill what
    those before it left of the pixel, min(w_k, 1 - sum_{j<k} s_j): exact for evenly sampled
    surfaces, where the tents of one surface sum to one and nothing behind shines through.
    """
    weight = fragments.weight
    if params.compositing == "over":
        through = torch.cumprod(1 - weight, dim=-1)
        return weight * torch.cat([torch.ones_like(weight[..., :1]), through[..., :-1]], dim=-1)
    first = fragments.depth[..., :1] * (1 + params.same_surface)
    on_surface = (fragments.depth <= first) & torch.isfinite(fragments.depth)
    surface_cover = (weight * on_surface).sum(dim=-1, keepdim=True)
    gain = (1 / surface_cover.clamp(min=1e-6)).clamp(max=params.crack_gain)
    weight = torch.where(on_surface, weight * gain, weight)
    before = torch.cumsum(weight, dim=-1) - weight
    return torch.minimum(weight, (1 - before).clamp(min=0))


def composite_torch(
    fragments: Fragments, features: Tensor, params: SplatParams
) -> tuple[Tensor, Tensor]:
    """`composite` in torch operations: any device, gradients to the features."""
    shares = fragment_shares(fragments, params)
    index = fragments.index.long()
    index = torch.where(index == EMPTY, 0, index)
    height, width, count = index.shape
    total = features.new_zeros(height * width, features.shape[1])
    for k in range(count):
        rows = features[index[..., k].reshape(-1)]
        total = total + rows * shares[..., k].reshape(-1, 1)
    alpha = shares.sum(dim=-1)[None]
    return total.T.reshape(-1, height, width), alpha


def rasterize_torch(
    points: Points, height: int, width: int, *, params: SplatParams, base: Fragments | None = None
) -> Fragments:
    """`rasterize` in torch operations: sort all fragments by pixel, depth and index, keep K."""
    start = 0 if base is None else base.drawn
    pixel, index, depth, weight = _all_fragments(points, height, width, params)
    index = index + start
    if base is not None:
        kept = base.index.reshape(-1) != EMPTY
        cell = torch.arange(height * width, device=pixel.device)
        cell = cell.repeat_interleave(params.max_points)[kept]
        pixel = torch.cat([cell, pixel])
        index = torch.cat([base.index.reshape(-1)[kept].long(), index])
        depth = torch.cat([base.depth.reshape(-1)[kept], depth])
        weight = torch.cat([base.weight.reshape(-1)[kept], weight])
    order = torch.argsort(index)
    for key in (depth, pixel):  # stable sorts, the most significant key last
        order = order[torch.sort(key[order], stable=True).indices]
    pixel, index, depth, weight = pixel[order], index[order], depth[order], weight[order]
    first = torch.searchsorted(pixel, torch.arange(height * width, device=pixel.device))
    rank = torch.arange(len(pixel), device=pixel.device) - first[pixel]
    keep = rank < params.max_points
    slot = pixel[keep] * params.max_points + rank[keep]
    out = empty_fragments(height, width, params, points.pixels)
    out.index.view(-1)[slot] = index[keep].int()
    out.depth.view(-1)[slot] = depth[keep]
    out.weight.view(-1)[slot] = weight[keep]
    return replace(out, drawn=start + len(points.depth))


class _Touches(NamedTuple):
    """Every (pixel, point) pair that touches, in no order."""

    pixel: Tensor  # [M] int64
    index: Tensor  # [M] int64, of the point
    depth: Tensor  # [M]
    weight: Tensor  # [M]


def _all_fragments(points: Points, height: int, width: int, params: SplatParams) -> _Touches:
    visible = points.depth > NEAR_PLANE
    reach = int(points.radius[visible].max().ceil()) if bool(visible.any()) else 0
    offsets = torch.arange(-reach, reach + 1, device=points.pixels.device)
    corner = points.pixels.floor().long()
    parts = []
    for dy in offsets:
        for dx in offsets:
            x, y = corner[:, 0] + dx, corner[:, 1] + dy
            away_x = (points.pixels[:, 0] - (x + 0.5)).abs()
            away_y = (points.pixels[:, 1] - (y + 0.5)).abs()
            weight = _footprint(away_x, away_y, points.radius, params)
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            hit = torch.nonzero(visible & inside & (weight > params.min_weight))[:, 0]
            parts.append((y[hit] * width + x[hit], hit, points.depth[hit], weight[hit]))
    return _Touches(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _footprint(away_x: Tensor, away_y: Tensor, radius: Tensor, params: SplatParams) -> Tensor:
    if params.footprint == "tent":
        return (1 - away_x / radius).clamp(min=0) * (1 - away_y / radius).clamp(min=0)
    return (1 - (away_x * away_x + away_y * away_y) / (radius * radius)).clamp(min=0)


def _rasterize_cpu(
    points: Points, height: int, width: int, params: SplatParams, base: Fragments | None
) -> Fragments:
    if base is None:
        out = empty_fragments(height, width, params, points.pixels)
    else:
        out = replace(
            base,
            index=base.index.clone(),
            depth=base.depth.clone(),
            weight=base.weight.clone(),
        )
    kernels.rasterize(
        points.pixels.contiguous().numpy(),
        points.depth.contiguous().numpy(),
        points.radius.contiguous().numpy(),
        out.drawn,
        params.footprint == "disc",
        NEAR_PLANE,
        params.min_weight,
        out.index.numpy(),
        out.depth.numpy(),
        out.weight.numpy(),
        2 * torch.get_num_threads(),
    )
    return replace(out, drawn=out.drawn + len(points.depth))
