"""The four published camera paths, as translations that are added to the points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trajectory:
    """A camera path and its length; depth 1 is the nearest surface."""

    translations: Tensor  # [N, 3] float64, added to points in camera axes
    times: Tensor  # [N] float64, share of the loop


def double_line(num_frames: int, x: float, y: float, z: float) -> Tensor:  # [N, 3] float64
    """Straight through the photo's position: from -(x, y, z) to (x, y, z)."""
    return _ramp(-1.0, 1.0, num_frames)[:, None] * _vector(x, y, z)


def line(num_frames: int, x: float, y: float, z: float) -> Tensor:  # [N, 3] float64
    """From the photo's position straight to (x, y, z)."""
    return _ramp(0.0, 1.0, num_frames)[:, None] * _vector(x, y, z)


def circle(num_frames: int, x: float, y: float, z: float) -> Tensor:  # [N, 3] float64
    """A round path that comes back to its start."""
    s = -2 + 4 * torch.arange(num_frames, dtype=torch.float64) / num_frames
    angle = torch.pi * s
    return torch.stack((x * angle.cos(), y * angle.sin(), z * (angle / 2).cos()), dim=1)


@dataclass(frozen=True)
class PathRecipe:
    """Kind, length and amplitudes of a path."""

    kind: Callable[[int, float, float, float], Tensor]
    num_frames: int
    amplitudes: tuple[float, float, float]


PATHS = MappingProxyType(
    {
        "up-down": PathRecipe(double_line, 60, (0.0, -0.08, 0.0)),
        "zoom-in": PathRecipe(line, 60, (0.0, 0.0, -0.24)),
        "side": PathRecipe(double_line, 60, (-0.09, 0.0, 0.0)),
        "circle": PathRecipe(circle, 90, (-0.04, -0.04, -0.09)),
    }
)


def trajectory(name: str) -> Trajectory:
    """One of the published paths: "up-down", "zoom-in", "side" or "circle"."""
    recipe = PATHS[name]
    times = torch.arange(recipe.num_frames, dtype=torch.float64) / recipe.num_frames
    return Trajectory(recipe.kind(recipe.num_frames, *recipe.amplitudes), times)


def world_to_camera(translation: Tensor) -> Tensor:  # [3] -> [4, 4] float64
    """The pose that moves points by a translation."""
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, 3] = translation
    return pose


def _ramp(first: float, last: float, count: int) -> Tensor:
    return torch.linspace(first, last, count, dtype=torch.float64)


def _vector(x: float, y: float, z: float) -> Tensor:
    return torch.tensor([x, y, z], dtype=torch.float64)
