"""3D symmetric animation: the two displaced clouds of a frame (paper, section 3.3).

    static points ------------------------------+--+--> forward splat --+
    moving points + flow from the loop's start -+  |                    +--> blend
    moving points - flow to the loop's end ---------+--> backward splat -+

The forward cloud has flowed since the loop began, the backward cloud flows backward from its end.
One fades out as the other fades in, so that frame N is frame 0 again. A region with k cycles does
this k times within the loop. What moves in place stands at one place in both clouds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.geometry import pixel_centres
from cine3d_core.imaging.launch import upload
from cine3d_core.motion.euler import displacement_keys
from cine3d_core.motion.in_place import IN_PLACE
from cine3d_core.motion.point_motion import PointMotion
from cine3d_core.render.blend import BlendParams
from cine3d_core.render.fragments import Points, SplatParams
from cine3d_core.render.lift import Lift, flowed_positions, scene_flow
from cine3d_core.render.place import (
    place_points,
    screen_motion,
    surface_neighbours,
    without_torn,
)
from cine3d_core.render.splat import CloudAttributes, Clouds, cloud_attributes, splat_clouds
from cine3d_core.render.texture import texture_of_points
from cine3d_core.scene import Camera, CinemagraphScene, SceneFlow, SplatImage

BEHIND_SURFACE = 0.005  # of its depth; more than half precision loses
# Of the long side: over so much, what flows fades in from its edge, which no sharp line shows then.
# Wide enough that a line is gone on two training scenes (seeds 2 and 5); no other was tried.
SOFT_EDGE = 0.02
LEVELS = 16  # steps of that


@dataclass(frozen=True)
class AnimationParams:
    """How the two clouds are drawn and blended."""

    splat: SplatParams = field(default_factory=SplatParams)
    lift: Lift = "surface"
    blend: BlendParams = field(default_factory=BlendParams)
    # Of what was invented (behind something, beyond the border) in the cross-fade with what the
    # photo shows; 1: they count alike, as published.
    invented_weight: float = 0.05
    # `SplatParams.max_stretch` of what moves: a flow that grows faster is one surface all the same.
    flow_stretch: float = 3.0
    # Points that part farther stay, as lines of points; else what backs them is seen.
    draw_torn: bool = False
    restore_detail: bool = True  # that the splat blurs, where points carry their pixel grid


@dataclass(frozen=True)
class MovingGroup:
    """Points of one region that move by one kind of motion and as many cycles per loop."""

    region: int  # as drawn, counted from 1; 0 for none
    cycles: int
    index: Tensor  # [n] rows of the scene's cloud
    start_px: Tensor  # [n, 2] canvas pixels
    layer: Tensor  # [n]
    neighbours: Tensor  # [n, 2] rows of the group, see `surface_neighbours`
    forward: PointMotion
    backward: PointMotion


@dataclass(frozen=True)
class PreparedScene:
    """A scene with all that does not depend on the frame worked out."""

    scene: CinemagraphScene
    static: Tensor  # [n] rows of the cloud that never move
    static_positions: Tensor  # [n, 3]
    static_neighbours: Tensor  # [n, 2] rows of `static`
    groups: tuple[MovingGroup, ...]
    # Of the forward cloud's moving points, all groups one after the other, then of the backward's.
    moving_neighbours: Tensor  # [2 m, 2]
    attributes: CloudAttributes  # colour and features, static points first, then the groups


@dataclass(frozen=True)
class Shot:
    """The camera of a frame and of its neighbours in time, and which regions show another frame."""

    camera: Camera
    previous: Camera
    next: Camera
    # Region -> the frame of the loop that it shows instead of the shot's
    times: Mapping[int, float] = field(default_factory=dict)


def prepare(scene: CinemagraphScene) -> PreparedScene:
    """Separates moving and static points and integrates the motion (Eq. 3), once per scene."""
    _, _, height, width = scene.velocity.shape
    cloud = scene.cloud
    layer = cloud.layer.long()
    flat = layer * (height * width) + cloud.pixel
    speed = scene.velocity.abs().sum(dim=1).reshape(-1)[flat]
    kinds = _groups_of(scene).reshape(-1)[flat]
    moving = (speed > 0) & ~behind_surface(scene, flat)
    # Laid out as `displacement_keys` wants it, so that all groups share one copy, of only those
    # layers in which anything flows.
    flowing = torch.unique(layer[moving])
    velocity = scene.velocity[flowing].float().contiguous(memory_format=torch.channels_last)
    fields = _Fields(flowing, velocity)
    groups = tuple(
        _moving_group(scene, int(kind), torch.nonzero(moving & (kinds == kind))[:, 0], fields)
        for kind in torch.unique(kinds[moving])
    )
    for mode, planes in scene.in_place.items():
        amplitude = planes[:, :2].permute(0, 2, 3, 1).reshape(-1, 2)[flat]
        swinging = ~moving & (amplitude.abs().sum(dim=1) > 0)
        moving = moving | swinging
        groups += tuple(
            _group_in_place(scene, mode, int(kind), torch.nonzero(swinging & (kinds == kind))[:, 0])
            for kind in torch.unique(kinds[swinging])
        )
    static = torch.nonzero(~moving)[:, 0]
    return PreparedScene(
        scene,
        static,
        static_positions=cloud.positions[static],
        static_neighbours=surface_neighbours(layer[static], cloud.pixel[static], height, width),
        groups=groups,
        moving_neighbours=_moving_neighbours(groups, static),
        attributes=_attributes(scene, static, groups),
    )


_REGION = 2**16  # more than there are cycles: see `_groups_of`


def _groups_of(scene: CinemagraphScene) -> Tensor:  # [L, 1, H, W] int64
    """Region and number of cycles as one number, equal for points of one group."""
    cycles = scene.cycles.long()
    return cycles if scene.region is None else scene.region.long() * _REGION + cycles


def behind_surface(scene: CinemagraphScene, flat: Tensor) -> Tensor:
    """Which points [N] lie behind the surface on which their layer flows, and so are static.

    They are what a step of a cascade hides, over which the water of their layer flows.
    """
    depth = scene.cloud.positions[:, 2]
    return scene.layer_depth.reshape(-1)[flat] < depth * (1 - BEHIND_SURFACE)


def _moving_neighbours(groups: tuple[MovingGroup, ...], like: Tensor) -> Tensor:
    parts, start = [like.new_empty((0, 2), dtype=torch.int32)], 0
    for group in groups * 2:
        parts.append(torch.where(group.neighbours < 0, -1, group.neighbours + start))
        start += len(group.index)
    return torch.cat(parts)


def _attributes(
    scene: CinemagraphScene, static: Tensor, groups: tuple[MovingGroup, ...]
) -> CloudAttributes:
    cloud = scene.cloud
    order = torch.cat([static, *(group.index for group in groups)])
    sizes = torch.tensor(
        [len(group.index) for group in groups], dtype=torch.int64, device=order.device
    )
    numbers = torch.arange(len(groups), device=order.device).repeat_interleave(sizes)
    flowing = order[len(static) :]
    numbers = 2 * numbers + cloud.inpainted[flowing]
    numbers = LEVELS * numbers + edge_levels(scene, flowing)  # see `_phases`
    texture = cloud.rgb.new_zeros(len(order), 1)
    texture[len(static) :, 0] = texture_of_points(scene, order[len(static) :])
    columns = torch.cat([cloud.rgb[order], cloud.features[order], texture], dim=1)
    return cloud_attributes(columns, numbers)


@dataclass(frozen=True)
class _Fields:
    """The velocity of the layers in which anything flows."""

    layers: Tensor  # [F] rising
    velocity: Tensor  # [F, 2, H, W] px/frame


def _moving_group(
    scene: CinemagraphScene, kind: int, index: Tensor, fields: _Fields
) -> MovingGroup:
    region, cycles = divmod(kind, _REGION)
    _, _, height, width = scene.velocity.shape
    centres = pixel_centres(height, width, like=scene.velocity)
    start_px = centres[scene.cloud.pixel[index]]
    layer = scene.cloud.layer[index].long()
    steps = -(-scene.num_frames // cycles)  # a cycle may end between two frames
    # One step more than a cycle: motion vectors look one frame ahead.
    field = torch.searchsorted(fields.layers, layer)
    forward, backward = (
        displacement_keys(start_px, fields.velocity, steps + 1, layer=field, backward=way)
        for way in (False, True)
    )
    neighbours = surface_neighbours(layer, scene.cloud.pixel[index], height, width)
    return MovingGroup(region, cycles, index, start_px, layer, neighbours, forward, backward)


def _group_in_place(scene: CinemagraphScene, mode: str, kind: int, index: Tensor) -> MovingGroup:
    region, cycles = divmod(kind, _REGION)
    _, _, height, width = scene.velocity.shape
    layer, pixel = scene.cloud.layer[index].long(), scene.cloud.pixel[index]
    start_px = pixel_centres(height, width, like=scene.velocity)[pixel]
    planes = scene.in_place[mode].flatten(start_dim=2)[layer, :, pixel]  # [n, C]
    period = scene.num_frames / cycles
    forward, backward = (
        IN_PLACE[mode].of_points(planes, period, backward=way) for way in (False, True)
    )
    neighbours = surface_neighbours(layer, pixel, height, width)
    return MovingGroup(region, cycles, index, start_px, layer, neighbours, forward, backward)


def edge_levels(
    scene: CinemagraphScene,
    index: Tensor,  # [M] rows of the cloud that move
) -> Tensor:  # [M] int64 in [0, LEVELS)
    """How far inside of what is seen to move each point starts, in steps of `SOFT_EDGE`.

    What is hidden, or beyond the border, has no edge: it starts where nothing is seen to move.
    """
    _, _, height, width = scene.velocity.shape
    pixel, seen = scene.cloud.pixel[index], ~scene.cloud.inpainted[index]
    inside = np.zeros(height * width, np.uint8)
    inside[pixel[seen].cpu().numpy()] = 1
    distance = cv2.distanceTransform(inside.reshape(height, width), cv2.DIST_L2, 5)
    share = np.minimum(distance / max(1.0, SOFT_EDGE * max(height, width)), 1)
    level = np.rint(share * (LEVELS - 1)).astype(np.int64)
    level = torch.from_numpy(level).flatten().to(pixel.device)[pixel]
    within = torch.from_numpy(inside).to(pixel.device)[pixel] > 0
    return torch.where(within, level, LEVELS - 1)


def cycle_phase(frame: float, num_frames: int, cycles: int) -> float:
    """How much of its current cycle has passed at `frame`, in [0, 1)."""
    return (frame * cycles % num_frames) / num_frames


def group_phase(
    group: MovingGroup, frame: float, num_frames: int, times: Mapping[int, float]
) -> float:
    """How much of a group's current cycle has passed at `frame`, in [0, 1); see `Shot.times`."""
    return cycle_phase(times.get(group.region, frame), num_frames, group.cycles)


def group_flow(
    scene: CinemagraphScene, group: MovingGroup, time: float, *, backward: bool, lift: Lift
) -> SceneFlow:
    """Scene flow of a group `time` frames after (or before, if `backward`) frame 0."""
    return scene_flow(
        group.start_px,
        group.layer,
        _displacement(group, time, backward),
        scene.layer_depth,
        scene.canvas_camera,
        lift=_group_lift(group, lift),
    )


def _displacement(group: MovingGroup, time: float, backward: bool) -> Tensor:  # [n, 2] px
    return (group.backward if backward else group.forward).displacement(time)


def _group_lift(group: MovingGroup, lift: Lift) -> Lift:
    return "source" if group.forward.keeps_depth else lift


def splat_directions(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,
    params: AnimationParams,
    *,
    motion_vectors: bool = False,
) -> tuple[SplatImage, SplatImage]:
    """The forward and the backward cloud as the camera sees them (`blending.splat_channels`).

    Without `motion_vectors` the motion channels are absent.
    """
    rest = _placed(prepared, shot, prepared.static_positions, prepared.static_neighbours, params)
    there = [_moving_at(prepared, shot, frame, params.lift, back) for back in (False, True)]
    flowed, neighbours = torch.cat(there), prepared.moving_neighbours
    moving = _placed(prepared, shot, flowed, neighbours, _of_flow(params))
    if not params.draw_torn:
        canvas, limit = prepared.scene.canvas_camera, params.flow_stretch
        moving = without_torn(moving, flowed, neighbours, canvas, limit_px=limit)
    vectors = None
    if motion_vectors:
        vectors = _motion_vectors(prepared, shot, frame, params.lift, (rest, moving, there))
    phases = _phases(prepared, shot, frame, params)
    clouds = Clouds(rest, moving, prepared.attributes, phases, vectors)
    size = shot.camera.height, shot.camera.width
    forward, backward = splat_clouds(clouds, *size, params=params.splat)
    return forward, backward


def _of_flow(params: AnimationParams) -> AnimationParams:
    return replace(params, splat=replace(params.splat, max_stretch=params.flow_stretch))


def _placed(
    prepared: PreparedScene,
    shot: Shot,
    positions: Tensor,
    neighbours: Tensor,
    params: AnimationParams,
) -> Points:
    camera, photo = shot.camera, prepared.scene.camera
    # The photo's camera looks along z from the origin, so a point's z is its depth there, also
    # after it has flowed: on the canvas flowing points keep their spacing of one pixel.
    zoom = float(camera.intrinsics[1, 1] / photo.intrinsics[1, 1])
    return place_points(positions, neighbours, camera, zoom=zoom, params=params.splat)


def _phases(
    prepared: PreparedScene, shot: Shot, frame: float, params: AnimationParams
) -> Tensor:  # [2, 2 G LEVELS]
    """Cross-fade weights of each group's points, those that are seen and those invented."""
    count = prepared.scene.num_frames
    passed = torch.tensor([group_phase(g, frame, count, shot.times) for g in prepared.groups])
    least = params.invented_weight
    share = torch.linspace(0.0, 1.0, LEVELS)
    edge = torch.lerp(torch.tensor(least), torch.tensor(1.0), share.square() * (3 - 2 * share))
    weights = torch.cat([edge, least * edge])
    fades = torch.stack([1 - passed, passed])[..., None] * weights
    return upload(fades.flatten(1), prepared.attributes.rows.device)


def _moving_at(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,
    lift: Lift,
    backward: bool,
    *,
    ahead: int = 0,
) -> Tensor:
    """Positions of all moving points in one of the clouds, `ahead` frames on its way: [m, 3]."""
    scene = prepared.scene
    parts = [prepared.static_positions[:0]]
    for group in prepared.groups:
        phase = group_phase(group, frame, scene.num_frames, shot.times)
        time = (1 - phase if backward else phase) * scene.num_frames / group.cycles + ahead
        parts.append(_positions_at(scene, group, time, backward, lift))
    return torch.cat(parts)


def _positions_at(
    scene: CinemagraphScene, group: MovingGroup, time: float, backward: bool, lift: Lift
) -> Tensor:
    """World positions [n, 3] of a group `time` frames after, or before, frame 0."""
    return flowed_positions(
        group.start_px,
        group.layer,
        _displacement(group, time, backward),
        scene.layer_depth,
        scene.canvas_camera,
        lift=_group_lift(group, lift),
    )


def _motion_vectors(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,
    lift: Lift,
    placed: tuple[Points, Points, list[Tensor]],
) -> Tensor:
    """Screen motion of all points to the previous and to the next frame: [2, N + M, 4] px."""
    rest, moving, there = placed
    still, count = prepared.static_positions, len(there[0])
    static = screen_motion(still, still, rest.pixels, shot.previous, shot.next)
    clouds = []
    for backward, now in enumerate(there):
        later = _moving_at(prepared, shot, frame, lift, bool(backward), ahead=1)
        before, after = (later, 2 * now - later) if backward else (2 * now - later, later)
        pixels = moving.pixels[backward * count : (backward + 1) * count]
        clouds.append(
            torch.cat([static, screen_motion(before, after, pixels, shot.previous, shot.next)])
        )
    return torch.stack(clouds)
