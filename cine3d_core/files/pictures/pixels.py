"""Rendered colour as the bytes that encoders take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def rgb_bytes(rgb: Tensor) -> np.ndarray:  # [H, W, 3] uint8
    """Round sRGB [3, H, W] in [0, 1] to 8 bits, as a copy on the CPU; bytes stay as they are."""
    if rgb.dtype == torch.uint8:
        return np.array(rgb.permute(1, 2, 0).cpu().numpy(), order="C")
    scaled = (rgb.detach().clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return np.array(scaled.permute(1, 2, 0).cpu().numpy(), order="C")
