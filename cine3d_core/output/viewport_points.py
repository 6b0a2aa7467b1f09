"""The moving points as a viewport wants them: positions at frame 0 and a few displacement keys.

A viewport interpolates between the keys, so the motion is a function of the frame number alone and
needs nothing of this program. What one region moves through the same number of cycles per loop is
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cine3d_core.render.animation import MovingGroup, PreparedScene, group_flow
from cine3d_core.render.stored import animation_of

NUM_KEYS = 9  # of each direction; 12 bytes a key and point


@dataclass(frozen=True)
class ViewportPoints:
    """Static points (`cycles` 0) or points that flow through `cycles` cycles per loop."""

    region: int  # as drawn, counted from 1; 0 for none
    cycles: int
    positions: np.ndarray  # [N, 3] float32, at rest
    rgb: np.ndarray  # [N, 3] uint8 sRGB
    layer: np.ndarray  # [N] int16
    radius: np.ndarray  # [N] float32 scene units: the way to the next point
    forward: np.ndarray  # [K, N, 3] float32 displacement after k / (K - 1) of a cycle; K 0 at rest
    backward: np.ndarray  # [K, N, 3] the same time before the cycle's end


def viewport_points(prepared: PreparedScene, num_keys: int = NUM_KEYS) -> list[ViewportPoints]:
    """All points of a scene: the static ones first, then by region and number of cycles."""
    unmoved = torch.zeros((0, len(prepared.static), 3))
    entries = [_points(prepared, prepared.static, (0, 0), unmoved, unmoved)]
    for kind in sorted({(group.region, group.cycles) for group in prepared.groups}):
        # Keys are keys: what moves in place goes with what flows through as many cycles.
        same = [group for group in prepared.groups if (group.region, group.cycles) == kind]
        index = torch.cat([group.index for group in same])
        forward, backward = (
            torch.cat([_keys(prepared, g, num_keys, backward=way) for g in same], dim=1)
            for way in (False, True)
        )
        entries.append(_points(prepared, index, kind, forward, backward))
    return entries


def _keys(prepared: PreparedScene, group: MovingGroup, num_keys: int, *, backward: bool) -> Tensor:
    length = prepared.scene.num_frames / group.cycles
    times = (length * k / (num_keys - 1) for k in range(num_keys))
    lift = animation_of(prepared.scene).lift
    return torch.stack(
        [
            group_flow(prepared.scene, group, time, backward=backward, lift=lift).displacement
            for time in times
        ]
    )


def _points(
    prepared: PreparedScene,
    index: Tensor,
    kind: tuple[int, int],  # region and cycles
    forward: Tensor,
    backward: Tensor,
) -> ViewportPoints:
    cloud, camera = prepared.scene.cloud, prepared.scene.canvas_camera
    positions = cloud.positions[index].float()
    spacing = positions[:, 2] / float(camera.intrinsics[0, 0])  # the photo's camera looks along z
    return ViewportPoints(
        region=kind[0],
        cycles=kind[1],
        positions=positions.cpu().numpy(),
        rgb=(cloud.rgb[index] * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy(),
        layer=cloud.layer[index].to(torch.int16).cpu().numpy(),
        radius=spacing.cpu().numpy(),  # EEVEE's spheres have few faces: smaller ones show gaps
        forward=forward.float().cpu().numpy(),
        backward=backward.float().cpu().numpy(),
    )
