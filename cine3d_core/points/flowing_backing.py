"""A second water behind the first: what shows where a cycle's flow has emptied a place.

Within a cycle fast water leaves its springs and brinks empty, and the still backing layer would
show there as a pale patch. So a copy of the water flows right behind it, which starts over more
often and hence stays near its place. While the first covers it, it cannot be seen. Its cycles
divide those of the first, so the loop closes as before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cine3d_core.imaging.windows import dilated
from cine3d_core.motion.flow import MotionParams
from cine3d_core.points.backing import HiddenPoints, joined
from cine3d_core.points.layer_motion import LayerMotion
from cine3d_core.scene import Camera, FeaturePointCloud, LayeredDepthImage, MotionField

# Share of its depth by which it lies behind the water: more than where water passes behind a bank
# (`layer_motion.BEHIND`), less than the backing layer.
BEHIND = 0.05
TRAVEL = MotionParams.max_displacement  # of the long side: then it starts over
LEAST_FRAMES = 2  # of a cycle
NEARLY_ALL = 0.95  # of the water goes no farther; a few fast pixels do not matter
MOST_SPEEDS = 100_000  # that are sorted


@dataclass(frozen=True)
class FlowingBacking:
    """The cloud and the motion of the layers, with one layer more where anything is emptied."""

    cloud: FeaturePointCloud
    motion: LayerMotion
    cycles: Tensor  # [1, H, W] int16, of the copy where there is one, else of the water


def with_flowing_backing(
    cloud: FeaturePointCloud,
    layers: LayeredDepthImage,
    layer_motion: LayerMotion,
    motion: MotionField,
    emptied: Tensor,  # [1, H, W] bool
    canvas_camera: Camera,
    num_frames: int,
) -> FlowingBacking:
    """The scene's points, and after them a copy of those that flow near an emptied place.

    Args:
        cloud: of the layers.
        layers: inpainted; every pixel is visible (not inpainted) in exactly one layer.
        layer_motion: of `motion_of_layers`.
        motion: of the canvas, which is split in `layer_motion`.
        emptied: where nothing that flows may be at some moment, see `backing.gaps`.
        canvas_camera: of the canvas.
        num_frames: of the loop.
    """
    visible = (layers.rgba[:, 3:] > 0.5) & ~layers.inpainted  # [L, 1, H, W]

    def seen(planes: Tensor) -> Tensor:  # [L, C, H, W] -> [C, H, W]
        return (planes * visible).sum(dim=0).to(planes.dtype)

    velocity, cycles = seen(layer_motion.velocity), seen(layer_motion.cycles)
    more, there = cycles.clone(), torch.zeros_like(motion.moving)
    for count in torch.unique(cycles[motion.moving]).tolist():
        here = motion.moving & (cycles == count)
        times, travel = _shorter(velocity, here, num_frames / count)
        more[cycles == count] = count * times
        # What is farther off does not reach an emptied place before it starts over.
        near = dilated(emptied[0], travel)
        there |= here & near & (times > 1)
    pixel = torch.nonzero(there.flatten())[:, 0]
    if not len(pixel):
        return FlowingBacking(cloud, layer_motion, cycles)
    depth = seen(layers.depth).flatten()[pixel] * (1 + BEHIND)
    rgb = seen(layers.rgba[:, :3]).flatten(1).T[pixel]
    copies = HiddenPoints(pixel, torch.full_like(pixel, len(layers.rgba)), depth, rgb)
    return FlowingBacking(
        cloud=joined(cloud, copies, canvas_camera),
        motion=replace(
            layer_motion,
            velocity=_with(layer_motion.velocity, velocity),
            cycles=_with(layer_motion.cycles, more),
            depth=_with(layer_motion.depth, seen(layer_motion.depth) * (1 + BEHIND)),
            in_place={
                kind: _with(planes, torch.zeros_like(planes[0]))
                for kind, planes in layer_motion.in_place.items()
            },
            region=None
            if layer_motion.region is None
            else _with(layer_motion.region, seen(layer_motion.region)),
        ),
        cycles=torch.where(there, more, cycles),
    )


def _shorter(velocity: Tensor, here: Tensor, period: float) -> tuple[int, int]:
    """Into how many cycles of the copy one of the water falls, and how far, in px, it is carried.

    Nearly all of what is `here` [1, H, W] goes no farther than `TRAVEL`.
    """
    speed = torch.hypot(velocity[0], velocity[1])[here[0]]
    speed = speed[:: max(1, len(speed) // MOST_SPEEDS)]
    distance = period * float(torch.quantile(speed.cpu(), NEARLY_ALL))
    limit = TRAVEL * max(velocity.shape)
    times = min(max(math.ceil(distance / limit), 2), max(int(period / LEAST_FRAMES), 1))
    return times, math.ceil(distance / times)


def _with(planes: Tensor, more: Tensor) -> Tensor:
    return torch.cat([planes, more[None].to(planes)])
