"""Points that sway: a wave of a few harmonics travels through them and bends each to and fro.

The paper names such motion as future work (section 5): it is no flow, since nothing goes away. A
point moves by a(x) [f(theta + phi(x)) - f(phi(x))], theta = 2 pi per cycle, f a sum of whole
harmonics. So every cycle ends where it began without any cross-fade, and frame 0 is the photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Number, strength and shift (radians) of each harmonic. Their sum f spans 2, so that the amplitude
# is the way to either side of a point's middle.
HARMONICS = ((1, 0.894, 0.0), (2, 0.267, 1.3), (3, 0.113, 2.6))
STEEPEST = 1.52  # at most, of f per radian


@dataclass(frozen=True)
class Sway:
    """The motion of swaying points, forward or backward in time."""

    amplitude: Tensor  # [n, 2] px
    waves: Tensor  # [n, 2 K] cosine and sine of each harmonic's phase at rest
    period: float  # frames
    backward: bool


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
