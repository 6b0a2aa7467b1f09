"""A scene, a camera and a frame index become a rendered frame (paper, section 3.4).

scene, camera, frame -> forward and backward splat -> blend -> cracks -> decode -> RenderedFrame
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cine3d_core.render.animation import AnimationParams, PreparedScene, Shot, splat_directions
from cine3d_core.render.blend import BlendParams, SplatChannels, blend_directions, splat_channels
from cine3d_core.render.cracks import close_cracks
from cine3d_core.render.decode import Decoder, pass_through
from cine3d_core.render.decode_parts import decode_in_parts
from cine3d_core.render.fragments import PAPER_SPLAT
from cine3d_core.render.sharpen import restore_detail
from cine3d_core.render.stored import animation_of
from cine3d_core.render.strips import draw_in_strips
from cine3d_core.scene import RenderedFrame, SplatImage

# How the published program draws, as far as the stages that draw every scene can.
PAPER_ANIMATION = AnimationParams(
    splat=PAPER_SPLAT,
    lift="source",
    blend=BlendParams("eq4"),
    invented_weight=1.0,
    flow_stretch=0.0,
    draw_torn=True,
    restore_detail=False,
)


@dataclass(frozen=True)
class SplattedFrame:
    """A frame before it is decoded."""

    forward: SplatImage  # the cloud that has flowed since the loop began
    backward: SplatImage  # the cloud that flows back from its end
    image: SplatImage  # both, blended, without cracks
    channels: SplatChannels


def splat_frame(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,  # of the loop, also between two
    params: AnimationParams,
    *,
    backward: PreparedScene | None = None,
    motion_vectors: bool = False,
) -> SplattedFrame:
    """Both clouds of a frame, splatted, sharpened and blended; depends on its arguments only.

    Args:
        prepared: from `animation.prepare`.
        shot: the camera now and at the neighbouring frames.
        frame: index in [0, num_frames).
        params: how to splat and blend.
        backward: the scene of the backward cloud where it is another one (training knows the photo
            at the loop's end); of the same camera and length.
        motion_vectors: whether the motion channels are there.
    """
    scene = prepared.scene
    channels = splat_channels(scene.cloud.features.shape[1])
    clouds = splat_directions(prepared, shot, frame, params, motion_vectors=motion_vectors)
    if backward is not None and backward is not prepared:
        other = splat_directions(backward, shot, frame, params, motion_vectors=motion_vectors)
        clouds = clouds[0], other[1]
    if params.restore_detail:
        clouds = restore_detail(clouds[0], channels), restore_detail(clouds[1], channels)
    image = blend_directions(
        *clouds,
        channels,
        loop_phase=frame / scene.num_frames,
        disparity_range=scene.disparity_range,
        params=params.blend,
    )
    if params.splat.compositing == "coverage":
        image = close_cracks(image)
    return SplattedFrame(*clouds, image, channels)


def render_frame(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,
    *,
    decoder: Decoder = pass_through,
    params: AnimationParams | None = None,
    motion_vectors: bool = False,
) -> RenderedFrame:
    """One frame of a scene; depends on its arguments only, bit for bit.

    A device that has not the memory for a whole frame draws it in strips, which look alike but for
    rounding and for holes that are wider than what strips see of each other.

    Args:
        prepared: from `animation.prepare`.
        shot: the camera now and at the neighbouring frames.
        frame: index, also between two frames; frame `num_frames` is frame 0.
        decoder: draws the colours.
        params: how to splat and blend; None takes what the scene says.
        motion_vectors: fill `motion`, which costs about a third more; else it is zero.

    Raises:
        DeviceError: a device has not even the memory for a narrow strip.
    """
    params = params or animation_of(prepared.scene)

    def drawn(part: Shot, params: AnimationParams) -> RenderedFrame:
        return _drawn(prepared, part, frame, decoder, params, motion_vectors)

    return draw_in_strips(drawn, shot, params)


def _drawn(
    prepared: PreparedScene,
    shot: Shot,
    frame: float,
    decoder: Decoder,
    params: AnimationParams,
    motion_vectors: bool,
) -> RenderedFrame:
    scene = prepared.scene
    frame %= scene.num_frames
    splatted = splat_frame(prepared, shot, frame, params, motion_vectors=motion_vectors)
    image, channels = splatted.image, splatted.channels
    solid = image.alpha > 0
    inverse = 1 / image.disparity.clamp(min=1e-6)
    height, width = shot.camera.height, shot.camera.width
    if motion_vectors:
        motion = image.features[channels.motion]
    else:  # one number that stands for all
        motion = image.alpha.new_zeros(4, 1, 1).expand(4, height, width)
    return RenderedFrame(
        rgb=decode_in_parts(decoder, image, channels),
        alpha=image.alpha.clamp(0, 1),
        depth=torch.where(solid, inverse, torch.zeros_like(inverse)),
        motion=motion,
        moving=image.features[channels.moving : channels.moving + 1] * solid,
    )
