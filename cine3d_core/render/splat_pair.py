"""Several clouds that share what rests, drawn together: a frame's forward and backward cloud.

On the CPU one compiled pass splats all of them band by band, and works out only once what they
have in common; on a graphics card `card.fragments` does. Elsewhere, and where gradients are asked
for, `splat`'s torch operations do, with equal results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE
from cine3d_core.imaging.launch import may_launch
from cine3d_core.render import splat_pair_kernels as kernels
from cine3d_core.render.blend import COLOURS, splat_channels
from cine3d_core.render.splat import (
    MOST_ON_CARD,
    Points,
    SplatParams,
    composite_with_disparity,
    rasterize,
)
from cine3d_core.scene import SplatImage

_BAND_BYTES = 2**20  # of one band's fragments: about what stays in a core's own cache
_BYTES_PER_FRAGMENT = 12


@dataclass(frozen=True)
class Carried:
    """What points bring to the screen: rows in the order of drawing, resting points first."""

    rows: Tensor  # [N + M, C4] float32: `channels` columns, zeros up to a multiple of 4
    channels: int
    group: Tensor  # [M] int16: which of the groups each moving point is in


def carried_by(columns: Tensor, group: Tensor) -> Carried:
    """Columns [N + M, C] as the kernels want them; `group` [M] numbers the last M rows."""
    channels = columns.shape[1]
    rows = torch.nn.functional.pad(columns, (0, -channels % 4)).contiguous()
    return Carried(rows, channels, group.to(torch.int16))


def splat_clouds(
    rest: Points,
    moving: Points,
    carried: Carried,
    *,
    phases: Tensor,  # [D, G] cross-fade weight of each group in each cloud
    own: Tensor | None,  # [D, N + M, 4] what points bring that differs between the clouds
    height: int,
    width: int,
    params: SplatParams,
) -> list[SplatImage]:
    """D clouds of the same N resting and D * M moving points, each as the camera sees it.

    Channels are those of `blending.splat_channels`: carried, phase, moving, own.

    Args:
        rest: N points, drawn in every cloud and numbered first.
        moving: of the first cloud, then of the second, and so on; M of each.
        carried: the same for all clouds.
        phases: see above.
        own: see above; None for nothing.
        height: of the picture.
        width: of the picture.
        params: how points become pixels.
    """
    draw = splat_clouds_torch
    if not carried.rows.requires_grad:
        if carried.rows.device.type == "cpu":
            draw = _splat_clouds_cpu
        elif may_launch(carried.rows) and params.max_points <= MOST_ON_CARD:
            draw = _splat_clouds_on_card
    return draw(
        rest,
        moving,
        carried,
        phases=phases,
        own=own,
        height=height,
        width=width,
        params=params,
    )


def splat_clouds_torch(
    rest: Points,
    moving: Points,
    carried: Carried,
    *,
    phases: Tensor,
    own: Tensor | None,
    height: int,
    width: int,
    params: SplatParams,
) -> list[SplatImage]:
    """`splat_clouds` in torch operations: any device, gradients to what is carried."""
    base = rasterize(rest, height, width, params=params)
    count = len(carried.group)
    tags = carried.rows.new_zeros(len(carried.rows), 2)
    tags[len(tags) - count :, 1] = 1
    images = []
    for cloud, phase in enumerate(phases):
        span = slice(cloud * count, (cloud + 1) * count)
        points = Points(moving.pixels[span], moving.depth[span], moving.radius[span])
        fragments = rasterize(points, height, width, params=params, base=base)
        tags = tags.clone()
        tags[len(tags) - count :, 0] = phase[carried.group.long()]
        columns = [carried.rows[:, : carried.channels], tags]
        columns += [] if own is None else [own[cloud]]
        total, alpha = composite_with_disparity(fragments, torch.cat(columns, dim=1), params)
        average = total / alpha.clamp(min=1e-6)
        images.append(SplatImage(features=average[:-1], alpha=alpha, disparity=average[-1:]))
    return images


def _splat_clouds_cpu(
    rest: Points,
    moving: Points,
    carried: Carried,
    *,
    phases: Tensor,
    own: Tensor | None,
    height: int,
    width: int,
    params: SplatParams,
) -> list[SplatImage]:
    clouds = len(phases)
    vectors = np.empty((clouds, 1, 0), np.float32) if own is None else own.contiguous().numpy()
    channels = splat_channels(carried.channels - COLOURS)
    planes = channels.motion.start + vectors.shape[2] + 1  # disparity last
    out = torch.empty(clouds, planes, height, width)
    alpha = torch.empty(clouds, height, width)
    row_bytes = width * params.max_points * _BYTES_PER_FRAGMENT
    kernels.splat_clouds(
        _arrays(rest),
        kernels.PointArrays(
            *(array.reshape(clouds, -1, *array.shape[1:]) for array in _arrays(moving, clouds))
        ),
        kernels.Attributes(carried.rows.numpy(), carried.channels, vectors),
        kernels.Groups(carried.group.numpy(), phases.float().contiguous().numpy()),
        kernels.Places(channels.phase, channels.moving, channels.motion.start),
        _style(params),
        min(max(_BAND_BYTES // row_bytes, 4), 64),
        torch.get_num_threads(),
        out.view(clouds, planes, -1).numpy(),
        alpha.numpy(),
    )
    return [
        SplatImage(features=image[:-1], alpha=cover[None], disparity=image[-1:])
        for image, cover in zip(out, alpha, strict=True)
    ]


def _splat_clouds_on_card(
    rest: Points,
    moving: Points,
    carried: Carried,
    *,
    phases: Tensor,
    own: Tensor | None,
    height: int,
    width: int,
    params: SplatParams,
) -> list[SplatImage]:
    from cine3d_core.render.card import splat as card  # imports Warp, see `launch`
    from cine3d_core.render.card.fragments import style_of

    images, alpha = card.splat_clouds(
        rest,
        moving,
        carried.rows,
        channels=carried.channels,
        group=carried.group,
        phases=phases,
        own=own,
        style=style_of(params, height, width),
    )
    return [
        SplatImage(features=image[:-1], alpha=cover[None], disparity=image[-1:])
        for image, cover in zip(images, alpha, strict=True)
    ]


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
