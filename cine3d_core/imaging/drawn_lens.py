"""The lens and the tilt of a camera by lines that a person drew on its photo.

Edges that are parallel in the world meet in a vanishing point, the picture of their direction. Two
such directions at right angles are seen so by one focal length alone (Caprile and Torre, "Using
vanishing points for camera calibration", IJCV 1990). The horizon is where level directions vanish.
Directions and lines are homogeneous, so that edges may also be parallel in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError

Array = NDArray[Any]  # float64
Line = tuple[float, float, float, float]  # x, y of both ends, px

SHORTEST, LONGEST = 0.25, 8.0  # focal lengths that are believed, shares of the long side
_PARALLEL = 1e-9  # sine of the angle between two lines of sight that are taken for one


@dataclass(frozen=True)
class DrawnLines:
    """Edges of a photo and what they are in the world."""

    level: tuple[Line, ...] = ()  # two that are parallel, then two at right angles to them
    upright: tuple[Line, ...] = ()  # two plumb edges
    horizon: Line | None = None


@dataclass(frozen=True)
class DrawnLens:
    """What lines say of a camera."""

    focal_px: float | None  # None where they say nothing of it
    down: Array | None  # [3] unit; x right, y down, z into the picture; None where unknown


def lens_of_lines(lines: DrawnLines, size: tuple[int, int], focal_px: float) -> DrawnLens:
    """Focal length and plumb line of the camera that saw the lines.

    Args:
        lines: incomplete pairs are left aside.
        size: width and height of the photo.
        focal_px: what is taken for the focal length where the lines do not say it.

    Raises:
        InputError: no lens sees the lines as they were drawn.
    """
    middle = np.array(size) / 2
    level = [_vanishing(lines.level[i : i + 2], middle) for i in (0, 2) if len(lines.level) > i + 1]
    plumb = _vanishing(lines.upright[:2], middle) if len(lines.upright) > 1 else None
    sea = None if lines.horizon is None else _through(lines.horizon, middle)
    found = _focal(level, plumb, sea)
    if found is not None:
        share = found / max(size)
        if not SHORTEST <= share <= LONGEST:
            raise InputError(
                f"by these lines the lens would be {share:.2g} times as long as the photo's long "
                "side; draw edges that are parallel and at right angles in the world"
            )
    return DrawnLens(found, _down(level, plumb, sea, found or focal_px))


def _through(line: Line, middle: Array) -> Array:  # [3]
    """The homogeneous line through two points, from the picture's middle."""
    x0, y0, x1, y1 = line
    if (x0, y0) == (x1, y1):
        raise InputError("a line has no length; draw it from one place to another")
    ends = np.array([[x0, y0], [x1, y1]]) - middle
    found = np.cross(np.append(ends[0], 1.0), np.append(ends[1], 1.0))
    return found / np.linalg.norm(found[:2])


def _vanishing(pair: tuple[Line, ...], middle: Array) -> Array:  # [3]
    """Where two edges meet, homogeneous, from the picture's middle."""
    first, second = (_through(line, middle) for line in pair)
    point = np.cross(first, second)
    if np.linalg.norm(point[:2]) < _PARALLEL and abs(point[2]) < _PARALLEL:
        raise InputError("two lines coincide; draw another edge in the same direction")
    return point / np.linalg.norm(point)


def _focal(level: list[Array], plumb: Array | None, sea: Array | None) -> float | None:
    """The focal length that sees two of these directions at right angles."""
    if len(level) == 2:
        pair = level[0], level[1]
    elif level and plumb is not None:
        pair = level[0], plumb
    elif plumb is not None and sea is not None and abs(sea[2]) > 0:
        # the place of the horizon that is nearest to the middle, seen at right angles to down
        pair = np.array([-sea[2] * sea[0], -sea[2] * sea[1], 1.0]), plumb
    else:
        return None
    apart, ahead = float(pair[0][:2] @ pair[1][:2]), float(pair[0][2] * pair[1][2])
    if abs(ahead) < 1e-12:  # edges parallel in the picture fit every lens
        return None
    if apart / ahead >= 0:
        raise InputError(
            "no lens sees these edges at right angles; draw two level edges of one direction, then "
            "two of the other, or upright ones with Shift"
        )
    return float(np.sqrt(-apart / ahead))


def _down(
    level: list[Array], plumb: Array | None, sea: Array | None, focal_px: float
) -> Array | None:
    """Plumb line in the camera's axes, by what says most of it."""
    to_way = np.array([1.0, 1.0, focal_px])
    if sea is not None:
        down = sea * [1.0, 1.0, 1 / focal_px]  # at right angles to what is seen along the horizon
    elif len(level) == 2:
        down = np.cross(level[0] * to_way, level[1] * to_way)
    elif plumb is not None:
        down = plumb * to_way
    elif level:  # one level direction: the camera was not rolled
        x, y, z = level[0] * to_way
        down = np.array([0.0, z, -y])
    else:
        return None
    size = float(np.linalg.norm(down))
    if size < _PARALLEL or abs(down[1]) < 0.2 * size:
        raise InputError(
            "by these lines the camera would lie on its side; drag along level edges, with Shift "
            "along upright ones, with Ctrl along the horizon"
        )
    return down / size * np.sign(down[1])
