"""Euler integration of points through a still velocity field (paper, section 3.2, Eq. 3).

The paper's equation with bilinear look-ups, for the moving points only. Where a point is after t
steps depends on its start alone, so any frame can be asked for in any order: a few exact positions
are kept as keys, and the rest of the way is walked again.

A point that leaves the canvas goes on with the velocity of the border it left through (the look-up
is clamped to the canvas), so that borders neither empty nor tear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np
import torch
from torch import Tensor

from cine3d_core.imaging.compiled import compiled
from cine3d_core.imaging.launch import may_launch

MAX_KEYS = 16  # 8 bytes a point each: a million moving points cost at most 136 MB a direction


@dataclass(frozen=True)
class DisplacementKeys:
    """Exact displacements at every `stride`-th step, and what is needed to walk on from there."""

    start_px: Tensor  # [N, 2] float32
    velocity: Tensor  # [L, H, W, 2] float32 px/step; channels last: one cache line per look-up
    backward: bool  # walks against the velocity
    layer: Tensor  # [N] int64, the field that carries each point
    keys: Tensor  # [K, N, 2] float32 px; keys[k] is the displacement after k * stride steps
    stride: int
    num_steps: int
    keeps_depth: ClassVar[bool] = False  # water stays on its surface

    def displacement(self, time: float) -> Tensor:
        """See `PointMotion`; [N, 2] px at any `time` in [0, num_steps]."""
        return displacement_at(self, time)


def integrate(
    start_px: Tensor,  # [N, 2] x, y
    velocity: Tensor,  # [L, 2, H, W] px/step
    steps: float,
    *,
    layer: Tensor | None = None,  # [N] integers; may be left out when L is 1
) -> Tensor:  # [N, 2] float32 px
    """Displacement after `steps` >= 0 steps: the sum of M(p_k) along the way (Eq. 3).

    A fraction of a step is that fraction of the next step's vector. Pass `-velocity` to go
    backward in time.
    """
    field, layer = _channels_last(velocity), _point_layers(layer, start_px, velocity)
    start_px = start_px.float().contiguous()
    return _advance(start_px, torch.zeros_like(start_px), field, layer, steps, backward=False)


def displacement_keys(
    start_px: Tensor,  # [N, 2]
    velocity: Tensor,  # [L, 2, H, W] px/step
    num_steps: int,
    *,
    layer: Tensor | None = None,  # [N]
    backward: bool = False,
    max_keys: int = MAX_KEYS,
) -> DisplacementKeys:
    """Walks all points `num_steps` steps once, keeping the start and at most `max_keys` moments.

    `backward` walks against the velocity; a channels-last `velocity` is not copied.
    """
    assert num_steps >= 0 and max_keys >= 1, (num_steps, max_keys)
    field, layer = _channels_last(velocity), _point_layers(layer, start_px, velocity)
    start_px = start_px.float().contiguous()
    stride = max(1, math.ceil(num_steps / max_keys))
    keys = torch.zeros((num_steps // stride + 1, *start_px.shape), device=start_px.device)
    for k in range(1, len(keys)):
        keys[k] = _advance(start_px, keys[k - 1], field, layer, stride, backward=backward)
    return DisplacementKeys(start_px, field, backward, layer, keys, stride, num_steps)


def displacement_at(keys: DisplacementKeys, time: float) -> Tensor:  # [N, 2] px
    """Displacement at any `time` in [0, num_steps], whatever was asked before.

    The same additions in the same order as `integrate` makes, hence the same bits.
    """
    assert 0 <= time <= keys.num_steps, (time, keys.num_steps)
    k = min(int(time) // keys.stride, len(keys.keys) - 1)
    rest = time - k * keys.stride
    return _advance(
        keys.start_px, keys.keys[k], keys.velocity, keys.layer, rest, backward=keys.backward
    )


def _channels_last(velocity: Tensor) -> Tensor:  # [L, 2, H, W] -> [L, H, W, 2]
    assert velocity.ndim == 4 and velocity.shape[1] == 2, velocity.shape
    return velocity.float().permute(0, 2, 3, 1).contiguous()


def _point_layers(layer: Tensor | None, start_px: Tensor, velocity: Tensor) -> Tensor:  # [N] int64
    count = len(velocity)
    if layer is None:
        assert count == 1, f"{count} fields and no word which of them carries which point"
        return torch.zeros(len(start_px), dtype=torch.int64, device=start_px.device)
    assert layer.shape == start_px.shape[:1], (layer.shape, start_px.shape)
    assert len(layer) == 0 or (int(layer.min()) >= 0 and int(layer.max()) < count), count
    return layer.to(torch.int64).contiguous()


def _advance(
    start: Tensor,
    displacement: Tensor,
    field: Tensor,
    layer: Tensor,
    steps: float,
    *,
    backward: bool,
) -> Tensor:
    """`displacement` [N, 2] advanced by `steps` steps; new memory."""
    whole = math.floor(steps)
    advance = advance_torch
    if start.device.type == "cpu":
        advance = _advance_compiled
    elif may_launch(start):
        from cine3d_core.motion.euler_card import advance  # imports Warp, see `launch`
    sign = -1.0 if backward else 1.0
    return advance(start, displacement, field, layer, whole, steps - whole, sign)


def _advance_compiled(
    start: Tensor,
    displacement: Tensor,
    field: Tensor,
    layer: Tensor,
    whole: int,
    fraction: float,
    sign: float,
) -> Tensor:
    out = torch.empty_like(displacement)
    start_, from_, field_, layer_ = (x.numpy() for x in (start, displacement, field, layer))
    shares = np.float32(sign), np.float32(sign * fraction)
    _advance_points(start_, from_, field_, layer_, out.numpy(), whole, *shares)
    return out


def advance_torch(
    start: Tensor,
    displacement: Tensor,
    field: Tensor,
    layer: Tensor,
    whole: int,
    fraction: float,
    sign: float = 1.0,
) -> Tensor:
    """The twin of the compiled kernel for every device; same arguments, same arithmetic."""
    for _ in range(whole):
        displacement = displacement + sign * _sample(field, layer, start + displacement)
    if fraction > 0:
        step = _sample(field, layer, start + displacement)
        displacement = displacement + sign * fraction * step
    return displacement.clone() if whole == 0 and fraction == 0 else displacement


def _sample(field: Tensor, layer: Tensor, points: Tensor) -> Tensor:  # [N, 2]
    """Bilinear look-up at [N, 2] pixel positions, clamped to the canvas."""
    height, width = field.shape[1:3]
    x = (points[:, 0] - 0.5).clamp(0, width - 1)
    y = (points[:, 1] - 0.5).clamp(0, height - 1)
    left, top = x.long().clamp(max=max(width - 2, 0)), y.long().clamp(max=max(height - 2, 0))
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    upper = field[layer, top, left] * (1 - fx) + field[layer, top, right] * fx
    lower = field[layer, bottom, left] * (1 - fx) + field[layer, bottom, right] * fx
    return upper * (1 - fy) + lower * fy


@compiled("void(f4[:,::1], f4[:,::1], f4[:,:,:,::1], i8[::1], f4[:,::1], i8, f4, f4)")
def _advance_points(
    start: np.ndarray,  # [N, 2] px
    displacement: np.ndarray,  # [N, 2] px, where the way begins
    field: np.ndarray,  # [L, H, W, 2] px a step
    layer: np.ndarray,  # [N] of `field`
    out: np.ndarray,  # [N, 2] px
    whole: int,  # steps of `full` length
    full: np.float32,
    last: np.float32,  # length of the step after them; 0 for none
) -> None:
    """All steps of one point, then the next point: positions stay in registers."""
    height, width = field.shape[1], field.shape[2]
    one = np.float32(1.0)
    half = np.float32(0.5)
    x_max = np.float32(width - 1)
    y_max = np.float32(height - 1)
    steps = whole + 1 if last != 0 else whole
    for i in numba.prange(len(start)):
        dx, dy = displacement[i, 0], displacement[i, 1]
        grid = field[layer[i]]
        for step in range(steps):
            x = min(max(start[i, 0] + dx - half, np.float32(0)), x_max)
            y = min(max(start[i, 1] + dy - half, np.float32(0)), y_max)
            left = min(int(x), max(width - 2, 0))
            top = min(int(y), max(height - 2, 0))
            right = min(left + 1, width - 1)
            bottom = min(top + 1, height - 1)
            fx = x - np.float32(left)
            fy = y - np.float32(top)
            share = full if step < whole else last
            u = (grid[top, left, 0] * (one - fx) + grid[top, right, 0] * fx) * (one - fy)
            u += (grid[bottom, left, 0] * (one - fx) + grid[bottom, right, 0] * fx) * fy
            v = (grid[top, left, 1] * (one - fx) + grid[top, right, 1] * fx) * (one - fy)
            v += (grid[bottom, left, 1] * (one - fx) + grid[bottom, right, 1] * fx) * fy
            dx += share * u
            dy += share * v
        out[i, 0] = dx
        out[i, 1] = dy
