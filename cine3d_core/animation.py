"""3D symmetric animation: the two displaced clouds of a frame (paper, section 3.3).

    static points ------------------------------+--> fragments --+--> forward splat --+
    moving points + flow from the loop's start -+                |                    +--> blend
    moving points - flow to the loop's end -----+----------------+--> backward splat -+

The forward cloud has flowed since the loop began, the backward cloud flows backward from its end.
One fades out as the other fades in, so that frame N is frame 0 again. A region with k cycles does
this k times within the loop. What sways stands at one place in both clouds (`sway`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from cine3d_core.blending import BlendParams
from cine3d_core.euler import DisplacementKeys, displacement_at, displacement_keys
from cine3d_core.geometry import pixel_centres, project
from cine3d_core.scene import Camera, CinemagraphScene, SceneFlow, SplatImage
from cine3d_core.scene_flow import Lift, flowed_positions, scene_flow
from cine3d_core.splatting import (
    Fragments,
    Points,
    SplatParams,
    composite_with_disparity,
    place_points,
    rasterize,
    surface_neighbours,
)
from cine3d_core.sway import Sway, sway_at, sway_of_points


@dataclass(frozen=True)
class AnimationParams:
    """How the two clouds are drawn and blended."""

    splat: SplatParams = field(default_factory=SplatParams)
    lift: Lift = "surface"
    blend: BlendParams = field(default_factory=BlendParams)


@dataclass(frozen=True)
class MovingGroup:
    """Moving points that go through the same number of cycles per loop, all flowing or swaying."""

    cycles: int
    index: Tensor  # [n] rows of the scene's cloud
    start_px: Tensor  # [n, 2] canvas pixels
    layer: Tensor  # [n]
    neighbours: Tensor  # [n, 2] rows of the group, see `surface_neighbours`
    forward: DisplacementKeys | Sway
    backward: DisplacementKeys | Sway


@dataclass(frozen=True)
class PreparedScene:
    """A scene with all that does not depend on the frame worked out."""

    scene: CinemagraphScene
    static: Tensor  # [n] rows of the cloud that never move
    static_neighbours: Tensor  # [n, 2] rows of `static`
    groups: tuple[MovingGroup, ...]
    # What the splatter carries, in the order of drawing, static points first: colour, features,
    # and one channel per group that is 1 for its points. [N, 3 + C + G]
    carried: Tensor


@dataclass(frozen=True)
class Shot:
    """The camera of a frame and of its neighbours in time."""

    camera: Camera
    previous: Camera
    next: Camera


def prepare(scene: CinemagraphScene) -> PreparedScene:
    """Separates what moves from what rests and integrates the motion (Eq. 3), once per scene."""
    _, _, height, width = scene.velocity.shape
    cloud = scene.cloud
    layer = cloud.layer.long()
    flat = layer * (height * width) + cloud.pixel
    speed = scene.velocity.abs().sum(dim=1).reshape(-1)[flat]
    cycles = scene.cycles.reshape(-1)[flat].long()
    moving = speed > 0
    # Laid out as `displacement_keys` wants it, so that all groups share one copy each way.
    velocity = scene.velocity.float().contiguous(memory_format=torch.channels_last)
    both_ways = velocity, -velocity
    groups = tuple(
        _moving_group(scene, int(count), torch.nonzero(moving & (cycles == count))[:, 0], both_ways)
        for count in torch.unique(cycles[moving])
    )
    if scene.sway is not None:
        sway = scene.sway.permute(0, 2, 3, 1).reshape(-1, 3)[flat]
        swaying = ~moving & (sway[:, :2].abs().sum(dim=1) > 0)
        moving = moving | swaying
        groups += tuple(
            _swaying_group(scene, int(count), torch.nonzero(swaying & (cycles == count))[:, 0])
            for count in torch.unique(cycles[swaying])
        )
    static = torch.nonzero(~moving)[:, 0]
    neighbours = surface_neighbours(layer[static], cloud.pixel[static], height, width)
    return PreparedScene(scene, static, neighbours, groups, _carried(scene, static, groups))


def _carried(scene: CinemagraphScene, static: Tensor, groups: tuple[MovingGroup, ...]) -> Tensor:
    order = torch.cat([static, *(group.index for group in groups)])
    belongs = torch.zeros(len(order), len(groups), device=order.device)
    start = len(static)
    for number, group in enumerate(groups):
        belongs[start : start + len(group.index), number] = 1
        start += len(group.index)
    return torch.cat([scene.cloud.rgb[order], scene.cloud.features[order], belongs], dim=1)


def _moving_group(
    scene: CinemagraphScene, cycles: int, index: Tensor, both_ways: tuple[Tensor, Tensor]
) -> MovingGroup:
    _, _, height, width = scene.velocity.shape
    centres = pixel_centres(height, width, like=scene.velocity)
    start_px = centres[scene.cloud.pixel[index]]
    layer = scene.cloud.layer[index].long()
    steps = -(-scene.num_frames // cycles)  # a cycle may end between two frames
    # One step more than a cycle: motion vectors look one frame ahead.
    forward, backward = (
        displacement_keys(start_px, velocity, steps + 1, layer=layer) for velocity in both_ways
    )
    neighbours = surface_neighbours(layer, scene.cloud.pixel[index], height, width)
    return MovingGroup(cycles, index, start_px, layer, neighbours, forward, backward)


def _swaying_group(scene: CinemagraphScene, cycles: int, index: Tensor) -> MovingGroup:
    assert scene.sway is not None
    _, _, height, width = scene.velocity.shape
    layer, pixel = scene.cloud.layer[index].long(), scene.cloud.pixel[index]
    start_px = pixel_centres(height, width, like=scene.velocity)[pixel]
    values = scene.sway.flatten(start_dim=2)[layer, :, pixel]  # [n, 3]
    period = scene.num_frames / cycles
    forward, backward = (
        sway_of_points(values[:, :2], values[:, 2], period, backward=way) for way in (False, True)
    )
    neighbours = surface_neighbours(layer, pixel, height, width)
    return MovingGroup(cycles, index, start_px, layer, neighbours, forward, backward)


def cycle_phase(frame: int, num_frames: int, cycles: int) -> float:
    """How much of its current cycle has passed at `frame`, in [0, 1)."""
    return (frame * cycles % num_frames) / num_frames


def group_flow(
    scene: CinemagraphScene, group: MovingGroup, time: float, *, backward: bool, lift: Lift
) -> SceneFlow:
    """Scene flow of a group `time` frames after (or before, if `backward`) it was at rest."""
    return scene_flow(
        group.start_px,
        group.layer,
        _displacement(group, time, backward),
        scene.layer_depth,
        scene.canvas_camera,
        lift=_group_lift(group, lift),
    )


def _displacement(group: MovingGroup, time: float, backward: bool) -> Tensor:  # [n, 2] px
    motion = group.backward if backward else group.forward
    return sway_at(motion, time) if isinstance(motion, Sway) else displacement_at(motion, time)


def _group_lift(group: MovingGroup, lift: Lift) -> Lift:
    """What sways keeps its depth: a reed that bends aside does not take that of what is there."""
    return "source" if isinstance(group.forward, Sway) else lift


def splat_directions(
    prepared: PreparedScene,
    shot: Shot,
    frame: int,
    params: AnimationParams,
    *,
    motion_vectors: bool = False,
) -> tuple[SplatImage, SplatImage]:
    """The forward and the backward cloud as the camera sees them (`blending.splat_channels`).

    Without `motion_vectors` the motion channels are absent.
    """
    view = _View(prepared, shot, frame, params)
    rest = prepared.scene.cloud.positions[prepared.static]
    points = view.place(rest, prepared.static_neighbours)
    base = rasterize(points, shot.camera.height, shot.camera.width, params=params.splat)
    vectors = None
    if motion_vectors:
        vectors = _motion(rest, torch.zeros_like(rest), points.pixels, shot)
    forward = _splat_one(view, base, vectors, backward=False)
    return forward, _splat_one(view, base, vectors, backward=True)


@dataclass(frozen=True)
class _View:
    """What the two clouds of a frame share."""

    prepared: PreparedScene
    shot: Shot
    frame: int
    params: AnimationParams

    def place(self, positions: Tensor, neighbours: Tensor) -> Points:
        camera, photo = self.shot.camera, self.prepared.scene.camera
        # The photo's camera looks along z from the origin, so a point's z is its depth there, also
        # after it has flowed: on the canvas flowing points keep their spacing of one pixel.
        zoom = float(camera.intrinsics[1, 1] / photo.intrinsics[1, 1])
        return place_points(positions, neighbours, camera, zoom=zoom, params=self.params.splat)


def _splat_one(
    view: _View, base: Fragments, static_vectors: Tensor | None, *, backward: bool
) -> SplatImage:
    """One cloud: the static fragments with the displaced moving points added.

    Args:
        view: scene, camera and frame.
        base: fragments of the static points.
        static_vectors: their motion vectors [n, 4], or None when none are wanted.
        backward: which of the two clouds.
    """
    scene, camera = view.prepared.scene, view.shot.camera
    fragments, phases, vectors = base, [], [static_vectors]
    for group in view.prepared.groups:
        phase = cycle_phase(view.frame, scene.num_frames, group.cycles)
        phases.append(phase if backward else 1 - phase)
        time = (1 - phase if backward else phase) * scene.num_frames / group.cycles
        positions = _positions_at(scene, group, time, backward, view.params.lift)
        points = view.place(positions, group.neighbours)
        fragments = rasterize(
            points, camera.height, camera.width, params=view.params.splat, base=fragments
        )
        if static_vectors is not None:
            later = _positions_at(scene, group, time + 1, backward, view.params.lift)
            step = positions - later if backward else later - positions
            vectors.append(_motion(positions, step, points.pixels, view.shot))
    carried = view.prepared.carried
    if static_vectors is not None:
        carried = torch.cat([carried, torch.cat([v for v in vectors if v is not None])], dim=1)
    total, alpha = composite_with_disparity(fragments, carried, view.params.splat)
    return _splat_image(total / alpha.clamp(min=1e-6), alpha, phases, scene)


def _positions_at(
    scene: CinemagraphScene, group: MovingGroup, time: float, backward: bool, lift: Lift
) -> Tensor:
    """World positions [n, 3] of a group `time` frames after, or before, it was at rest."""
    return flowed_positions(
        group.start_px,
        group.layer,
        _displacement(group, time, backward),
        scene.layer_depth,
        scene.canvas_camera,
        lift=_group_lift(group, lift),
    )


def _splat_image(
    average: Tensor,  # [3 + C + G (+ 4) + 1, H, W] as carried, motion vectors, disparity
    alpha: Tensor,  # [1, H, W]
    phases: list[float],  # cross-fade weight of each group
    scene: CinemagraphScene,
) -> SplatImage:
    """Channels as `blending.splat_channels` orders them."""
    own = 3 + scene.cloud.features.shape[1]
    belongs = average[own : own + len(phases)]
    weights = torch.tensor(phases, dtype=average.dtype, device=average.device)
    phase = (belongs * weights[:, None, None]).sum(dim=0, keepdim=True)
    moving = belongs.sum(dim=0, keepdim=True)
    vectors = average[own + len(phases) : -1]
    features = torch.cat([average[:own], phase, moving, vectors])
    return SplatImage(features=features, alpha=alpha, disparity=average[-1:])


def _motion(positions: Tensor, step: Tensor, pixels: Tensor, shot: Shot) -> Tensor:
    """Screen motion to the previous and to the next frame: [n, 4] px."""
    before, _ = project(positions - step, shot.previous)
    after, _ = project(positions + step, shot.next)
    return torch.cat([before - pixels, after - pixels], dim=1)
