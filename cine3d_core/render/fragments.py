"""Points, the fragments that they leave in pixels, and both steps of splatting in torch operations.

`splat` says what they mean. These operations work on every device and give gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE

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


def empty_fragments(height: int, width: int, params: SplatParams, like: Tensor) -> Fragments:
    """A picture that nothing touches."""
    shape = (height, width, params.max_points)
    return Fragments(
        index=torch.full(shape, EMPTY, dtype=torch.int32, device=like.device),
        depth=torch.full(shape, torch.inf, device=like.device),
        weight=torch.zeros(shape, device=like.device),
        drawn=0,
    )


def rasterize_torch(
    points: Points, height: int, width: int, *, params: SplatParams, base: Fragments | None = None
) -> Fragments:
    """`rasterize` in torch operations: sort all fragments by pixel and depth, keep K.

    They come in the order of their points, which a stable sort keeps where depths are equal.
    """
    start = 0 if base is None else base.drawn
    area, count = height * width, params.max_points
    touches = _all_touches(points, height, width, params)
    pixel, depth, weight = touches.pixel, touches.depth, touches.weight
    index = touches.point + start
    if base is not None:
        cell = torch.arange(area, device=pixel.device).repeat_interleave(count)
        before = base.index.reshape(-1).long()
        pixel = torch.cat([torch.where(before == EMPTY, area, cell), pixel])
        index = torch.cat([before, index])
        depth = torch.cat([base.depth.reshape(-1), depth])
        weight = torch.cat([base.weight.reshape(-1), weight])
    # Positive floats sort like their bits.
    key = (pixel << 32) | depth.contiguous().view(torch.int32).long()
    order = torch.sort(key, stable=True).indices
    pixel, index, depth, weight = pixel[order], index[order], depth[order], weight[order]
    first = torch.searchsorted(pixel, torch.arange(area + 1, device=pixel.device))
    rank = torch.arange(len(pixel), device=pixel.device) - first[pixel]
    # What is not kept goes to one place behind all pixels: choosing would wait for the device.
    slot = torch.where((rank < count) & (pixel < area), pixel * count + rank, area * count)
    shape = (height, width, count)
    found = (
        values.new_full((area * count + 1,), nothing).index_copy_(0, slot, values)
        for values, nothing in ((index.int(), EMPTY), (depth, torch.inf), (weight, 0.0))
    )
    kept = (values[:-1].view(shape) for values in found)
    return Fragments(*kept, drawn=start + len(points.depth))


class _Touches(NamedTuple):
    """Every (pixel, point) pair that may touch, in the order of the points."""

    pixel: Tensor  # [M] int64; those that do not touch have the pixel height * width
    point: Tensor  # [M] int64, index of it
    depth: Tensor  # [M]
    weight: Tensor  # [M]


def _all_touches(points: Points, height: int, width: int, params: SplatParams) -> _Touches:
    seen = points.depth > NEAR_PLANE
    low = torch.ceil(points.pixels - points.radius[:, None] - 0.5).clamp(min=0)
    high = torch.floor(points.pixels + points.radius[:, None] - 0.5)
    last = high[:, 0].clamp(max=width - 1), high[:, 1].clamp(max=height - 1)
    high = torch.stack(last, dim=1)
    sides = torch.where(seen[:, None], high - low + 1, 0).nan_to_num(0.0).clamp(min=0).long()
    touches = sides[:, 0] * sides[:, 1]
    ends = torch.cumsum(touches, 0)
    total = int(ends[-1]) if len(ends) else 0  # the one wait for the device
    point = torch.arange(len(ends), device=ends.device)
    point = point.repeat_interleave(touches, output_size=total)
    local = torch.arange(total, device=ends.device) - (ends - touches)[point]
    corner, across = low[point].long(), sides[point, 0]
    x, y = corner[:, 0] + local % across, corner[:, 1] + local // across
    away_x = (points.pixels[point, 0] - (x + 0.5)).abs()
    away_y = (points.pixels[point, 1] - (y + 0.5)).abs()
    weight = _footprint(away_x, away_y, points.radius[point], params)
    pixel = torch.where(weight > params.min_weight, y * width + x, height * width)
    return _Touches(pixel, point, points.depth[point], weight)


def _footprint(away_x: Tensor, away_y: Tensor, radius: Tensor, params: SplatParams) -> Tensor:
    if params.footprint == "tent":
        return (1 - away_x / radius).clamp(min=0) * (1 - away_y / radius).clamp(min=0)
    return (1 - (away_x * away_x + away_y * away_y) / (radius * radius)).clamp(min=0)


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
    if len(features) == 0:  # then these zeros have no row either
        features = features.new_zeros(1, features.shape[1])
    height, width, count = index.shape
    total = features.new_zeros(height * width, features.shape[1])
    for k in range(count):
        rows = features[index[..., k].reshape(-1)]
        total = total + rows * shares[..., k].reshape(-1, 1)
    alpha = shares.sum(dim=-1)[None]
    return total.T.reshape(-1, height, width), alpha
