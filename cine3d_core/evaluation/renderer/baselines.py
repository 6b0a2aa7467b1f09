"""What one would try first: the paper's baselines, with the same depth and flow as ours (4.2).

All are drawn by our splatter, so that they differ from ours in what they do, not in how well their
points are drawn; and each gets whatever help it could have had in its author's hands:

* 2D animation: Euler flow forward and backward in the picture's plane (Holynski et al., CVPR 2021),
  splatted with our stretched footprints and our restored detail, mixed as in Eq. 4, gaps left by
  both filled from around. Static
  pixels keep what is theirs: in a picture without depth the banks must not be flooded.
* Novel view synthesis: our layers, inpainted, as 3D Photo does (Shih et al., CVPR 2020).
* 2D animation -> novel view: every animated frame with the still's depth, which is exact here,
  since the water stays on its surface.
* Novel view -> 2D animation: the flow in the view is not estimated but the true one, seen from
  there, with gaps filled. The paper had to estimate it for every frame. The moving average is that
  of the flows seen from the frame before, this and the next.
* Naive point cloud: one point per pixel with its colour; the published lift; displaced forward, or
  in both directions and mixed as in Eq. 4. What no point covers stays black, as in a point
  renderer; the `filled` row fills it from around.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.motion.direct import still_motion
from cine3d_core.networks.features import pixel_grid_of_points
from cine3d_core.points.assemble import assemble_scene
from cine3d_core.render.animation import (
    AnimationParams,
    PreparedScene,
    Shot,
    prepare,
    splat_directions,
)
from cine3d_core.render.blend import BlendParams, SplatChannels, splat_channels
from cine3d_core.render.decode import Decoder, pass_through
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import (
    Camera,
    CinemagraphScene,
    DepthMap,
    LayeredDepthImage,
    MotionField,
    RenderedFrame,
    SplatImage,
)

Draw = Callable[[Shot, int], Tensor]  # camera and frame -> [3, H, W] in [0, 1]

# Nothing backs their water, so all of it is drawn.
EQ4 = AnimationParams(lift="source", blend=BlendParams("eq4"), invented_weight=1.0, draw_torn=True)


@dataclass(frozen=True)
class Clip:
    """Length and speed of a loop."""

    num_frames: int
    fps: float


def one_layer(rgb: Tensor, depth: Tensor) -> LayeredDepthImage:
    """A picture [3, H, W] with its depth [1, H, W] as a single layer without anything hidden."""
    rgba = torch.cat([rgb, torch.ones_like(depth)])
    return LayeredDepthImage(
        rgba[None], depth[None], torch.zeros_like(depth, dtype=torch.bool)[None]
    )


def naive_scene(parts: SceneParts, clip: Clip) -> CinemagraphScene:
    """One point per pixel: no layers, nothing filled, nothing beyond the border."""
    return assemble_scene(
        one_layer(parts.rgb, parts.depth.depth),
        parts.motion,
        parts.camera,
        margin_px=0,
        num_frames=clip.num_frames,
        fps=clip.fps,
        photo_sha256="",
        models={},
        parameters={},
    )


def leave_black(image: SplatImage, channels: SplatChannels) -> Tensor:
    """A decoder that shows what is there: colours where points are, else black."""
    return image.features[channels.rgb].clamp(0, 1)


def symmetric(prepared: PreparedScene, params: AnimationParams, decoder: Decoder) -> Draw:
    """Draws both clouds, blended."""

    def draw(shot: Shot, frame: int) -> Tensor:
        return render_frame(prepared, shot, frame, decoder=decoder, params=params).rgb

    return draw


def forward_only(prepared: PreparedScene, params: AnimationParams, decoder: Decoder) -> Draw:
    """Draws the forward cloud alone, which has flowed since the loop's start."""
    channels = splat_channels(prepared.scene.cloud.features.shape[1])

    def draw(shot: Shot, frame: int) -> Tensor:
        forward, _ = splat_directions(prepared, shot, frame % prepared.scene.num_frames, params)
        return decoder(forward, channels)

    return draw


def animate_2d(
    rgb: Tensor, motion: MotionField, camera: Camera, clip: Clip
) -> Callable[[int], Tensor]:
    """2D animation of a picture: frame -> [3, H, W]. Holes of both directions are filled."""
    flat = DepthMap(torch.ones_like(rgb[:1]), torch.zeros_like(rgb[:1]))
    # A picture's own camera stands at the origin, wherever the picture was seen from.
    camera = replace(camera, world_to_camera=torch.eye(4, dtype=torch.float64))
    scene = naive_scene(SceneParts(rgb, flat, motion, camera), clip)
    grid = pixel_grid_of_points(scene.cloud, camera.width)
    prepared = prepare(replace(scene, cloud=replace(scene.cloud, features=grid)))
    fixed = Shot(camera, camera, camera)

    def frame_of(frame: int) -> Tensor:
        return render_frame(prepared, fixed, frame, decoder=pass_through, params=EQ4).rgb

    return frame_of


def animation_then_view(parts: SceneParts, clip: Clip) -> Draw:
    """2D animation -> novel view synthesis.

    The layers are those of the still: what is visible takes the animated frame's colours, what is
    hidden keeps those that were filled in once, which flickers less than filling every frame.
    """
    animated = animate_2d(parts.rgb, parts.motion, parts.camera, clip)
    scene = _layered(replace(parts, motion=still_motion(parts.rgb)), clip)
    cloud = scene.cloud
    seen = ~cloud.inpainted

    def draw(shot: Shot, frame: int) -> Tensor:
        rgb = cloud.rgb.clone()
        rgb[seen] = animated(frame).flatten(1).T[cloud.pixel[seen]]
        now = replace(scene, cloud=replace(cloud, rgb=rgb))
        return render_frame(
            prepare(now), shot, 0, decoder=pass_through, params=AnimationParams()
        ).rgb

    return draw


def view_then_animation(parts: SceneParts, clip: Clip, *, moving_average: bool) -> Draw:
    """Novel view synthesis -> 2D animation, with the flow of one view or of three averaged."""
    prepared = prepare(_layered(parts, clip))

    @lru_cache(maxsize=1)  # a fixed camera sees one view all the time
    def animation(poses: tuple[bytes, ...]) -> Callable[[int], Tensor]:
        cameras = [_posed(parts.camera, pose) for pose in poses]
        view = _view(prepared, cameras[0])
        motion = _motion_in_view(view)
        if moving_average:
            beside = [_motion_in_view(_view(prepared, camera)).velocity for camera in cameras[1:]]
            mean = torch.stack([motion.velocity, *beside]).mean(dim=0)
            motion = replace(motion, velocity=mean * motion.moving)
        return animate_2d(view.rgb, motion, cameras[0], clip)

    def draw(shot: Shot, frame: int) -> Tensor:
        cameras = (shot.camera, shot.previous, shot.next)
        return animation(tuple(c.world_to_camera.numpy().tobytes() for c in cameras))(frame)

    return draw


def _posed(camera: Camera, pose: bytes) -> Camera:
    matrix = torch.frombuffer(bytearray(pose), dtype=torch.float64).view(4, 4)
    return replace(camera, world_to_camera=matrix)


def _layered(parts: SceneParts, clip: Clip) -> CinemagraphScene:
    # No margin: what lies beyond the still is not counted, and 3D Photo has none either.
    params = replace(PRESETS["default"], margin=0.0)
    return scene_from_parts(parts, params, num_frames=clip.num_frames, fps=clip.fps)


def _view(prepared: PreparedScene, camera: Camera) -> RenderedFrame:
    """The still from another place, and how what is seen there moves: `motion` without camera."""
    fixed = Shot(camera, camera, camera)
    return render_frame(
        prepared, fixed, 0, decoder=pass_through, params=AnimationParams(), motion_vectors=True
    )


def _motion_in_view(view: RenderedFrame) -> MotionField:
    seen = view.alpha
    filled = push_pull(torch.cat([view.motion[2:], view.moving]), seen)
    moving = filled[2:] > 0.5
    # What is only partly water moves like the water in it.
    velocity = filled[:2] / filled[2:].clamp(min=0.5) * moving
    return MotionField(velocity, moving, torch.ones_like(moving, dtype=torch.int16))
