"""The photo grown beyond its frame, so that borders never run empty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class ExtendedCanvas:
    """A photo grown on every side."""

    rgb: Tensor  # [3, H + 2m, W + 2m]
    depth: Tensor  # [1, H + 2m, W + 2m]
    inpainted: Tensor  # [1, H + 2m, W + 2m] bool, True in the margin


def extend_canvas(
    rgb: Tensor,  # [3, H, W]
    depth: Tensor,  # [1, H, W]
    margin_px: int,
) -> ExtendedCanvas:
    """The photo mirrored into a margin on every side, its depth with it.

    Colour and depth are mirrored together, so that depth edges stay on the picture's edges.
    """
    rows = _mirror_indices(rgb.shape[1], margin_px, rgb.device)
    columns = _mirror_indices(rgb.shape[2], margin_px, rgb.device)
    seen = torch.zeros_like(depth, dtype=torch.bool)
    return ExtendedCanvas(
        rgb=rgb[:, rows][:, :, columns],
        depth=depth[:, rows][:, :, columns],
        inpainted=F.pad(seen, (margin_px,) * 4, value=True),
    )


def _mirror_indices(size: int, margin: int, device: torch.device) -> Tensor:
    """Source row of every canvas row: ... 1 0 | 0 1 ... n-1 | n-1 n-2 ..., for any margin."""
    period = torch.arange(-margin, size + margin, device=device) % (2 * size)
    return torch.minimum(period, 2 * size - 1 - period)
