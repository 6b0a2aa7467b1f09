"""Splatting: points to a picture, nearest first (paper, section 3.4).

`rasterize` finds, for every pixel, the K nearest points that touch it and by how much; `composite`
adds up what those points carry; `splat_clouds` does both at once for clouds that share static
points: a frame's forward and backward cloud. The order within a pixel is by depth, then by point
index, so a picture never depends on the order of work and nothing pops. Points are spread with a
tent, whose weights sum to one over an evenly sampled surface, or with PyTorch3D's disc (published
code).

On the CPU compiled loops do the work, all of them with the same steps (`splat_kernels`); on a
graphics card `card.fragments` does. Elsewhere, and where gradients of attributes are asked
for, torch operations do (`fragments`, `splat_clouds_torch`), with equal results.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE
from cine3d_core.imaging.launch import may_launch
from cine3d_core.render import splat_kernels as kernels
from cine3d_core.render import splat_loops as loops
from cine3d_core.render.blend import COLOURS, splat_channels
from cine3d_core.render.fragments import (
    Fragments,
    Points,
    SplatParams,
    composite_torch,
    empty_fragments,
    fragment_shares,
    rasterize_torch,
)
from cine3d_core.scene import SplatImage

MOST_ON_CARD = 12  # K up to which our own kernels draw on a card

_BAND_BYTES = 2**20  # of one band's fragments: about what stays in a core's own cache
_BYTES_PER_FRAGMENT = 12


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
    if may_launch(points.depth) and params.max_points <= MOST_ON_CARD:
        from cine3d_core.render.card import splat as card  # imports Warp, see `launch`

        return card.rasterize(points, height, width, params, base)
    return rasterize_torch(points, height, width, params=params, base=base)


def _rasterize_cpu(
    points: Points, height: int, width: int, params: SplatParams, base: Fragments | None
) -> Fragments:
    if base is None:
        out = empty_fragments(height, width, params, points.pixels)
    else:
        kept = (
            part.clone(memory_format=torch.contiguous_format)
            for part in (base.index, base.depth, base.weight)
        )
        out = Fragments(*kept, drawn=base.drawn)
    loops.list_fragments(
        _arrays(points),
        out.drawn,
        width,
        _style(params),
        _band_rows(width, params),
        torch.get_num_threads(),
        *_fragment_arrays(out),
    )
    return replace(out, drawn=out.drawn + len(points.depth))


def composite(
    fragments: Fragments,
    features: Tensor,  # [N, C] float32, rows in the order of drawing; fastest if 4 divides C
    params: SplatParams,
) -> tuple[Tensor, Tensor]:
    """Covered sum of what the fragments carry, and coverage: [C, H, W], [1, H, W].

    The sum is not divided by the coverage. Differentiable in `features`.
    """
    if features.device.type != "cpu" or features.requires_grad:
        return composite_torch(fragments, features, params)
    height, width, _ = fragments.index.shape
    out = torch.empty(features.shape[1], height, width)
    alpha = torch.empty(1, height, width)
    loops.compose(
        _fragment_arrays(fragments),
        rows_of_fours(features).numpy(),
        _style(params),
        torch.get_num_threads(),
        out.flatten(1).numpy(),
        alpha.flatten().numpy(),
    )
    return out, alpha


@dataclass(frozen=True)
class CloudAttributes:
    """What points show on the screen: rows in the order of drawing, static points first."""

    rows: Tensor  # [N + M, C4] float32: `channels` columns, zeros up to a multiple of 4
    channels: int
    group: Tensor  # [M] int16: which of the groups each moving point is in


def cloud_attributes(columns: Tensor, group: Tensor) -> CloudAttributes:
    """Columns [N + M, C] as the kernels want them; `group` [M] numbers the last M rows."""
    return CloudAttributes(rows_of_fours(columns), columns.shape[1], group.to(torch.int16))


def rows_of_fours(columns: Tensor) -> Tensor:  # [N, C] -> [N, C4]
    """Zeros at the end of the rows, up to a multiple of 4."""
    return torch.nn.functional.pad(columns, (0, -columns.shape[1] % 4)).contiguous()


@dataclass(frozen=True)
class Clouds:
    """D clouds of the same N static and of D * M moving points."""

    rest: Points  # N, drawn in every cloud and numbered first
    moving: Points  # M of the first cloud, then of the second, and so on
    attributes: CloudAttributes  # the same for all clouds
    phases: Tensor  # [D, G] cross-fade weight of each group in each cloud
    own: Tensor | None = None  # [D, N + M, 4] what points show that differs between the clouds


def splat_clouds(
    clouds: Clouds, height: int, width: int, *, params: SplatParams
) -> list[SplatImage]:
    """Each of the clouds as the camera sees it, in a picture of `height` x `width`.

    Channels are those of `blend.splat_channels`: attributes, phase, moving, own.
    """
    attributes = clouds.attributes
    draw = splat_clouds_torch
    if not attributes.rows.requires_grad:
        if attributes.rows.device.type == "cpu":
            draw = _splat_clouds_cpu
        elif may_launch(attributes.rows) and params.max_points <= MOST_ON_CARD:
            draw = _splat_clouds_on_card
    return draw(clouds, height, width, params)


def splat_clouds_torch(
    clouds: Clouds, height: int, width: int, params: SplatParams
) -> list[SplatImage]:
    """`splat_clouds` in torch operations: any device, gradients to the attributes."""
    moving, attributes = clouds.moving, clouds.attributes
    base = rasterize_torch(clouds.rest, height, width, params=params)
    count = len(attributes.group)
    tags = attributes.rows.new_zeros(len(attributes.rows), 2)
    tags[len(tags) - count :, 1] = 1
    images = []
    for cloud, phase in enumerate(clouds.phases):
        span = slice(cloud * count, (cloud + 1) * count)
        points = Points(moving.pixels[span], moving.depth[span], moving.radius[span])
        fragments = rasterize_torch(points, height, width, params=params, base=base)
        tags = tags.clone()
        tags[len(tags) - count :, 0] = phase[attributes.group.long()]
        columns = [attributes.rows[:, : attributes.channels], tags]
        columns += [] if clouds.own is None else [clouds.own[cloud]]
        total, alpha = composite_torch(fragments, torch.cat(columns, dim=1), params)
        disparity = (fragment_shares(fragments, params) / fragments.depth).sum(dim=-1)
        covered = alpha.clamp(min=1e-6)
        images.append(SplatImage(total / covered, alpha, disparity[None] / covered))
    return images


def _splat_clouds_cpu(
    clouds: Clouds, height: int, width: int, params: SplatParams
) -> list[SplatImage]:
    count, own, attributes = len(clouds.phases), clouds.own, clouds.attributes
    vectors = np.empty((count, 1, 0), np.float32) if own is None else own.contiguous().numpy()
    channels = splat_channels(attributes.channels - COLOURS - 1)
    planes = channels.motion.start + vectors.shape[2] + 1  # disparity last
    out = torch.empty(count, planes, height, width)
    alpha = torch.empty(count, height, width)
    loops.splat_clouds(
        _arrays(clouds.rest),
        kernels.PointArrays(
            *(part.reshape(count, -1, *part.shape[1:]) for part in _arrays(clouds.moving, count))
        ),
        loops.Attributes(attributes.rows.numpy(), attributes.channels, vectors),
        loops.Groups(attributes.group.numpy(), clouds.phases.float().contiguous().numpy()),
        loops.Places(channels.phase, channels.moving, channels.motion.start),
        _style(params),
        _band_rows(width, params),
        torch.get_num_threads(),
        out.view(count, planes, -1).numpy(),
        alpha.numpy(),
    )
    return _images(out, alpha)


def _splat_clouds_on_card(
    clouds: Clouds, height: int, width: int, params: SplatParams
) -> list[SplatImage]:
    from cine3d_core.render.card import splat as card  # imports Warp, see `launch`
    from cine3d_core.render.card.fragments import style_of

    images, alpha = card.splat_clouds(
        clouds.rest,
        clouds.moving,
        clouds.attributes.rows,
        channels=clouds.attributes.channels,
        group=clouds.attributes.group,
        phases=clouds.phases,
        own=clouds.own,
        style=style_of(params, height, width),
    )
    return _images(images, alpha)


def _images(
    planes: Tensor,  # [D, C + 2 + V + 1, H, W] disparity last
    alpha: Tensor,  # [D, H, W]
) -> list[SplatImage]:
    return [
        SplatImage(features=image[:-1], alpha=cover[None], disparity=image[-1:])
        for image, cover in zip(planes, alpha, strict=True)
    ]


def _band_rows(width: int, params: SplatParams) -> int:
    return min(max(_BAND_BYTES // (width * params.max_points * _BYTES_PER_FRAGMENT), 4), 64)


def _style(params: SplatParams) -> kernels.SplatStyle:
    return kernels.SplatStyle(
        disc=params.footprint == "disc",
        near=NEAR_PLANE,
        least=params.min_weight,
        over=params.compositing == "over",
        surface=1 + params.same_surface,
        gain=params.crack_gain,
        room=params.max_points,
    )


def _arrays(points: Points, clouds: int = 1) -> kernels.PointArrays:
    """The points of some clouds, one cloud after the other."""
    pixels, depth, radius = (
        tensor.contiguous().numpy() for tensor in (points.pixels, points.depth, points.radius)
    )
    count = len(depth) // clouds
    extents = np.empty((clouds, -(-count // kernels.BLOCK), 2), np.float32)
    for cloud in range(clouds):
        span = slice(cloud * count, (cloud + 1) * count)
        kernels.block_extents(pixels[span], depth[span], radius[span], NEAR_PLANE, extents[cloud])
    return kernels.PointArrays(pixels, depth, depth.view(np.uint32), radius, extents.reshape(-1, 2))


def _fragment_arrays(fragments: Fragments) -> loops.FragmentArrays:
    index, depth, weight = (
        part.contiguous().flatten(end_dim=1).numpy()
        for part in (fragments.index, fragments.depth, fragments.weight)
    )
    return loops.FragmentArrays(index, depth.view(np.uint32), weight)
