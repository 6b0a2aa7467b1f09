"""Compiled CPU kernel of the cross-fade; `blending.py` says what it computes."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from cine3d_core.compiled import compiled


@compiled()
def blend_share(
    forward: np.ndarray,  # [4, H, W] float32: phase, moving, alpha, disparity
    backward: np.ndarray,  # [4, H, W]
    loop_phase: float,
    lowest: float,  # disparity of the scene
    scale: float,  # 1 / range of the scene's disparity
    eq4: bool,
    out: np.ndarray,  # [H, W] share of the backward cloud
) -> None:
    """Weigh both clouds in every pixel."""
    height, width = out.shape
    for row in prange(height):
        for column in range(width):
            phase_a, move_a, alpha_a, near_a = forward[:, row, column]
            phase_b, move_b, alpha_b, near_b = backward[:, row, column]
            fade_a = phase_a / move_a if move_a > 1e-3 else 1.0 - loop_phase
            fade_b = phase_b / move_b if move_b > 1e-3 else loop_phase
            if eq4:
                weight_a = math.exp(-1.0 / max(near_a, 1e-6))
                weight_b = math.exp(-1.0 / max(near_b, 1e-6))
            else:
                weight_a = math.exp(min(max((near_a - lowest) * scale, 0.0), 1.0))
                weight_b = math.exp(min(max((near_b - lowest) * scale, 0.0), 1.0))
                weight_a *= 1.0 - 0.999 * min(max(move_b - move_a, 0.0), 1.0)
                weight_b *= 1.0 - 0.999 * min(max(move_a - move_b, 0.0), 1.0)
            weight_a *= fade_a * alpha_a
            weight_b *= fade_b * alpha_b
            total = weight_a + weight_b
            if total > 1e-12:
                out[row, column] = weight_b / total
            else:  # at a cycle's start, where only the cloud without weight shows something
                out[row, column] = alpha_b / max(alpha_a + alpha_b, 1e-12)
