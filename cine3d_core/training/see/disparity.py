"""Losses for relative disparity whose labels have an unknown scale and shift.

Ranftl et al., "Towards Robust Monocular Depth Estimation" (TPAMI 2022), section 5.
"""

from __future__ import annotations

import torch
from torch import Tensor

GRADIENT_SCALES = 4


def normalised(disparity: Tensor) -> Tensor:  # [B, 1, H, W] -> the same
    """Median 0 and mean absolute deviation 1 per picture (eq. 4 and 5)."""
    centred = disparity - disparity.flatten(1).median(dim=1).values[:, None, None, None]
    spread = centred.abs().mean(dim=(1, 2, 3), keepdim=True)
    # a flat picture, such as nothing but sky, has no spread
    return centred / spread.clamp(min=1e-4)


def trimmed_error(residual: Tensor, kept_share: Tensor) -> Tensor:  # [B, 1, H, W], [B] -> [B]
    """Mean absolute error of the best share of each picture's pixels (eq. 7)."""
    errors = residual.abs().flatten(1).sort(dim=1).values
    rank = torch.arange(errors.shape[1], device=errors.device) + 0.5
    kept = (rank < kept_share[:, None] * errors.shape[1]).to(errors.dtype)
    return (errors * kept).sum(dim=1) / errors.shape[1]


def gradient_error(residual: Tensor) -> Tensor:  # [B, 1, H, W] -> [B]
    """Mean absolute slope of the residual at four scales: puts edges in place (eq. 11)."""
    total = torch.zeros_like(residual[:, 0, 0, 0])
    for level in range(GRADIENT_SCALES):
        r = residual[:, :, :: 2**level, :: 2**level]
        across = (r[..., 1:] - r[..., :-1]).abs().mean(dim=(1, 2, 3))
        down = (r[..., 1:, :] - r[..., :-1, :]).abs().mean(dim=(1, 2, 3))
        total = total + across + down
    return total
