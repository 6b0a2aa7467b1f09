"""Euler integration of the Eulerian flow as the official program does it (compare Eq. 3).

Nearest-neighbour sampling, one sample ahead of the paper's sum, and escaped points that drift on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

KEY_EVERY = 8  # steps between stored states: at most 7 are made anew for any moment


@dataclass(frozen=True)
class EulerState:
    """Points under way; only those whose own velocity is not zero."""

    position: Tensor  # [N, 2] x, y: what looks up the flow
    reported: Tensor  # [N, 2] x, y: what the displacement is taken from, one sample ahead
    visible: Tensor  # [N] bool: never left the picture


@dataclass(frozen=True)
class EulerPath:
    """One direction of time, with states stored every few steps."""

    flow: Tensor  # [2, H, W] px/frame
    start: Tensor  # [N] int64: row-major pixels with a velocity
    keys: tuple[EulerState, ...]  # after 0, KEY_EVERY, 2 KEY_EVERY ... steps


def trace(
    flow: Tensor,  # [2, H, W] px/frame
    steps: int,
) -> EulerPath:
    """Integrate once, for `displacement_after` up to `steps` steps."""
    start = (flow != 0).any(0).flatten().nonzero()[:, 0]
    position = torch.stack((start % flow.shape[2], start // flow.shape[2]), 1).to(flow.dtype)
    visible = torch.ones(len(start), dtype=torch.bool, device=flow.device)
    state = EulerState(position, position, visible)
    path = EulerPath(flow, start, ())
    keys = [state]
    for _ in range(steps // KEY_EVERY):
        state = _advanced(state, path, KEY_EVERY)
        keys.append(state)
    return EulerPath(flow, start, tuple(keys))


def displacement_after(path: EulerPath, steps: int) -> Tensor:  # [2, H, W] px
    """Displacement of every pixel after a number of steps; the same bits in any order."""
    state = _state_after(path, steps)
    result = torch.zeros_like(path.flow).flatten(1)
    result[:, path.start] = (state.reported - path.keys[0].reported).T
    return result.view(path.flow.shape)


def _state_after(path: EulerPath, steps: int) -> EulerState:
    key = min(steps // KEY_EVERY, len(path.keys) - 1)
    return _advanced(path.keys[key], path, steps - key * KEY_EVERY)


def _advanced(state: EulerState, path: EulerPath, steps: int) -> EulerState:
    """Some steps on. A point that leaves goes back to its start for ever, and drifts from there."""
    height, width = path.flow.shape[1:]
    flow = path.flow.flatten(1).T.contiguous()
    start = torch.stack((path.start % width, path.start // width), 1).to(flow.dtype)
    position, reported, visible = state.position, state.reported, state.visible
    for _ in range(steps):
        position = position + _looked_up(flow, position, width)
        x, y = position.unbind(1)
        visible = visible & (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        position = torch.where(visible[:, None], position, start)
        reported = reported + _looked_up(flow, position, width)
    return EulerState(position, reported, visible)


def _looked_up(flow: Tensor, position: Tensor, width: int) -> Tensor:
    x, y = position.round().long().unbind(1)  # halves round to even, as published
    return flow[y * width + x]
