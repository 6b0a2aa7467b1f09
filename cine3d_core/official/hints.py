"""From a person's mask and arrows to the dense hint that the motion net reads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.scene import MotionHint

FRAMES_PER_ARROW = 50  # an arrow's length is the way of 50 frames
GRID = 768  # side of the motion net's input


def hint_radius_range(height: int, count: int) -> tuple[int, int]:
    """The published range [low, high) of the hints' radius, in pixels of the photo.

    Args:
        height: of the photo.
        count: number of hints, at least 1.
    """
    if count < 1:
        raise InputError(
            "there is no motion hint, but the official method needs at least one; draw an arrow"
        )
    low = max(height // (2 * count), 1)  # the published 0 for very many hints would divide by 0
    return low, max(int(height // (count / 2)), low + 1)


def hint_radius(height: int, count: int, generator: torch.Generator | None = None) -> int:
    """A radius from the published range: its middle, or drawn at random as published."""
    low, high = hint_radius_range(height, count)
    if generator is None:
        return (low + high) // 2
    return int(torch.randint(low, high, (), generator=generator))


def dense_hint(
    hints: tuple[MotionHint, ...],
    mask: Tensor,  # [1, H, W] bool: what moves
    radius: float,  # px of the photo
    grid: int = GRID,
) -> Tensor:  # [1, 2, S, S] px/frame on the grid
    """Velocities of the hints spread over the mask, weighted by Gaussians of the distance."""
    height, width = mask.shape[-2:]
    weighted = torch.zeros(2, height, width, device=mask.device)
    total = torch.zeros(height, width, device=mask.device)
    ys = torch.arange(height, device=mask.device)[:, None]
    xs = torch.arange(width, device=mask.device)
    for hint in hints:
        anchor_x, anchor_y = int(hint.start[0]), int(hint.start[1])
        squared = (xs - anchor_x) ** 2 + (ys - anchor_y) ** 2
        weight = (-squared / radius**2).exp()
        velocity = [(b - a) / FRAMES_PER_ARROW for a, b in zip(hint.start, hint.end, strict=True)]
        weighted += torch.tensor(velocity, device=mask.device).view(2, 1, 1) * weight
        total += weight
    # float32 underflows far from every hint; there the sum is 0 / 0 and the hint is 0
    hint = weighted / torch.where(total == 0, 1.0, total) * mask
    hint = hint * torch.tensor([grid / width, grid / height], device=mask.device).view(2, 1, 1)
    return F.interpolate(hint[None], (grid, grid), mode="bilinear", align_corners=False)


def grid_mask(
    mask: Tensor,  # [1, H, W] bool
    grid: int = GRID,
) -> Tensor:  # [1, 1, S, S] in [0, 1]
    """The mask on the motion net's grid: share of each cell that moves."""
    return F.interpolate(mask[None].float(), (grid, grid), mode="area")
