"""Inverse depth of a photo by DPT-hybrid, prepared as the authors prepare it."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

TARGET, MULTIPLE = 384, 32  # px


def dpt_input_size(height: int, width: int) -> tuple[int, int]:
    """Size at which DPT sees a photo: near 384 px a side, scaled as little as possible."""
    scale = min(TARGET / height, TARGET / width, key=lambda s: abs(1 - s))
    rows, columns = (max(round(scale * side / MULTIPLE), 1) * MULTIPLE for side in (height, width))
    return rows, columns


def dpt_inverse_depth(
    rgb: Tensor,  # [3, H, W] in [0, 1]
    network: Callable[[Tensor], Tensor],  # `networks.official.dpt`
) -> Tensor:  # [H, W] >= 0, up to scale and shift
    """Relative inverse depth at the photo's size."""
    height, width = rgb.shape[-2:]
    # bicubic with a = -0.75 and no smoothing: OpenCV's INTER_CUBIC
    small = F.interpolate(
        rgb[None], dpt_input_size(height, width), mode="bicubic", align_corners=False
    )
    inverse = network((small - 0.5) / 0.5)
    return F.interpolate(inverse[None], (height, width), mode="bicubic", align_corners=False)[0, 0]
