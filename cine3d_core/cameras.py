"""Camera moves: the four published trajectories and `still` (official code, define_camera_path)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from cine3d_core.scene import Camera

Translation = tuple[float, float, float]


def _sweep(axis: int, start: float, end: float) -> Callable[[float], Translation]:
    def translation(phase: float) -> Translation:
        values = [0.0, 0.0, 0.0]
        values[axis] = start + (end - start) * phase
        return (values[0], values[1], values[2])

    return translation


def _circle(phase: float) -> Translation:
    angle = math.pi * (-2.0 + 4.0 * phase)
    return (-0.04 * math.cos(angle), -0.04 * math.sin(angle), -0.09 * math.cos(angle / 2))


# Translation in scene units, added to the points in camera space, over phase 0 .. 1 of the move.
# "up-down", "side" and "zoom-in" end where they end: the content loops, the camera does not.
_TRANSLATIONS: dict[str, Callable[[float], Translation]] = {
    "still": lambda phase: (0.0, 0.0, 0.0),
    "up-down": _sweep(1, 0.08, -0.08),
    "zoom-in": _sweep(2, 0.0, -0.24),
    "side": _sweep(0, 0.09, -0.09),
    "circle": _circle,
}
CAMERA_MOVES = tuple(_TRANSLATIONS)

# The published circle returns at i = N (phase i / N); the straight moves reach their end at the
# last frame i = N - 1 (numpy's linspace with its end point).
_CLOSED_MOVES = ("still", "circle")


def move_phase(name: str, frame: int, num_frames: int) -> float:
    """How far along the move a frame is, in [0, 1]."""
    if name in _CLOSED_MOVES:
        return (frame % num_frames) / num_frames
    return min(max(frame / max(num_frames - 1, 1), 0.0), 1.0)


def move_translation(name: str, frame: int, num_frames: int) -> Translation:
    """What `move_camera` adds to the points in camera space, in scene units."""
    return _TRANSLATIONS[name](move_phase(name, frame, num_frames))


def move_camera(camera: Camera, name: str, frame: int, num_frames: int) -> Camera:
    """The photo's camera `frame` frames into the named move.

    Args:
        camera: where the move starts from, normally the photo's own camera.
        name: one of `CAMERA_MOVES`.
        frame: frame index, any integer; before its first and after its last frame a move that is
            not closed rests.
        num_frames: length of the move.

    Raises:
        KeyError: the name is not one of `CAMERA_MOVES`.
    """
    pose = camera.world_to_camera.clone()
    pose[:3, 3] += pose.new_tensor(move_translation(name, frame, num_frames))
    return replace(camera, world_to_camera=pose)
