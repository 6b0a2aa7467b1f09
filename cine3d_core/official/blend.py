"""Blending the two splats of a frame so that the loop closes (3D Cinemagraphy, Eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor

ALPHA, DISPARITY = 3, -1  # channels of a splat: R, G, B, coverage, features ..., disparity


def blend_weights(
    disparities: tuple[Tensor, Tensor],  # [B, 1, H, W] each, normalised to [0, 1]
    alphas: tuple[Tensor, Tensor],  # [B, 1, H, W] each, coverage
    time: float,
    factor: float | Tensor,
) -> tuple[Tensor, Tensor]:  # [B, 1, H, W] each
    """Share of the forward and of the backward splat; both 0 where neither covers.

    The paper weighs by exp(-depth); the program by exp(factor * normalised disparity).

    Args:
        disparities: of the forward and the backward splat.
        alphas: of the same.
        time: share of the loop that has passed, in [0, 1).
        factor: how strongly nearness counts (`ImageDecoder.alpha`).
    """
    forward = (1 - time) * (factor * disparities[0]).exp() * alphas[0]
    backward = time * (factor * disparities[1]).exp() * alphas[1]
    total = (forward + backward).clamp(min=1e-6)
    return forward / total, backward / total


def blend(
    forward: Tensor,  # [B, C, H, W] R, G, B, coverage, features ..., disparity
    backward: Tensor,  # [B, C, H, W]
    time: float,
    factor: float | Tensor,
) -> Tensor:  # [B, C, H, W]
    """Both splats in one; every channel is blended, coverage and disparity too."""
    disparities = forward[:, DISPARITY:], backward[:, DISPARITY:]
    alphas = forward[:, ALPHA : ALPHA + 1], backward[:, ALPHA : ALPHA + 1]
    weights = blend_weights(disparities, alphas, time, factor)
    return torch.addcmul(forward * weights[0], backward, weights[1])
