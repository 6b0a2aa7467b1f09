"""Splatting on a graphics card: buffers and launches of `card.fragments` and `card.draw`."""

# The structs of Warp are no classes of Python.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cine3d_core.imaging.launch import launch
from cine3d_core.render.card import fragments as kernels
from cine3d_core.render.card.draw import draw
from cine3d_core.render.card.room import room_on
from cine3d_core.render.fragments import EMPTY, Fragments, Points, SplatParams


@dataclass(frozen=True)
class Cloud:
    """Points of one or more clouds that go into separate lists."""

    points: Points  # D * M, all contiguous
    each: int  # M
    first_list: int
    first_index: int


@dataclass(frozen=True)
class Lists:
    """The fragments of a picture."""

    counts: Tensor  # [P * L] int32
    begins: Tensor  # [P * L] int32
    keys: Tensor  # [C] int64


def list_touches(clouds: list[Cloud], lists: int, style: kernels.Style) -> Lists:
    """Every touch of a point and a pixel, in `lists` lists a pixel."""
    device = clouds[0].points.depth.device
    room = room_on(device)
    counts = torch.zeros(style.height * style.width * lists, dtype=torch.int32, device=device)
    clouds = [cloud for cloud in clouds if len(cloud.points.depth)]
    for cloud in clouds:
        launch(kernels.count_touches, *_arguments(cloud, lists, style), counts)
    ends = torch.cumsum(counts, 0, dtype=torch.int32)
    total = ends[-1:].clone()  # writing counts down from the ends
    room.ask(total)
    for cloud in clouds:
        places = _arguments(cloud, lists, style)
        bits = cloud.points.depth.view(torch.int32)
        launch(kernels.write_touches, *places, bits, cloud.first_index, ends, room.keys)
    return Lists(counts, ends, room.keys)


def _arguments(cloud: Cloud, lists: int, style: kernels.Style) -> list[Any]:
    """What counting and writing are told of a cloud, in the order of their parameters."""
    points = cloud.points
    places = (points.pixels, points.depth, points.radius)
    return [len(points.depth), *places, cloud.each, cloud.first_list, lists, style]


def rasterize(
    points: Points, height: int, width: int, params: SplatParams, base: Fragments | None
) -> Fragments:
    """See `render.splat.rasterize`."""
    points, style = _contiguous(points), kernels.style_of(params, height, width)
    drawn = 0 if base is None else base.drawn
    cloud = Cloud(points, len(points.depth), first_list=0, first_index=drawn)
    lists = list_touches([cloud], 1, style)
    shape = (height * width, params.max_points)
    index = torch.empty(shape, dtype=torch.int32, device=points.depth.device)
    depth, weight = points.depth.new_empty(shape), points.depth.new_empty(shape)
    launch(
        kernels.select,
        height * width,
        *(points.pixels, points.depth, points.radius),
        *(lists.counts, lists.begins, lists.keys, style, drawn),
        *_base(base, like=points.depth),
        *(index, depth, weight),
    )
    parts = (part.view(height, width, -1) for part in (index, depth, weight))
    return Fragments(*parts, drawn=drawn + len(points.depth))


def _contiguous(points: Points) -> Points:
    return Points(points.pixels.contiguous(), points.depth.contiguous(), points.radius.contiguous())


def _base(base: Fragments | None, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keys, depth and weight of fragments [P, K]; nothing, [0, 0], for None."""
    if base is None:
        nothing = like.new_empty(0, 0)
        return nothing.long(), nothing, nothing
    index, depth, weight = (
        part.contiguous().flatten(end_dim=1) for part in (base.index, base.depth, base.weight)
    )
    keys = (depth.view(torch.int32).long() << 32) | index.long()
    return torch.where(index == EMPTY, -1, keys), depth, weight


def splat_clouds(
    rest: Points,
    moving: Points,
    rows: Tensor,  # [N + M, C4] what all carry
    *,
    channels: int,
    group: Tensor,  # [M] int16
    phases: Tensor,  # [D, G]
    own: Tensor | None,  # [D, N + M, 4]
    style: kernels.Style,
) -> tuple[Tensor, Tensor]:
    """Averages [D, C + 2 + V + 1, H, W] and coverage [D, H, W]; see `render.splat`."""
    clouds, rest, moving = len(phases), _contiguous(rest), _contiguous(moving)
    static = Cloud(rest, len(rest.depth), first_list=0, first_index=0)
    flowing = Cloud(moving, len(group), first_list=1, first_index=len(rest.depth))
    lists = list_touches([static, flowing], 1 + clouds, style)
    vectors = 0 if own is None else own.shape[2]
    area = style.height * style.width
    out = rows.new_empty(clouds, channels + 2 + vectors + 1, area)
    alpha = rows.new_empty(clouds, area)
    launch(
        draw,
        area,
        *(rest.pixels, rest.depth, rest.radius),
        *(moving.pixels, moving.depth, moving.radius),
        *(lists.counts, lists.begins, lists.keys),
        rows.view(len(rows), rows.shape[1] // 4, 4),
        channels,
        rows.new_empty(clouds, 0, 4) if own is None else own.contiguous(),
        *(group, phases.contiguous(), clouds, style, out, alpha),
    )
    size = (style.height, style.width)
    return out.unflatten(2, size), alpha.unflatten(1, size)
