"""The bed: what shows where flow has left its own place and none has come from elsewhere.

Near a bank or a brink both clouds of a frame may have flowed away from a pixel: what is there by
then comes from outside what the photo shows. What lies behind, a bank or the sky, must not be seen
through such gaps, for the photo says that water is there. So the water gets a resting copy of its
own mean colour right behind it, which the photo's own camera sees nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cine3d_core.geometry import pixel_centres, unproject
from cine3d_core.layers.fill import context_mean
from cine3d_core.motion.euler import displacement_at, displacement_keys
from cine3d_core.scene import Camera, FeaturePointCloud, LayeredDepthImage, MotionField

# Share of its depth by which the bed lies behind; more than the splatter takes for one surface, and
# even where flow passes behind the banks (`layer_motion.BEHIND`).
BEHIND = 0.05
MOMENTS = 8  # of a cycle at which gaps are looked for
COLOUR_RADIUS = 0.02  # of the long side: over which the bed's colour is a mean


def with_bed(
    cloud: FeaturePointCloud,
    layers: LayeredDepthImage,
    motion: MotionField,
    canvas_camera: Camera,
    num_frames: int,
) -> FeaturePointCloud:
    """The cloud with bed points after its own.

    Args:
        cloud: of the layers.
        layers: inpainted; every pixel is visible (not inpainted) in exactly one layer.
        motion: of the canvas.
        canvas_camera: of the canvas.
        num_frames: of the loop.
    """
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted  # [L, 1, H, W]
    pixel = torch.nonzero(gaps(motion, num_frames).flatten())[:, 0]
    if not len(pixel):
        return cloud
    rgb = (layers.rgba[:, :3] * visible).sum(dim=0)
    depth = (layers.depth * visible).sum(dim=0).flatten()[pixel] * (1 + BEHIND)
    _, height, width = rgb.shape
    colour = context_mean(rgb, motion.moving, max(1, round(COLOUR_RADIUS * max(height, width))))
    centres = pixel_centres(height, width, like=depth)
    return replace(
        cloud,
        positions=torch.cat([cloud.positions, unproject(centres[pixel], depth, canvas_camera)]),
        rgb=torch.cat([cloud.rgb, colour.flatten(1).T[pixel]]),
        features=torch.cat([cloud.features, depth.new_zeros(len(pixel), cloud.features.shape[1])]),
        layer=torch.cat([cloud.layer, _layer_of(visible, pixel).to(cloud.layer)]),
        pixel=torch.cat([cloud.pixel, pixel]),
        inpainted=torch.cat([cloud.inpainted, torch.ones_like(pixel, dtype=torch.bool)]),
    )


def gaps(motion: MotionField, num_frames: int) -> Tensor:
    """Moving pixels that at some moment neither cloud may cover: [1, H, W] bool.

    The forward cloud covers a pixel as long as walking against the flow for the time that has
    passed stays on what moves; the backward cloud as long as walking with it for the rest does.
    """
    _, height, width = motion.moving.shape
    found = torch.zeros_like(motion.moving)
    centres = pixel_centres(height, width, like=motion.velocity)
    for count in torch.unique(motion.cycles[motion.moving]).tolist():
        pixel = torch.nonzero((motion.moving & (motion.cycles == count)).flatten())[:, 0]
        before, after = (
            _has_left(motion, centres[pixel], num_frames / count, backward=way)
            for way in (True, False)
        )
        found.view(-1)[pixel] = (before & after.flip(0)).any(dim=0)
    return found


def _has_left(motion: MotionField, start_px: Tensor, period: float, *, backward: bool) -> Tensor:
    """Whether points [N] have left what moves, at each moment of a cycle: [MOMENTS + 1, N] bool."""
    _, height, width = motion.moving.shape
    keys = displacement_keys(
        start_px, motion.velocity[None], int(np.ceil(period)), backward=backward
    )
    left, moments = torch.zeros(len(start_px), dtype=torch.bool), []
    for moment in range(MOMENTS + 1):
        at = start_px + displacement_at(keys, period * moment / MOMENTS)
        column, row = at.floor().long().unbind(dim=1)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        flat = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        left = left | ~inside | ~motion.moving.flatten()[flat]
        moments.append(left)
    return torch.stack(moments)


def _layer_of(visible: Tensor, pixel: Tensor) -> Tensor:
    """In which layer each pixel is visible: [N]."""
    return visible[:, 0].flatten(1)[:, pixel].to(torch.uint8).argmax(dim=0)
