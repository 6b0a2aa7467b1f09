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
    phase: int  # cross-fade weight of the cloud in [0, 1]
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
    static_rows = _rows(prepared.static, scene, phase=0.5, moving=False, disparity=static_disparity)
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
    disparity_range: tuple[float, float],
    params: AnimationParams,
) -> SplatImage:
    """One picture out of the two clouds' (Eq. 4).

    Where one cloud left a gap the other fills it. Identical pictures come out unchanged.
    """
    weight_forward = _blend_weight(forward, channels, disparity_range, params)
    weight_backward = _blend_weight(backward, channels, disparity_range, params)
    total = (weight_forward + weight_backward).clamp(min=1e-12)
    share = weight_backward / total
    features = torch.lerp(forward.features, backward.features, share)
    if params.blend == "variance":
        moving = features[channels.moving : channels.moving + 1]
        features = features.clone()
        features[channels.rgb] = restore_contrast(
            features[channels.rgb],
            forward.features[channels.rgb],
            backward.features[channels.rgb],
            share,
            moving,
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
    disparity_range: tuple[float, float],
    params: AnimationParams,
) -> Tensor:
    phase = image.features[channels.phase : channels.phase + 1]
    if params.blend == "eq4":
        return phase * image.alpha * torch.exp(-1 / image.disparity.clamp(min=1e-6))
    low, high = disparity_range
    # Normalised once per scene: with a range per frame a stray point would re-weigh every pixel.
    nearness = ((image.disparity - low) / max(high - low, 1e-9)).clamp(0, 1)
    return phase * image.alpha * torch.exp(nearness)


def restore_contrast(
    mixed: Tensor,  # [3, H, W] share-weighted mean of a and b
    a: Tensor,  # [3, H, W]
    b: Tensor,  # [3, H, W]
    share: Tensor,  # [1, H, W] of b
    moving: Tensor,  # [1, H, W] in [0, 1]
    *,
    window: int,
) -> Tensor:
    """The mixed picture with the local contrast of its sources: [3, H, W].

    Two unrelated textures mixed half and half lose 29 % of their contrast. The variance that the
    mixture should have is the weighted mean of its sources'; its deviation from the local mean
    grows by the missing factor. Where a and b agree nothing is missing and nothing changes.
    """
    height, width = mixed.shape[1:]
    step = max(2, window // 4)  # statistics are smooth: a coarse grid will do
    luma = torch.stack([mixed.mean(dim=0), a.mean(dim=0), b.mean(dim=0)])[None]
    mean, square = _local_moments(luma, step)
    variance = (square - mean * mean).clamp(min=0)[0]  # [3, h, w]
    coarse_share = _shrink(share[None], step)[0]
    wanted = torch.lerp(variance[1:2], variance[2:3], coarse_share)
    # 1 / 255^2 on both sides: noise of a flat sky is not amplified
    floor = 1 / 255**2
    gain = ((wanted + floor) / (variance[0:1] + floor)).sqrt().clamp(1.0, 2**0.5)
    coarse_mean, _ = _local_moments(mixed[None], step)
    grown = torch.cat([gain[None], coarse_mean], dim=1)
    grown = functional.interpolate(grown, (height, width), mode="bilinear", align_corners=False)[0]
    gain = 1 + (grown[:1] - 1) * moving
    return grown[1:] + (mixed - grown[1:]) * gain


def _shrink(image: Tensor, step: int) -> Tensor:
    return functional.avg_pool2d(image, step, ceil_mode=True)


def _local_moments(image: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Mean and mean square around each cell of a coarse grid: twice [1, C, h, w]."""
    both = torch.cat([_shrink(image, step), _shrink(image * image, step)], dim=1)
    both = functional.avg_pool2d(both, 5, stride=1, padding=2, count_include_pad=False)
    mean, square = both.chunk(2, dim=1)
    return mean, square
