"""Small pictures and frames for tests, the same at every run."""

from __future__ import annotations

import numpy as np
import torch

from cine3d_core.scene import RenderedFrame


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:  # [H, W, 3] float64
    """Soft colours in [0, 1] that survive lossy formats."""
    phase = np.random.default_rng(seed).random((3, 2)) * 6
    y, x = np.meshgrid(np.linspace(0, 3, height), np.linspace(0, 3, width), indexing="ij")
    planes = [0.5 + 0.2 * np.sin(x + a) + 0.2 * np.cos(y + b) for a, b in phase]
    return np.stack(planes, axis=2)


def picture8(height: int, width: int, seed: int = 0) -> np.ndarray:  # [H, W, 3] uint8
    return np.round(smooth_picture(height, width, seed) * 255).astype(np.uint8)


def picture16(height: int, width: int, seed: int = 0) -> np.ndarray:  # [H, W, 3] uint16
    return np.round(smooth_picture(height, width, seed) * 65535).astype(np.uint16)


def rendered_frame(height: int, width: int, seed: int = 0) -> RenderedFrame:
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.from_numpy(picture8(height, width, seed)).permute(2, 0, 1).float() / 255
    return RenderedFrame(
        rgb=rgb,
        alpha=torch.rand(1, height, width, generator=generator),
        depth=torch.rand(1, height, width, generator=generator) + 1,
        motion=torch.randn(4, height, width, generator=generator),
        moving=torch.rand(1, height, width, generator=generator),
    )
