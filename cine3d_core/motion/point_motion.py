"""What every kind of motion is to those who draw points: a displacement at any time."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor

from cine3d_core.scene import MotionRegion


class PointMotion(Protocol):
    """Motion of a group of points in one direction of time."""

    # whether a point stays at its depth; else it follows the surface that it moves on
    keeps_depth: ClassVar[bool]

    def displacement(self, time: float) -> Tensor:
        """[n, 2] canvas px, `time` >= 0 frames after frame 0 (before it, backward)."""
        ...


class InPlaceKind(Protocol):
    """A kind of motion back and forth: from a drawn region to a field, from the field to points."""

    def field(self, mask: Tensor, disparity: Tensor, region: MotionRegion) -> Tensor:
        """Planes [C, H, W] as `MotionField.in_place`, zero outside `mask` [1, H, W] bool.

        Args:
            mask: what moves.
            disparity: [1, H, W] of the photo.
            region: as drawn.

        Raises:
            InputError: the region asks for what cannot be.
        """
        ...

    def cycles(self, num_frames: int) -> int:
        """How often per loop, where it is not set."""
        ...

    def of_points(self, planes: Tensor, period: float, *, backward: bool) -> PointMotion:
        """The motion of points with these values [n, C]; `period` frames is one cycle."""
        ...
