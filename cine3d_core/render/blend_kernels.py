"""Compiled CPU kernel of the cross-fade; `blend.py` says what it computes."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from cine3d_core.imaging.compiled import compiled, inner

CHUNK = 4096  # pixels that one thread takes at a time

# Of its weight a cloud loses so much where it has flowed away and the other has not. What is left
# shows where the other counts nothing, at a cycle's start.
GAP = 0.9999


@inner()
def weigh(
    a: np.ndarray,  # [C, P] float32 features of the forward cloud
    b: np.ndarray,  # [C, P] of the backward cloud
    near_a: np.ndarray,  # [P] disparity
    near_b: np.ndarray,  # [P]
    alpha_a: np.ndarray,  # [P]
    alpha_b: np.ndarray,  # [P]
    places: tuple[int, int],  # channel of the phase, channel of what moves
    loop_phase: float,
    disparity: tuple[float, float],  # lowest of the scene, 1 / range
    eq4: bool,
    share: np.ndarray,  # [P] out
) -> None:
    """The backward cloud's share of some pixels."""
    phase, moving = places
    lowest, scale = disparity
    for at in range(share.shape[0]):
        move_a, move_b = a[moving, at], b[moving, at]
        fade_a = a[phase, at] / move_a if move_a > 1e-3 else 1.0 - loop_phase
        fade_b = b[phase, at] / move_b if move_b > 1e-3 else loop_phase
        weight_a, weight_b = fade_a * alpha_a[at], fade_b * alpha_b[at]
        if eq4:
            weight_a *= math.exp(-1.0 / max(near_a[at], 1e-6))
            weight_b *= math.exp(-1.0 / max(near_b[at], 1e-6))
        elif near_a[at] != near_b[at] or move_a != move_b:
            ahead = min(max((near_b[at] - lowest) * scale, 0.0), 1.0)
            ahead -= min(max((near_a[at] - lowest) * scale, 0.0), 1.0)
            weight_a *= 1.0 - GAP * min(max(move_b - move_a, 0.0), 1.0)
            weight_b *= 1.0 - GAP * min(max(move_a - move_b, 0.0), 1.0)
            weight_b *= math.exp(ahead)
        total = weight_a + weight_b
        if total > 1e-12:
            share[at] = weight_b / total
        else:  # at a cycle's start, where only the cloud without weight shows something
            share[at] = alpha_b[at] / max(alpha_a[at] + alpha_b[at], 1e-12)


@inner()
def mix(
    a: np.ndarray,  # [P] float32
    b: np.ndarray,  # [P]
    share: np.ndarray,  # [P] of b
    out: np.ndarray,  # [P]
) -> None:
    """Linear interpolation that gives `a` and `b` themselves at the ends, and where they agree."""
    half, one = np.float32(0.5), np.float32(1.0)
    for at in range(share.shape[0]):
        way = b[at] - a[at]
        from_a = a[at] + share[at] * way
        from_b = b[at] - way * (one - share[at])
        out[at] = from_a if share[at] < half else from_b


@compiled()
def blend(
    forward: tuple,  # features [C, P], alpha [P], disparity [P], all float32, P pixels
    backward: tuple,  # the same
    places: tuple,  # channel of the phase, channel of what moves
    loop_phase: float,
    disparity: tuple,  # lowest of the scene, 1 / range
    eq4: bool,
    out: tuple,  # features [C, P], alpha [P], disparity [P], the backward cloud's share [P]
) -> None:
    """Weigh both clouds in every pixel and mix them."""
    a, alpha_a, near_a = forward
    b, alpha_b, near_b = backward
    features, alpha, near, shares = out
    channels, count = a.shape
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        first, end = chunk * CHUNK, min((chunk + 1) * CHUNK, count)
        share = shares[first:end]
        weigh(
            a[:, first:end],
            b[:, first:end],
            near_a[first:end],
            near_b[first:end],
            alpha_a[first:end],
            alpha_b[first:end],
            places,
            loop_phase,
            disparity,
            eq4,
            share,
        )
        for at in range(first, end):
            alpha[at] = max(alpha_a[at], alpha_b[at])
        mix(near_a[first:end], near_b[first:end], share, near[first:end])
        for channel in range(channels):
            mix(a[channel, first:end], b[channel, first:end], share, features[channel, first:end])
