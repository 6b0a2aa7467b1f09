"""Calm water in place (`shimmer`): short waves back and forth, nothing goes away.

A body of water is a plane, so its disparity is linear in the picture (`depth.surface`). A wave of
one length runs over that plane towards the viewer; perspective makes it short and slight far away.
Each point moves as one that sways (`motion.sway`), so every cycle ends where it began.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.plane import robust_plane
from cine3d_core.imaging.regions import connected_regions, each_region
from cine3d_core.motion.point_motion import PointMotion
from cine3d_core.motion.sway import STEEPEST, sway_of_points
from cine3d_core.scene import MotionRegion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CYCLE_FRAMES = 30  # about the length of a wave's rise and fall
MOST_SQUEEZED = 0.6  # neighbours come this much of their distance closer, at most
LEAST_SHARE = 0.05  # of the nearest water's disparity: beyond it the plane is not followed


@dataclass(frozen=True)
class ShimmerParams:
    """How calm water shimmers. Lengths are shares of the long side, where the water is nearest."""

    amplitude: float = 0.003  # to either side
    wavelength: float = 0.18  # along the water, not in the picture
    across: float = 0.5  # of the amplitude that goes sideways
    wander: float = 1.1  # radians by which crests depart from straight lines
    border: float = 0.012  # over which it comes to rest


def shimmer_field(
    mask: Tensor,  # [1, H, W] bool
    disparity: Tensor,  # [1, H, W]
    *,
    speed: float = 1.0,  # factor for the amplitude
    params: ShimmerParams | None = None,
) -> Tensor:  # [3, H, W] float32, zero outside `mask`
    """Amplitude (x, y) in px and phase in radians, as `MotionField.in_place`."""
    params = params or ShimmerParams()
    inside = mask[0].cpu().numpy()
    near = disparity[0].cpu().numpy().astype(np.float64)
    field = np.zeros((3, *inside.shape))
    count, label = connected_regions(inside)
    for _, window, region in each_region(count, label):
        field[(slice(None), *window)] += _of_region(
            region, near[window], max(inside.shape), speed, params
        )
    return torch.from_numpy(field.astype(np.float32)).to(mask.device)


def _of_region(
    region: Mask, disparity: Array, long_side: int, speed: float, params: ShimmerParams
) -> Array:  # [3, h, w], zero outside the region
    if min(region.shape) < 3:  # a line has no waves
        return np.zeros((3, *region.shape))
    nearness, normal = _water_plane(region, disparity, long_side)
    phase = _phase(nearness, normal, long_side, params)
    slope_y, slope_x = np.gradient(phase)
    shortest = math.tau / np.maximum(np.hypot(slope_x, slope_y), 1e-6)  # px from crest to crest
    border = max(2.0, params.border * long_side)
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)
    free = np.clip(distance[1:-1, 1:-1] / border, 0, 1) * region
    amplitude = speed * params.amplitude * long_side * nearness
    amplitude = np.minimum(amplitude, MOST_SQUEEZED * shortest / (2 * STEEPEST * math.tau))
    amplitude *= free * free * (3 - 2 * free)
    return np.stack([params.across * amplitude, amplitude, np.where(region, phase, 0.0)])


def _water_plane(region: Mask, disparity: Array, long_side: int) -> tuple[Array, Array]:
    """Disparity of the fitted plane as a share of the region's nearest, and the plane's normal.

    The focal length is taken for the long side, as for a photo that does not state it.

    Returns:
        [h, w] in [LEAST_SHARE, 1] and [3] of length 1.
    """
    ground = _centred(region.shape)
    plane, _ = robust_plane(ground[region], disparity[region])
    flat = ground @ plane
    nearest = max(float(np.percentile(flat[region], 99)), 1e-9)
    normal = plane * (1.0, 1.0, 1.0 / long_side)
    return np.clip(flat / nearest, LEAST_SHARE, 1.0), normal / np.linalg.norm(normal)


def _phase(nearness: Array, normal: Array, long_side: int, params: ShimmerParams) -> Array:
    """Falls [h, w] along the plane away from the viewer; slow waves across bend the crests."""
    place = _centred(nearness.shape) * (1.0, 1.0, long_side) / nearness[..., None]
    # away from the viewer along the plane, or up the picture where it is seen from straight above
    facing = abs(normal[2]) > 0.95
    away = np.array([0.0, -1.0, 0.0]) if facing else np.array([0.0, 0.0, 1.0])
    away -= (away @ normal) * normal
    away /= np.linalg.norm(away)
    side = np.cross(normal, away)
    wavelength = params.wavelength * long_side
    along, across = place @ away / wavelength, place @ side / wavelength
    bend = np.sin(1.7 * across + 0.6 * along) + 0.6 * np.sin(-0.9 * across + 1.3 * along + 2.0)
    return math.tau * along + params.wander * bend


def _centred(shape: tuple[int, ...]) -> Array:  # [h, w, 3]
    """Column and row from the middle of a window, and 1."""
    rows, columns = np.indices(shape, dtype=np.float64)
    middle = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    return np.stack([columns - middle[1], rows - middle[0], np.ones(shape)], -1)


class ShimmerKind:
    """See `InPlaceKind`. The planes and the wave of each point are those of a sway."""

    def field(self, mask: Tensor, disparity: Tensor, region: MotionRegion) -> Tensor:
        """[3, H, W]; see `shimmer_field`."""
        return shimmer_field(mask, disparity, speed=region.speed)

    def cycles(self, num_frames: int) -> int:
        """Waves per loop when a person asks for none."""
        return max(1, round(num_frames / CYCLE_FRAMES))

    def of_points(self, planes: Tensor, period: float, *, backward: bool) -> PointMotion:
        """See `sway_of_points`."""
        return sway_of_points(planes[:, :2], planes[:, 2], period, backward=backward)
