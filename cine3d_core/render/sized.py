"""Frames of any size: drawn from as many points as they can show, then reduced to their size.

The splatter keeps a few points for each pixel. In a frame much smaller than the photo a pixel would
need many more: what it kept was not the whole surface, so the frame was see-through and showed
moire. So a small frame is drawn from a `smaller_scene` with about one point for each pixel, a
little larger than asked for, and reduced by areas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cine3d_core.device import on_device
from cine3d_core.imaging.launch import upload
from cine3d_core.render.animation import PreparedScene, Shot, prepare
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.decode import Decoder, pass_through
from cine3d_core.render.frame import render_frame
from cine3d_core.render.stored import animation_of
from cine3d_core.scene import Camera, CinemagraphScene, RenderedFrame, resized_camera

# A lens that leans in a little must not ask for four times the points.
_SLACK = 1.06
_LEVELS_KEPT = 2  # a zoom goes from one to the next
_LARGEST_FACTOR = 64

LevelOf = Callable[[int], PreparedScene]  # factor -> the scene so much smaller, ready to draw


def levels_of(scene: CinemagraphScene, device: torch.device) -> LevelOf:
    """The scene at any factor, prepared on a device when first asked for."""

    @lru_cache(maxsize=_LEVELS_KEPT)
    def level(factor: int) -> PreparedScene:
        return prepare(on_device(smaller_scene(scene, factor), device))

    return level


def draw_sized(
    level_of: LevelOf,
    scene: CinemagraphScene,
    shot: Shot,
    frame: float,
    *,
    decoder: Decoder = pass_through,
    motion_vectors: bool = False,
) -> RenderedFrame:
    """`render_frame` for a camera of any size.

    Args:
        level_of: from `levels_of`, of the scene.
        scene: whose photo's camera tells how small a frame is.
        shot: the camera now and at the neighbouring frames.
        frame: index.
        decoder: draws the colours.
        motion_vectors: fill `motion`.
    """
    factor, work = _work_size(shot.camera, scene)
    if work == (shot.camera.height, shot.camera.width):
        return render_frame(
            level_of(factor), shot, frame, decoder=decoder, motion_vectors=motion_vectors
        )
    cameras = (resized_camera(c, *work) for c in (shot.camera, shot.previous, shot.next))
    larger = Shot(*cameras, times=shot.times)
    drawn = render_frame(
        level_of(factor), larger, frame, decoder=decoder, motion_vectors=motion_vectors
    )
    return _reduced(drawn, shot.camera.height, shot.camera.width)


def _work_size(camera: Camera, scene: CinemagraphScene) -> tuple[int, tuple[int, int]]:
    """By what factor the scene is made smaller, and height and width of the frame to draw."""
    size = camera.height, camera.width
    if animation_of(scene).splat.footprint == "disc":  # as published
        return 1, size
    across, down = (
        float(camera.intrinsics[axis, axis] / scene.camera.intrinsics[axis, axis])
        for axis in (0, 1)
    )
    factor = min(max(1, int(_SLACK / max(across, down))), _LARGEST_FACTOR)
    height, width = (
        max(side, round(side / (zoom * factor)))
        for side, zoom in zip(size, (down, across), strict=True)
    )
    return factor, (height, width)


def _reduced(frame: RenderedFrame, height: int, width: int) -> RenderedFrame:
    """A frame at a smaller size: every plane is averaged over areas, depth as disparity."""
    solid = (frame.depth > 0).to(frame.depth)
    disparity = _smaller(solid / frame.depth.clamp(min=1e-6), height, width)
    share = _smaller(solid, height, width)
    whole = frame.rgb.shape[1:]
    shares = torch.tensor([width / whole[1], height / whole[0]] * 2)
    scale = upload(shares, frame.motion.device)[:, None, None]
    still = frame.motion.stride()[-1] == 0  # one number that stands for all
    motion = frame.motion[:, :1, :1].expand(-1, height, width) if still else frame.motion
    return replace(
        frame,
        rgb=_smaller(frame.rgb, height, width).clamp(0, 1),
        alpha=_smaller(frame.alpha, height, width).clamp(0, 1),
        depth=torch.where(share > 0, share / disparity.clamp(min=1e-6), 0.0),
        motion=motion if still else _smaller(motion, height, width) * scale,
        moving=_smaller(frame.moving, height, width),
    )


def _smaller(planes: Tensor, height: int, width: int) -> Tensor:  # [C, H, W] -> [C, h, w]
    return interpolate(
        planes[None], (height, width), mode="bilinear", antialias=True, align_corners=False
    )[0]
