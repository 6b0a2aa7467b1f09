"""A scene out of its parts: inpainted layers, motion and camera (paper, figure 2, middle)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cine3d_core.geometry import padded_camera, pixel_centres, unproject
from cine3d_core.layers.border import continued
from cine3d_core.points.backing import gaps, with_backing_layer, with_hidden_backing
from cine3d_core.points.flowing_backing import with_flowing_backing
from cine3d_core.points.layer_motion import LayerMotion, motion_of_layers
from cine3d_core.scene import (
    Camera,
    CinemagraphScene,
    FeaturePointCloud,
    LayeredDepthImage,
    MotionField,
)

# Share of the margin that even the farthest surface keeps: flow comes in from beyond the border.
MARGIN_FOR_FLOW = 0.35


def assemble_scene(
    layers: LayeredDepthImage,
    motion: MotionField,
    camera: Camera,
    *,
    margin_px: int,
    num_frames: int,
    fps: float,
    photo_sha256: str,
    models: dict[str, str],
    parameters: dict[str, Any],
    source: Tensor | None = None,
    backing_layer: bool = False,
) -> CinemagraphScene:
    """A scene from inpainted layers of the canvas and the motion of the photo.

    Args:
        layers: inpainted, on the canvas.
        motion: of the photo, without the margin.
        camera: the photo's.
        margin_px: width of the canvas beyond the photo on each side.
        num_frames: of the loop.
        fps: frames per second.
        photo_sha256: of the photo's file.
        models: checksums of the networks that took part.
        parameters: JSON-able record of how the scene was made.
        source: from `border_source`, which of the photo's pixels the canvas shows; needed where
            there is a margin.
        backing_layer: whether what flows covers what lies behind it also where it flows away.
    """
    canvas_camera = padded_camera(camera, margin_px)
    extended = motion
    if margin_px > 0:
        assert source is not None
        extended = extend_motion(motion, margin_px, source)
    if layers.moves_with is not None:
        extended = _still_rims(extended, layers.moves_with)
    layer_motion = motion_of_layers(layers, extended)
    cloud = points_of_layers(layers, canvas_camera, margin_px)
    if backing_layer:
        cloud, layer_motion = _backed(
            cloud, layers, layer_motion, extended, canvas_camera, num_frames
        )
    disparity = 1 / cloud.positions[:, 2]
    return CinemagraphScene(
        camera=camera,
        canvas_camera=canvas_camera,
        cloud=cloud,
        layer_depth=layer_motion.depth,
        velocity=layer_motion.velocity,
        cycles=layer_motion.cycles,
        num_frames=num_frames,
        fps=fps,
        disparity_range=(float(disparity.min()), float(disparity.max())),
        photo_sha256=photo_sha256,
        models=models,
        parameters=parameters,
        in_place=layer_motion.in_place,
        region=layer_motion.region,
    )


def _backed(
    cloud: FeaturePointCloud,
    layers: LayeredDepthImage,
    layer_motion: LayerMotion,
    motion: MotionField,
    canvas_camera: Camera,
    num_frames: int,
) -> tuple[FeaturePointCloud, LayerMotion]:
    """What flows, with what shows where it has flowed away: flowing copies, then still ones."""
    cloud = with_hidden_backing(cloud, layers, layer_motion, canvas_camera)
    emptied = gaps(motion, num_frames)
    flowing = with_flowing_backing(
        cloud, layers, layer_motion, motion, emptied, canvas_camera, num_frames
    )
    emptied &= gaps(replace(motion, cycles=flowing.cycles), num_frames)
    cloud = with_backing_layer(flowing.cloud, layers, motion, emptied, canvas_camera)
    return cloud, flowing.motion


def extend_motion(
    motion: MotionField,
    margin_px: int,
    source: Tensor,  # [Hc, Wc] int64, from `border_source`
) -> MotionField:
    """The motion of the photo continued over the canvas's margin by its border.

    Only what shows something that moves does so: a bank that is seen again in the margin is static,
    though water reaches the border there, and does not flow back into the picture.
    """
    pad = (margin_px,) * 4
    moving = functional.pad(motion.moving[None].float(), pad, mode="replicate")[0] > 0.5
    moving &= continued(motion.moving, source)
    cycles = functional.pad(motion.cycles[None].float(), pad, mode="replicate")[0]
    velocity = functional.pad(motion.velocity[None], pad, mode="replicate")[0] * moving
    in_place = {
        kind: functional.pad(planes[None], pad, mode="replicate")[0]
        for kind, planes in motion.in_place.items()
    }
    region = motion.region
    if region is not None:
        region = functional.pad(region[None].float(), pad, mode="replicate")[0].to(region.dtype)
    return MotionField(velocity, moving, cycles.to(motion.cycles.dtype), in_place, region)


def _still_rims(motion: MotionField, moves_with: Tensor) -> MotionField:
    """The motion without pixels that have joined what stays still, as rims of an object do.

    Left with the sky's motion, the rim of a hill would drift off over it. A rim that has joined
    what flows keeps its own motion: no colour of a bank goes with the water.
    """
    moves = (motion.moving | motion.swinging).flatten()[moves_with.flatten()]
    moves = moves.view_as(motion.moving)
    return replace(
        motion,
        velocity=motion.velocity * moves,
        moving=motion.moving & moves,
        in_place={kind: planes * moves for kind, planes in motion.in_place.items()},
    )


def points_of_layers(
    layers: LayeredDepthImage, canvas_camera: Camera, margin_px: int
) -> FeaturePointCloud:
    """One point per pixel and layer that is there, nearest layer first, row by row."""
    _, _, height, width = layers.rgba.shape
    there = (layers.rgba[:, 3] > 0.5) & _in_reach(layers.depth[:, 0], margin_px)
    there = there.reshape(len(layers.rgba), -1)  # [L, H*W]
    layer, pixel = torch.nonzero(there, as_tuple=True)
    depth = layers.depth.reshape(-1, height * width)[layer, pixel]
    centres = pixel_centres(height, width, like=depth)
    inside = torch.zeros(height, width, dtype=torch.bool, device=depth.device)
    inside[margin_px : height - margin_px, margin_px : width - margin_px] = True
    invented = layers.inpainted.reshape(-1, height * width)[layer, pixel]
    return FeaturePointCloud(
        positions=unproject(centres[pixel], depth, canvas_camera),
        rgb=layers.rgba[:, :3].permute(0, 2, 3, 1).reshape(len(there), -1, 3)[layer, pixel],
        features=depth.new_zeros(len(pixel), 0),
        layer=layer.to(torch.int16),
        pixel=pixel,
        inpainted=invented | ~inside.reshape(-1)[pixel],
    )


def _in_reach(depth: Tensor, margin_px: int) -> Tensor:
    """Canvas pixels that a camera or the flow may bring into the picture: [L, H, W] bool.

    The margin's full width is for what lies at depth 1. What is farther comes in by less.
    """
    _, height, width = depth.shape
    rows = torch.arange(height, device=depth.device)[:, None]
    columns = torch.arange(width, device=depth.device)[None]
    beyond_rows = torch.maximum(margin_px - rows, rows - (height - 1 - margin_px))
    beyond_columns = torch.maximum(margin_px - columns, columns - (width - 1 - margin_px))
    beyond = torch.maximum(beyond_rows, beyond_columns)
    share = (1 / depth.clamp(min=1.0)).clamp(min=MARGIN_FOR_FLOW)
    return beyond <= margin_px * share
