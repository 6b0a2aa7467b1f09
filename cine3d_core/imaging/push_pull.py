"""Smooth interpolation of scattered pixels by an image pyramid.

Gortler et al., "The Lumigraph" (SIGGRAPH 1996), section 3.4: pull known values down to coarser and
coarser pictures until all is known, then push them up again into what is still unknown.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.imaging import push_pull_kernels as kernels
from cine3d_core.imaging.launch import may_launch


def push_pull(
    values: Tensor,  # [C, H, W]
    weights: Tensor,  # [1, H, W] in [0, 1]: 1 keeps a value, 0 asks for one
) -> Tensor:  # [C, H, W]
    """Values everywhere: kept where known, a smooth membrane between; zeros when nothing is known.

    Differentiable in `values`; the time is linear in the number of pixels.
    """
    compiled = values.dtype == torch.float32 and values.device.type == "cpu"
    if compiled and not values.requires_grad:
        # copies, since the kernels work in place
        filled = values.contiguous().numpy().copy()
        _push_pull_compiled(filled, weights[0].to(values).contiguous().numpy().copy())
        return torch.from_numpy(filled)
    if may_launch(values) and values.dtype == torch.float32 and not values.requires_grad:
        from cine3d_core.imaging import push_pull_card  # imports Warp, see `launch`

        return push_pull_card.push_pull(values, weights)
    return push_pull_torch(values, weights)


def push_pull_torch(values: Tensor, weights: Tensor) -> Tensor:
    """`push_pull` in torch operations: any device and dtype, gradients to the values."""
    filled, _ = _push_pull(values[None], weights[None].to(values))
    return filled[0]


def _push_pull_compiled(values: np.ndarray, weights: np.ndarray) -> None:
    """One level of the pyramid and all above it, in place: [C, H, W] and [H, W] float32."""
    channels, height, width = values.shape
    if height == 1 and width == 1:
        values *= weights > 0
        return
    if bool((weights >= 1).all()):
        return
    coarse_values = np.empty((channels, -(-height // 2), -(-width // 2)), np.float32)
    coarse_weights = np.empty(coarse_values.shape[1:], np.float32)
    kernels.pull(values, weights, coarse_values, coarse_weights)
    _push_pull_compiled(coarse_values, coarse_weights)
    kernels.push(coarse_values, coarse_weights, values, weights)


def _push_pull(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """One level of the pyramid and all above it: values and weights after filling."""
    height, width = values.shape[-2:]
    if height == 1 and width == 1:
        return values * (weights > 0), weights
    # An odd side gets one empty row or column, which has no weight and so no say.
    padding = (0, width % 2, 0, height % 2)
    mass = F.avg_pool2d(F.pad(weights, padding), 2)
    mean = F.avg_pool2d(F.pad(values * weights, padding), 2) / mass.clamp(min=1e-12)
    # One known pixel of four is enough to know the coarse pixel.
    coarse, coarse_weights = _push_pull(mean, (4 * mass).clamp(max=1))
    above = _double(torch.cat([coarse * coarse_weights, coarse_weights], dim=1))
    above = above[..., :height, :width]
    above_weights = above[:, -1:]
    filled = weights * values + (1 - weights) * above[:, :-1] / above_weights.clamp(min=1e-12)
    return filled, torch.maximum(weights, above_weights)


def _double(x: Tensor) -> Tensor:
    """Bilinear enlargement by two, pixel areas kept in place."""
    size = (2 * x.shape[-2], 2 * x.shape[-1])
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
