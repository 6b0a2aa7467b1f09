"""Which points make up which pixel: the splat as a sparse matrix that gradients can pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cine3d_core.render.animation import (
    AnimationParams,
    PreparedScene,
    Shot,
    cycle_phase,
    group_flow,
)
from cine3d_core.render.fragments import EMPTY, Fragments, fragment_shares
from cine3d_core.render.place import place_points
from cine3d_core.render.splat import rasterize


@dataclass(frozen=True)
class PointShares:
    """Every pixel as a sum over points."""

    point: Tensor  # [H, W, K] int64 row of the scene's cloud; 0 where there is none
    share: Tensor  # [H, W, K] float32, summing to 1 where anything is and to 0 elsewhere


def point_shares(
    prepared: PreparedScene, shot: Shot, frame: int, params: AnimationParams, *, backward: bool
) -> PointShares:
    """The points of the forward or backward cloud in each pixel of a frame.

    What `animation.splat_directions` averages with; here the points are not known to it yet.
    """
    scene, camera = prepared.scene, shot.camera
    zoom = float(camera.intrinsics[1, 1] / scene.camera.intrinsics[1, 1])

    def drawn(positions: Tensor, neighbours: Tensor, base: Fragments | None = None) -> Fragments:
        points = place_points(positions, neighbours, camera, zoom=zoom, params=params.splat)
        return rasterize(points, camera.height, camera.width, params=params.splat, base=base)

    fragments = drawn(scene.cloud.positions[prepared.static], prepared.static_neighbours)
    for group in prepared.groups:
        phase = cycle_phase(frame, scene.num_frames, group.cycles)
        time = (1 - phase if backward else phase) * scene.num_frames / group.cycles
        flow = group_flow(scene, group, time, backward=backward, lift=params.lift)
        positions = scene.cloud.positions[group.index] + flow.displacement
        fragments = drawn(positions, group.neighbours, fragments)
    order = torch.cat([prepared.static, *(group.index for group in prepared.groups)])
    share = fragment_shares(fragments, params.splat)
    share = share / share.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    index = fragments.index.long()
    return PointShares(order[torch.where(index == EMPTY, 0, index)], share)


def blended(forward: PointShares, backward: PointShares, weight: Tensor) -> PointShares:
    """Both clouds in one; the backward points are numbered as they are in their own cloud.

    `weight` [1, H, W] is the backward cloud's share, from `blending.blend_share`.
    """
    part = weight[0, :, :, None]
    return PointShares(
        torch.cat([forward.point, backward.point], dim=-1),
        torch.cat([forward.share * (1 - part), backward.share * part], dim=-1),
    )
