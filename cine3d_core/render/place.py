"""Points on the screen of a camera: where, how far, how large, and how they move there."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from cine3d_core.geometry import NEAR_PLANE, project
from cine3d_core.imaging.launch import may_launch
from cine3d_core.render import place_kernels as kernels
from cine3d_core.render.fragments import Points, SplatParams
from cine3d_core.scene import Camera

NOWHERE = -1e6  # px: a point there touches no picture


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
    projection = _projection(camera)
    if may_launch(positions):
        from cine3d_core.render.card import points as card  # imports Warp, see `launch`

        limits, scale = (params.min_radius_px, params.max_radius_px), params.radius_px * zoom
        return Points(
            *card.place(
                positions,
                neighbours,
                projection,
                near=NEAR_PLANE,
                scale=scale,
                limits=limits,
                max_stretch=params.max_stretch,
            )
        )
    if positions.device.type != "cpu":
        return place_points_torch(positions, neighbours, camera, zoom=zoom, params=params)
    count = len(positions)
    points = Points(torch.empty(count, 2), torch.empty(count), torch.empty(count))
    kernels.place(
        positions.contiguous().numpy(),
        neighbours.contiguous().numpy(),
        projection.numpy(),
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


def _projection(camera: Camera) -> Tensor:  # [3, 4] float32, K [R | t]
    return (camera.intrinsics.double() @ camera.world_to_camera[:3].double()).float()


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


def without_torn(
    points: Points,
    positions: Tensor,  # [N, 3] float32 world
    neighbours: Tensor,  # [N, 2] int32, as for `place_points`
    canvas_camera: Camera,
    *,
    limit_px: float,
) -> Points:
    """Points that flow, without those that the flow parts from a neighbour by more than that.

    What is left of a surface there are lines of points, with gaps between them through which all
    that lies behind is seen. On the canvas it is the flow alone that parts points, no camera.
    """
    if points.pixels.device.type != "cpu":
        return without_torn_torch(points, positions, neighbours, canvas_camera, limit_px=limit_px)
    pixels = points.pixels.clone()
    kernels.tear(
        positions.contiguous().numpy(),
        neighbours.contiguous().numpy(),
        _projection(canvas_camera).numpy(),
        limit_px,
        NOWHERE,
        pixels.numpy(),
    )
    return replace(points, pixels=pixels)


def without_torn_torch(
    points: Points,
    positions: Tensor,
    neighbours: Tensor,
    canvas_camera: Camera,
    *,
    limit_px: float,
) -> Points:
    """`without_torn` in torch operations, for any device."""
    at, _ = project(positions, canvas_camera)
    torn = torch.zeros(len(at), dtype=torch.bool, device=at.device)
    for other in neighbours.long().unbind(dim=1):
        away = (at[other] - at).abs().amax(dim=1)
        torn |= (other >= 0) & (away > limit_px)
    return replace(points, pixels=torch.where(torn[:, None], NOWHERE, points.pixels))


def screen_motion(
    before: Tensor,  # [N, 3] world positions at the previous frame
    after: Tensor,  # [N, 3] at the next frame
    pixels: Tensor,  # [N, 2] where the points are now
    previous: Camera,
    following: Camera,
) -> Tensor:  # [N, 4] px
    """The way on the screen to the previous frame (x, y) and to the next (x, y)."""
    if may_launch(pixels):
        from cine3d_core.render.card import points as card  # imports Warp, see `launch`

        cameras = _projection(previous), _projection(following)
        return card.screen_motion(before, after, pixels, *cameras, NEAR_PLANE)
    if pixels.device.type != "cpu":
        moments = (before, previous), (after, following)
        return torch.cat([project(at, camera)[0] - pixels for at, camera in moments], dim=1)
    out = torch.empty(len(pixels), 4)
    for side, (positions, camera) in enumerate(((before, previous), (after, following))):
        kernels.way_to(
            positions.contiguous().numpy(),
            _projection(camera).numpy(),
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
    """For each point the points to its right and below on the same layer, -1: [N, 2] int32.

    Of several points of one layer in one pixel, as where a backing layer is, the first is the
    neighbour.
    """
    count = int(layer.max()) + 1 if len(layer) else 0
    cell = layer.long() * (height * width) + pixel
    row = torch.arange(len(pixel), dtype=torch.int32, device=pixel.device)
    owner = row.new_full((count * height * width + width,), -1)
    # plain assignment leaves to chance which of several is kept
    owner.scatter_reduce_(0, cell, row, "amin", include_self=False)
    right = torch.where(pixel % width < width - 1, owner[cell + 1], -1)
    below = torch.where(pixel < (height - 1) * width, owner[cell + width], -1)
    return torch.stack([right, below], dim=1)
