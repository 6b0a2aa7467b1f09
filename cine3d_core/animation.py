"""3D symmetric animation: two displaced clouds become one frame (paper, sections 3.3 and 3.4).

    static points ------------------------------+--> fragments --+--> forward splat --+
    moving points + flow from the loop's start -+                |                    +--> blend
    moving points - flow to the loop's end -----+----------------+--> backward splat -+

The forward cloud has flowed since the loop began, the backward cloud flows backward from its end.
One fades out as the other fades in, so that frame N is frame 0 again. A region with k cycles does
this k times within the loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from cine3d_core.euler import DisplacementKeys, displacement_at, displacement_keys
from cine3d_core.geometry import pixel_centres, project
from cine3d_core.scene import Camera, CinemagraphScene, SplatImage
from cine3d_core.scene_flow import Lift, SceneFlow, scene_flow
from cine3d_core.splatting import (
    Fragments,
    Points,
    SplatParams,
    composite,
    rasterize,
    splat_radius,
)

Blend = Literal["variance", "linear", "eq4"]


@dataclass(frozen=True)
class AnimationParams:
    """How the two clouds are drawn and blended."""

    splat: SplatParams = field(default_factory=SplatParams)
    lift: Lift = "surface"
    # "eq4" weighs by exp(-depth), the paper; "linear" by exp(disparity) normalised once per scene;
    # "variance" is "linear" with the texture contrast that cross-fading loses put back.
    blend: Blend = "variance"
    contrast_window: float = 1 / 60  # of the long side; what counts as texture for "variance"


@dataclass(frozen=True)
class MovingGroup:
    """Moving points that go through the same number of cycles per loop."""

    cycles: int
    index: Tensor  # [n] rows of the scene's cloud
    start_px: Tensor  # [n, 2] canvas pixels
    layer: Tensor  # [n]
    forward: DisplacementKeys
    backward: DisplacementKeys


@dataclass(frozen=True)
class PreparedScene:
    """A scene with all that does not depend on the frame worked out."""

    scene: CinemagraphScene
    static: Tensor  # [n] rows of the cloud that never move
    groups: tuple[MovingGroup, ...]


@dataclass(frozen=True)
class SplatChannels:
    """Where each quantity lies among the channels that `splat_directions` returns."""

    rgb: slice
    features: slice
    phase: int  # cross-fade weight of moving points in [0, 1]; 0 for resting ones
    moving: int
    motion: slice  # px to the previous frame (x, y), to the next (x, y)


@dataclass(frozen=True)
class Shot:
    """The camera of a frame and of its neighbours in time."""

    camera: Camera
    previous: Camera
    next: Camera


def splat_channels(num_features: int) -> SplatChannels:
    """Layout for clouds with `num_features` learned features."""
    end = 3 + num_features
    return SplatChannels(slice(0, 3), slice(3, end), end, end + 1, slice(end + 2, end + 6))


def prepare(scene: CinemagraphScene) -> PreparedScene:
    """Separates what moves from what rests and integrates the motion (Eq. 3), once per scene."""
    _, _, height, width = scene.velocity.shape
    cloud = scene.cloud
    layer = cloud.layer.long()
    flat = layer * (height * width) + cloud.pixel
    speed = scene.velocity.abs().sum(dim=1).reshape(-1)[flat]
    cycles = scene.cycles.reshape(-1)[flat].long()
    moving = speed > 0
    groups = tuple(
        _moving_group(scene, int(count), torch.nonzero(moving & (cycles == count))[:, 0])
        for count in torch.unique(cycles[moving])
    )
    return PreparedScene(scene, torch.nonzero(~moving)[:, 0], groups)


def _moving_group(scene: CinemagraphScene, cycles: int, index: Tensor) -> MovingGroup:
    _, _, height, width = scene.velocity.shape
    centres = pixel_centres(height, width, like=scene.velocity)
    start_px = centres[scene.cloud.pixel[index]]
    layer = scene.cloud.layer[index].long()
    steps = -(-scene.num_frames // cycles)  # a cycle may end between two frames
    # One step more than a cycle: motion vectors look one frame ahead.
    forward = displacement_keys(start_px, scene.velocity, steps + 1, layer=layer)
    backward = displacement_keys(start_px, -scene.velocity, steps + 1, layer=layer)
    return MovingGroup(cycles, index, start_px, layer, forward, backward)


def cycle_phase(frame: int, num_frames: int, cycles: int) -> float:
    """How much of its current cycle has passed at `frame`, in [0, 1)."""
    return (frame * cycles % num_frames) / num_frames


def group_flow(
    scene: CinemagraphScene, group: MovingGroup, time: float, *, backward: bool, lift: Lift
) -> SceneFlow:
    """Scene flow of a group `time` frames after (or before, if `backward`) it was at rest."""
    keys = group.backward if backward else group.forward
    displacement_px = displacement_at(keys, time)
    return scene_flow(
        group.start_px,
        group.layer,
        displacement_px,
        scene.layer_depth,
        scene.canvas_camera,
        lift=lift,
    )


def splat_directions(
    prepared: PreparedScene,
    shot: Shot,
    frame: int,
    params: AnimationParams,
    *,
    motion_vectors: bool = False,
) -> tuple[SplatImage, SplatImage]:
    """The forward and the backward cloud as the camera sees them; layout: `splat_channels`.

    Without `motion_vectors` the motion channels are absent.
    """
    scene, camera = prepared.scene, shot.camera
    cloud = scene.cloud
    rest = cloud.positions[prepared.static]
    static_points, static_disparity = _project(rest, scene, camera, params)
    base = rasterize(static_points, camera.height, camera.width, params=params.splat)
    static_rows = _rows(prepared.static, scene, phase=0.0, moving=False, disparity=static_disparity)
    if motion_vectors:
        vectors = _motion(rest, torch.zeros_like(rest), static_points.pixels, shot)
        static_rows = torch.cat([static_rows, vectors], dim=1)
    images = [
        _splat_one(prepared, shot, frame, params, base, static_rows, backward, motion_vectors)
        for backward in (False, True)
    ]
    return images[0], images[1]


def _splat_one(
    prepared: PreparedScene,
    shot: Shot,
    frame: int,
    params: AnimationParams,
    base: Fragments,
    static_rows: Tensor,
    backward: bool,
    motion_vectors: bool,
) -> SplatImage:
    """One cloud: the static fragments with the displaced moving points added."""
    scene, camera = prepared.scene, shot.camera
    fragments, rows = base, [static_rows]
    for group in prepared.groups:
        phase = cycle_phase(frame, scene.num_frames, group.cycles)
        length = scene.num_frames / group.cycles
        time = (1 - phase) * length if backward else phase * length
        flow = group_flow(scene, group, time, backward=backward, lift=params.lift)
        positions = scene.cloud.positions[group.index] + flow.displacement
        points, disparity = _project(positions, scene, camera, params)
        fragments = rasterize(
            points, camera.height, camera.width, params=params.splat, base=fragments
        )
        weight = phase if backward else 1 - phase
        row = _rows(group.index, scene, phase=weight, moving=True, disparity=disparity)
        if motion_vectors:
            later = group_flow(scene, group, time + 1, backward=backward, lift=params.lift)
            step = later.displacement - flow.displacement
            step = -step if backward else step
            row = torch.cat([row, _motion(positions, step, points.pixels, shot)], dim=1)
        rows.append(row)
    return _splat_image(fragments, torch.cat(rows), params)


def _splat_image(fragments: Fragments, rows: Tensor, params: AnimationParams) -> SplatImage:
    """Averages over what is covered; the first column of the rows is the disparity."""
    total, alpha = composite(fragments, rows, params.splat)
    average = total / alpha.clamp(min=1e-6)
    return SplatImage(features=average[1:], alpha=alpha, disparity=average[:1])


def _project(
    positions: Tensor,  # [n, 3]
    scene: CinemagraphScene,
    camera: Camera,
    params: AnimationParams,
) -> tuple[Points, Tensor]:
    """Points on the screen, and their disparity [n]."""
    pixels, depth = project(positions, camera)
    zoom = float(camera.intrinsics[1, 1] / scene.camera.intrinsics[1, 1])
    # The photo's camera looks along z from the origin, so a point's z is its depth there, also
    # after it has flowed: on the canvas flowing points keep their spacing of one pixel.
    radius = splat_radius(positions[:, 2], depth, zoom, params.splat)
    return Points(pixels.float(), depth.float(), radius.float()), 1 / depth.clamp(min=1e-3)


def _rows(
    index: Tensor, scene: CinemagraphScene, *, phase: float, moving: bool, disparity: Tensor
) -> Tensor:
    """Disparity, then the channels of `splat_channels` without motion: [n, 1 + 3 + C + 2]."""
    cloud = scene.cloud
    constant = torch.tensor([phase, float(moving)], dtype=torch.float32, device=disparity.device)
    columns = [
        disparity[:, None].float(),
        cloud.rgb[index],
        cloud.features[index],
        constant.expand(len(index), 2),
    ]
    return torch.cat(columns, dim=1)


def _motion(positions: Tensor, step: Tensor, pixels: Tensor, shot: Shot) -> Tensor:
    """Screen motion to the previous and to the next frame: [n, 4] px."""
    before, _ = project(positions - step, shot.previous)
    after, _ = project(positions + step, shot.next)
    return torch.cat([before.float() - pixels, after.float() - pixels], dim=1)


def blend_directions(
    forward: SplatImage,
    backward: SplatImage,
    channels: SplatChannels,
    *,
    loop_phase: float,
    disparity_range: tuple[float, float],
    params: AnimationParams,
) -> SplatImage:
    """One picture out of the two clouds' (Eq. 4).

    Where one cloud left a gap the other fills it. Identical pictures come out unchanged.

    Args:
        forward: the forward cloud, layout `channels`.
        backward: the backward cloud.
        channels: from `splat_channels`.
        loop_phase: share of the loop that has passed, in [0, 1).
        disparity_range: of the scene; disparity is normalised once per scene, since with a range
            per frame a stray point would re-weigh every pixel.
        params: see there.
    """
    weight_forward = _blend_weight(forward, channels, 1 - loop_phase, disparity_range, params)
    weight_backward = _blend_weight(backward, channels, loop_phase, disparity_range, params)
    if params.blend != "eq4":
        weight_forward = weight_forward * _no_gap(forward, backward, channels)
        weight_backward = weight_backward * _no_gap(backward, forward, channels)
    total = (weight_forward + weight_backward).clamp(min=1e-12)
    share = weight_backward / total
    features = torch.lerp(forward.features, backward.features, share)
    if params.blend == "variance":
        features[channels.rgb] = restore_contrast(
            forward.features[channels.rgb],
            backward.features[channels.rgb],
            share,
            features[channels.moving : channels.moving + 1],
            window=max(3, round(max(features.shape[1:]) * params.contrast_window)),
        )
    return SplatImage(
        features=features,
        alpha=torch.maximum(forward.alpha, backward.alpha),
        disparity=torch.lerp(forward.disparity, backward.disparity, share),
    )


def _blend_weight(
    image: SplatImage,
    channels: SplatChannels,
    resting_phase: float,
    disparity_range: tuple[float, float],
    params: AnimationParams,
) -> Tensor:
    moving = image.features[channels.moving : channels.moving + 1]
    own_phase = image.features[channels.phase : channels.phase + 1] / moving.clamp(min=1e-3)
    phase = torch.where(moving > 1e-3, own_phase, resting_phase)
    if params.blend == "eq4":
        return phase * image.alpha * torch.exp(-1 / image.disparity.clamp(min=1e-6))
    low, high = disparity_range
    nearness = ((image.disparity - low) / max(high - low, 1e-9)).clamp(0, 1)
    return phase * image.alpha * torch.exp(nearness)


def _no_gap(image: SplatImage, other: SplatImage, channels: SplatChannels) -> Tensor:
    """Nearly 0 where this cloud's moving surface has flowed away and the other's has not.

    Such a gap shows what rests behind the water; it is as much a hole as one that shows nothing.
    """
    moving = image.features[channels.moving : channels.moving + 1]
    flowed_away = other.features[channels.moving : channels.moving + 1] - moving
    return 1 - 0.999 * flowed_away.clamp(0, 1)


def restore_contrast(
    a: Tensor,  # [3, H, W]
    b: Tensor,  # [3, H, W]
    share: Tensor,  # [1, H, W] of b
    moving: Tensor,  # [1, H, W] in [0, 1]
    *,
    window: int,
) -> Tensor:
    """The share-weighted mixture of two pictures with the local contrast of its sources: [3, H, W].

    Two unrelated textures mixed half and half lose 29 % of their contrast. With deviations da and
    db from the local means, the mixture's variance falls short of its sources' by
    s (1 - s) (da - db)^2; its deviation grows by what is missing. Nothing is missing, and nothing
    changes, where the pictures agree or one of them has all the weight.
    """
    step = max(2, window // 4)  # local means are smooth: a coarse grid will do
    mean_a, mean_b = _local_mean(torch.cat([a, b]), step, a.shape[1:]).split(3)
    mean = torch.lerp(mean_a, mean_b, share)
    deviation = torch.lerp(a, b, share) - mean
    apart = ((a - mean_a) - (b - mean_b)).mean(dim=0, keepdim=True)
    energies = torch.cat([share * (1 - share) * apart**2, deviation.mean(dim=0, keepdim=True) ** 2])
    missing, present = _local_mean(energies, step, a.shape[1:]).split(1)
    # A deviation of one 8-bit level is noise: a flat sky is not amplified.
    gain = (1 + missing / (present + 1 / 255**2)).clamp(1.0, 2.0).sqrt()
    # Resting pixels beside the water, and pixels that are not mixed, have nothing to gain.
    mixing = moving * (16 * share * (1 - share)).clamp(max=1)
    return mean + deviation * torch.lerp(torch.ones_like(gain), gain, mixing)


def _local_mean(image: Tensor, step: int, size: torch.Size) -> Tensor:
    """Means over windows of about 4 `step`, [C, H, W]."""
    coarse = functional.avg_pool2d(image[None], step, ceil_mode=True, count_include_pad=False)
    coarse = functional.avg_pool2d(coarse, 5, stride=1, padding=2, count_include_pad=False)
    return functional.interpolate(coarse, tuple(size), mode="bilinear", align_corners=False)[0]
