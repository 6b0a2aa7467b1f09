"""Camera moves as numbers on the screen; needs no torch, so that Blender's side can share it.

A move is said in shares of the picture, not in scene units: `TRAVEL` is how far the nearest surface
goes past the farthest one. So a photo gives the same clip whatever its lens, and, since the lens
leans in while the camera is away from the photo's place, no more of the picture than `TRAVEL` is
hidden and nothing beyond its border is shown. Every move begins at the photo itself; those in
`CLOSED_MOVES` also end there.

The four published trajectories (official code, define_camera_path) are translations in scene units
and are kept exactly, under their names with `PUBLISHED` before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

TRAVEL = 0.04  # of the width (height): the nearest surface against the farthest, at strength 1
PUSH = 0.14  # growth of the nearest surface where the camera goes into the picture
PULL = 0.06  # what it shrinks by where the camera draws back; the lens gives back `TRAVEL` of it
DOLLY = 0.18  # growth of the farthest surface where the nearest keeps its size
MAX_STRENGTH = 3.0
PUBLISHED = "published-"

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Framing:
    """What a move has to know of a picture."""

    width: int  # px
    height: int
    focal_px: float
    near: float = 1.0  # disparity of the nearest surface, 1 / scene unit
    far: float = 0.0  # disparity of the farthest
    reach: float = 1.0  # share of a full move that uncovers no more than it should


@dataclass(frozen=True)
class MovePose:
    """Where a camera is that has left the photo's place; all zero and 1 is the photo's own."""

    translation: Vector = (0.0, 0.0, 0.0)  # added to the points in camera space, scene units
    zoom: float = 1.0  # factor of the focal length
    shift: tuple[float, float] = (0.0, 0.0)  # of the principal point, shares of width and height


@dataclass(frozen=True)
class _Offset:
    """How far a move has got, each in shares of its full size."""

    across: float = 0.0  # of the points on the screen, near against far: right
    down: float = 0.0
    lean: float = 0.0  # of the lens; at least as much as `across` and `down`
    forward: float = 0.0  # into the picture
    back: float = 0.0  # out of it
    dolly: float = 0.0


def _ease(phase: float) -> float:
    """0 to 1, with speed 0 at both ends."""
    return phase * phase * (3 - 2 * phase)


def _there_and_back(phase: float) -> float:
    """0 to 1 to 0, with speed 0 at both ends."""
    return math.sin(math.pi * phase) ** 2


def _away(phase: float) -> float:
    """0 at both ends, nearly 1 for most of the time between."""
    return 1 - math.cos(math.pi * phase) ** 6


def _orbit(phase: float) -> _Offset:
    there = _there_and_back(phase)
    across = -1.5 * math.sin(2 * math.pi * phase) * there  # the camera goes right, up, left
    return _Offset(across=across, down=0.5 * there * there, lean=_away(phase))


def _arc(phase: float) -> _Offset:
    there = _there_and_back(phase)
    return _Offset(across=-there, lean=there, forward=0.35 * there)


def _handheld(phase: float) -> _Offset:
    def sway(*waves: tuple[float, int, float]) -> float:
        return sum(size * math.sin(math.tau * (turns * phase + at)) for size, turns, at in waves)

    away = 0.5 * _away(phase)
    across = sway((0.55, 1, 0.11), (0.30, 3, 0.37), (0.15, 5, 0.71))
    down = sway((0.50, 2, 0.43), (0.30, 3, 0.05), (0.20, 7, 0.83))
    return _Offset(across=away * across, down=away * down, lean=away)


_MOVES: dict[str, Callable[[float], _Offset]] = {
    "still": lambda phase: _Offset(),
    "orbit": _orbit,
    "arc": _arc,
    "handheld": _handheld,
    "push-in": lambda phase: _Offset(forward=_ease(phase)),
    "pull-back": lambda phase: _Offset(back=_ease(phase), lean=_ease(phase)),
    "slide": lambda phase: _Offset(across=-_ease(phase), lean=_ease(phase)),
    "rise": lambda phase: _Offset(down=_ease(phase), lean=_ease(phase)),
    "dolly-zoom": lambda phase: _Offset(dolly=_ease(phase)),
}
# Frame N is frame 0 again. The other moves reach their end at frame N - 1.
CLOSED_MOVES = ("still", "orbit", "arc", "handheld")


def _sweep(axis: int, start: float, end: float) -> Callable[[float], Vector]:
    def translation(phase: float) -> Vector:
        values = [0.0, 0.0, 0.0]
        values[axis] = start + (end - start) * phase
        return (values[0], values[1], values[2])

    return translation


def _circle(phase: float) -> Vector:
    angle = math.pi * (-2.0 + 4.0 * phase)
    return (-0.04 * math.cos(angle), -0.04 * math.sin(angle), -0.09 * math.cos(angle / 2))


# Translation in scene units, added to the points in camera space, over phase 0 .. 1 of the move.
_TRANSLATIONS: dict[str, Callable[[float], Vector]] = {
    "up-down": _sweep(1, 0.08, -0.08),
    "zoom-in": _sweep(2, 0.0, -0.24),
    "side": _sweep(0, 0.09, -0.09),
    "circle": _circle,
}
PUBLISHED_MOVES = tuple(_TRANSLATIONS)
# The published circle returns at i = N (phase i / N); the straight moves reach their end at the
# last frame i = N - 1 (numpy's linspace with its end point).
_CLOSED_PUBLISHED = ("circle",)

CAMERA_MOVES = (*_MOVES, *(PUBLISHED + name for name in PUBLISHED_MOVES))
# What the bare names of the published moves mean in scenes that were not built the paper's way.
SUCCESSORS = {"circle": "orbit", "side": "slide", "up-down": "rise", "zoom-in": "push-in"}


def move_named(name: str, *, published: bool) -> str | None:
    """The move in `CAMERA_MOVES` that a name stands for, None where it is none.

    Args:
        name: one of `CAMERA_MOVES`, or of `PUBLISHED_MOVES`.
        published: whether the scene was built the paper's way, where the bare names of the
            published moves mean these; elsewhere they mean their `SUCCESSORS`.
    """
    if name in SUCCESSORS:
        return PUBLISHED + name if published else SUCCESSORS[name]
    return name if name in CAMERA_MOVES else None


def move_phase(name: str, frame: int, num_frames: int) -> float:
    """How far along a move in `CAMERA_MOVES` a frame is, in [0, 1]."""
    bare = name.removeprefix(PUBLISHED)
    if bare in CLOSED_MOVES or (bare != name and bare in _CLOSED_PUBLISHED):
        return (frame % num_frames) / num_frames
    return min(max(frame / max(num_frames - 1, 1), 0.0), 1.0)


def published_translation(name: str, frame: int, num_frames: int) -> Vector:
    """What a move in `PUBLISHED_MOVES` adds to the points in camera space, in scene units."""
    return _TRANSLATIONS[name](move_phase(PUBLISHED + name, frame, num_frames))


def move_pose(name: str, phase: float, framing: Framing, *, strength: float = 1.0) -> MovePose:
    """Where a move has the camera.

    Args:
        name: one of `CAMERA_MOVES`.
        phase: how far along, in [0, 1].
        framing: of the photo.
        strength: factor of the move's size, up to `MAX_STRENGTH`. Negative goes to the other side,
            where a move has sides. Published moves are scaled about the photo's place.

    Raises:
        KeyError: the name is not one of `CAMERA_MOVES`.
    """
    if name.startswith(PUBLISHED):
        x, y, z = _TRANSLATIONS[name.removeprefix(PUBLISHED)](phase)
        return MovePose((strength * x, strength * y, strength * z))
    return _pose_at(_MOVES[name](phase), framing, strength * framing.reach)


def _pose_at(offset: _Offset, framing: Framing, size: float) -> MovePose:
    span = max(framing.near - framing.far, 0.25 * framing.near)  # a flat picture keeps its depth
    middle = (framing.near + framing.far) / 2
    travel = TRAVEL * size
    lens = 1 / (1 - abs(travel) * offset.lean)
    x, y = (
        travel * way * side / (framing.focal_px * span)
        for way, side in ((offset.across, framing.width), (offset.down, framing.height))
    )
    growth = math.exp(abs(size) * (PUSH * offset.forward - PULL * offset.back))
    dolly = 1 + DOLLY * abs(size) * offset.dolly
    # The nearest surface grows by `growth`, and keeps its size in the dolly, whose lens zooms in.
    z = (dolly / growth - 1) / framing.near
    zoom = lens * dolly
    shift = tuple(
        -zoom * framing.focal_px * middle * way / side
        for way, side in ((x, framing.width), (y, framing.height))
    )
    return MovePose((x, y, z), zoom, (shift[0], shift[1]))
