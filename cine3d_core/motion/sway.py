"""Sway: foliage and reeds rock back and forth as a wave of a few harmonics travels through them.

The paper names such motion as future work (section 5): it is no flow, since nothing goes away. A
point moves by a(x) [f(theta + phi(x)) - f(phi(x))], theta = 2 pi per cycle, f a sum of whole
harmonics. So every cycle ends where it began without any cross-fade, and frame 0 is the photo.

A wave runs through the region in the arrows' direction and bends it that way. It is held where it
grows from: at those of its borders where what is outside is no farther away. Its other borders
swing freely before what is behind them, and so they do at the picture's frame, except at its lower
edge, below which the roots must be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.imaging.regions import connected_regions, each_region
from cine3d_core.motion.point_motion import PointMotion
from cine3d_core.motion.solver import guide_vectors
from cine3d_core.scene import MotionHint, MotionRegion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Number, strength and shift (radians) of each harmonic. Their sum f spans 2, so that the amplitude
# is the way to either side of a point's middle.
HARMONICS = ((1, 0.894, 0.0), (2, 0.267, 1.3), (3, 0.113, 2.6))
STEEPEST = 1.52  # at most, of f per radian
CYCLE_FRAMES = 50  # about the length of a swing when a person asks for none
MOST_SQUEEZED = 0.8  # neighbours come this much of their distance closer, at most


@dataclass(frozen=True)
class Sway:
    """The motion of swaying points, forward or backward in time."""

    amplitude: Tensor  # [n, 2] px
    waves: Tensor  # [n, 2 K] cosine and sine of each harmonic's phase at rest
    period: float  # frames
    backward: bool
    # a reed that bends aside does not take the depth of what is there
    keeps_depth: ClassVar[bool] = True

    def displacement(self, time: float) -> Tensor:
        """See `PointMotion`; [n, 2] px, 0 after every whole period."""
        return sway_at(self, time)


def sway_of_points(
    amplitude: Tensor,  # [n, 2] px
    phase: Tensor,  # [n] radians
    period: float,
    *,
    backward: bool = False,
) -> Sway:
    """Works out what does not depend on time."""
    waves = []
    for number, _, shift in HARMONICS:
        waves += [torch.cos(number * phase + shift), torch.sin(number * phase + shift)]
    return Sway(amplitude, torch.stack(waves, dim=1), period, backward)


def sway_at(sway: Sway, time: float) -> Tensor:  # [n, 2] px
    """Displacement after `time` frames (before, if backward); 0 after every whole period."""
    turn = (-time if sway.backward else time) / sway.period % 1.0
    way = torch.zeros_like(sway.amplitude[:, :1])
    for k, (number, strength, _) in enumerate(HARMONICS):
        angle = math.tau * number * turn
        # sin(angle + phase) - sin(phase), by products: exactly 0 for an angle of 0
        way += sway.waves[:, 2 * k : 2 * k + 1] * (strength * math.sin(angle))
        way += sway.waves[:, 2 * k + 1 : 2 * k + 2] * (strength * (math.cos(angle) - 1))
    return sway.amplitude * way


@dataclass(frozen=True)
class SwayParams:
    """How a region sways unless a person says otherwise. Lengths are shares of the long side."""

    amplitude: float = 0.004  # to either side
    wavelength: float = 0.2
    border: float = 0.006  # width in which a border's two depths are looked for
    jump: float = 0.8  # outside / inside disparity; below it what is outside lies behind


def sway_field(
    mask: Tensor,  # [1, H, W] bool
    disparity: Tensor,  # [1, H, W]
    region: MotionRegion,  # hints, speed, amplitude and wavelength
) -> Tensor:  # [3, H, W] float32, zero outside `mask`
    """Amplitude (x, y) in px and phase in radians, as `MotionField.in_place`.

    Raises:
        InputError: an amplitude so large for its wavelength that the picture would fold.
    """
    params = SwayParams()
    inside = mask[0].cpu().numpy()
    long_side = max(inside.shape)
    amplitude = region.amplitude or params.amplitude * long_side
    amplitude *= region.speed
    wavelength = region.wavelength or params.wavelength * long_side
    largest = MOST_SQUEEZED * wavelength / (2 * STEEPEST * math.tau)
    if amplitude > largest:
        raise InputError(
            f"a sway by {amplitude:.1f} px with waves {wavelength:.1f} px long would fold the "
            f"picture; choose at most {largest:.1f} px or longer waves"
        )
    direction = _directions(inside.shape, region.hints)
    depth = disparity[0].cpu().numpy().astype(np.float32)
    free = _freedom(inside, depth, max(1, round(params.border * long_side)), params.jump)
    way = direction * (amplitude * free)[..., None]
    phase = np.where(inside, _phase(direction, inside, wavelength), 0.0)
    field = np.concatenate([way, phase[..., None]], -1).astype(np.float32)
    return torch.from_numpy(field).permute(2, 0, 1).contiguous().to(mask.device)


def _directions(shape: tuple[int, ...], hints: Sequence[MotionHint]) -> Array:  # [H, W, 2]
    """Unit vectors: the arrows' directions, blended by distance; to the right without arrows."""
    height, width = shape
    direction = np.zeros((height, width, 2)) + (1.0, 0.0)
    if hints:
        feet = np.array([hint.start for hint in hints], np.float64)
        vectors = np.array([hint.end for hint in hints]) - feet
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows, columns = np.indices(shape)
        centres = np.stack([columns.ravel(), rows.ravel()], 1) + 0.5
        direction = guide_vectors(centres, feet, vectors).reshape(height, width, 2)
        direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-6)
    return direction


def _phase(direction: Array, inside: Mask, wavelength: float) -> Array:  # [H, W] radians
    """Falls along the mean direction, so that crests run that way; their fronts are wavy."""
    along = direction[inside].mean(0) if inside.any() else np.array([1.0, 0.0])
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    rows, columns = np.indices(inside.shape)
    way = (columns * along[0] + rows * along[1]) / wavelength
    across = (rows * along[0] - columns * along[1]) / wavelength
    return -math.tau * way + 0.9 * np.sin(math.tau * across / 1.7)


def _freedom(inside: Mask, disparity: NDArray, border_px: int, jump: float) -> Array:  # [H, W]
    """0 where the region is held to 1 where it swings freely."""
    held = _held_border(inside, disparity, border_px, jump)
    below = np.pad(inside, ((0, 1), (0, 0)))  # the row in which it is held below the frame
    held = np.pad(held, ((0, 1), (0, 0)))
    held[-1] = inside[-1]
    freedom = np.zeros(below.shape)
    count, label = connected_regions(below)
    for _, window, region in each_region(count, label, margin=1):
        own = held[window] & (cv2.dilate(region.astype(np.uint8), np.ones((3, 3))) > 0)
        if not own.any():  # free all round: it grows from its lowest points
            own[-1] = True
        distance = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
        reach = max(0.7 * float(distance[region].max()), 2.0)
        share = np.clip(distance / reach, 0, 1)
        freedom[window][region] = (share * share * (3 - 2 * share))[region]
    return freedom[:-1]


def _held_border(inside: Mask, disparity: NDArray, border_px: int, jump: float) -> Mask:
    """Pixels next to the region that do not lie clearly behind it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * border_px + 1, 2 * border_px + 1))
    near = cv2.dilate(np.where(inside, disparity, 0).astype(np.float32), disc)
    far = cv2.erode(np.where(inside, np.inf, disparity).astype(np.float32), disc)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # the smallest disc
    ring = (cv2.dilate(inside.astype(np.uint8), cross) > 0) & ~inside
    return ring & ~(far < jump * near)


class SwayKind:
    """See `InPlaceKind`. The planes are amplitude (x, y) in px and phase in radians."""

    def field(self, mask: Tensor, disparity: Tensor, region: MotionRegion) -> Tensor:
        """[3, H, W]; see `sway_field`."""
        return sway_field(mask, disparity, region)

    def cycles(self, num_frames: int) -> int:
        """Swings per loop when a person asks for none."""
        return max(1, round(num_frames / CYCLE_FRAMES))

    def of_points(self, planes: Tensor, period: float, *, backward: bool) -> PointMotion:
        """See `sway_of_points`."""
        return sway_of_points(planes[:, :2], planes[:, 2], period, backward=backward)
