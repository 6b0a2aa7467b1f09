"""What surrounds a picture and is no part of it: scan frames, paper margins, the rim of a disc.

A frame is one colour along a whole side and ends at once, along nearly the whole side. A sky that
reaches the border ends gradually, or not everywhere at the same distance. Lengths are pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

_WIDEST = 0.12  # of the side: no frame is wider
_FLAT = 0.12  # most of a frame's line is as near to its median colour
_ALIKE = 0.05  # lines of one colour
_STEP = 0.10  # the picture differs from the frame by more
_ACROSS = 0.6  # on this share of the side
_ALONE_FLAT, _ALONE_ACROSS = 0.03, 0.85  # a frame on one side only must be plainer than that
_BLUR = 4  # lines over which a scan or a resize spreads a frame's edge
_PAPER = 0.18  # as near to the paper's colour counts as paper on a side where it is torn
_THIN = 0.025  # of the side: no wider than this is a margin that is guessed from other sides
_DARK = 0.1  # the rim of a disc is darker
_ROUND = 0.02  # of the radius: how far the rim may be from a circle


@dataclass(frozen=True)
class Insets:
    """How much of a picture's border is no part of it, px."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to leave out."""
        return any((self.left, self.top, self.right, self.bottom))


@dataclass(frozen=True)
class _Frame:
    """The frame on one side; no lines where there is none."""

    lines: int
    colour: Array  # [3]
    plain: bool  # clear enough to stand alone


def border_of(
    rgb: Tensor,  # [3, H, W]
) -> Insets:
    """The frame, margin or rim around a picture."""
    picture = rgb.permute(1, 2, 0).cpu().numpy()
    frame = _frame(picture)
    left, top, right, bottom = frame.left, frame.top, frame.right, frame.bottom
    inner = picture[top : len(picture) - bottom, left : picture.shape[1] - right]
    rim = _rim(inner)
    return Insets(left + rim.left, top + rim.top, right + rim.right, bottom + rim.bottom)


def _frame(picture: Array) -> Insets:
    sides = {
        "left": picture.transpose(1, 0, 2),
        "top": picture,
        "right": picture[:, ::-1].transpose(1, 0, 2),
        "bottom": picture[::-1],
    }
    found = {name: _frame_of_side(lines) for name, lines in sides.items()}
    there = [frame for frame in found.values() if frame.lines]
    if len(there) == 1 and not there[0].plain:
        return Insets()
    widths = {name: frame.lines for name, frame in found.items()}
    if len(there) >= 2:  # a frame goes all around, though paper may be torn
        for name, lines in sides.items():
            widths[name] = widths[name] or _torn_lines(lines, there)
    return Insets(**widths)


def _frame_of_side(lines: Array) -> _Frame:
    """The frame along the first of `lines` [N, M, 3], in one or several bands of colour."""
    most = int(_WIDEST * len(lines))
    end, colour, plain = 0, lines[0, 0] * 0, False
    while end < most:
        own = np.median(lines[end], axis=0)
        stop = end
        while stop < most and _is_flat(lines[stop], own):
            stop += 1
        beyond = lines[stop : stop + _BLUR]
        if stop == end or stop == most or not len(beyond):
            break
        across = (np.abs(beyond - own).max(axis=2) > _STEP).mean(axis=1).max()
        if across < _ACROSS:
            break
        spread = np.percentile(np.abs(lines[end] - own).max(axis=1), 90)
        plain = plain or (spread < _ALONE_FLAT and across > _ALONE_ACROSS)
        end, colour = stop, own
    plain = plain and end <= _THIN * len(lines)  # wider it may be a stage, or a table's edge
    return _Frame(_with_blur(lines, end) if end else 0, colour, plain)


def _is_flat(line: Array, colour: Array) -> bool:
    median = np.median(line, axis=0)
    spread = np.percentile(np.abs(line - median).max(axis=1), 90)
    return bool(spread < _FLAT and np.abs(median - colour).max() < _ALIKE)


def _with_blur(lines: Array, end: int) -> int:
    """`end` and the lines behind it that still change more than those of the picture do."""
    steps = np.median(np.abs(np.diff(lines[end - 1 : end + 16], axis=0)).max(axis=2), axis=1)
    usual = 1.5 * np.median(steps[_BLUR:]) if len(steps) > _BLUR else 1.0
    blurred = 0
    while blurred < min(_BLUR, len(steps)) and steps[blurred] > usual:
        blurred += 1
    return end + max(blurred, 1)


def _torn_lines(lines: Array, frames: list[_Frame]) -> int:
    """Lines of paper on a side where it is too torn or too slanting to be seen as such.

    As many as on the other sides, if these are few and the outermost line has their colours.
    """
    wide = max(frame.lines for frame in frames)
    if wide > _THIN * len(lines):
        return 0
    near = [(np.abs(lines[0] - frame.colour).max(axis=1) < _PAPER).mean() for frame in frames]
    return wide if max(near) > _ACROSS else 0


def _rim(picture: Array) -> Insets:
    """What to leave out so that no dark corner around a disc is left."""
    height, width = picture.shape[:2]
    dark = picture.max(axis=2) < _DARK
    size = max(2, min(height, width) // 50)
    corners = [dark[y, x] for y in (slice(size), slice(-size, None))
               for x in (slice(size), slice(-size, None))]  # fmt: skip
    if min(corner.mean() for corner in corners) < 0.98:
        return Insets()
    radius = _radius(dark)
    if radius is None:
        return Insets()
    half_height, half_width = height / 2, width / 2
    across = min(half_width, radius * math.sqrt(0.5))
    down = min(half_height, math.sqrt(radius**2 - across**2))
    across = min(half_width, math.sqrt(radius**2 - down**2))
    x, y = math.ceil(half_width - across), math.ceil(half_height - down)
    return Insets(x, y, x, y)


def _radius(dark: Array) -> float | None:
    """Radius of the lit disc in the middle of a dark mask, None where it is no disc."""
    height, width = dark.shape
    found = []
    for angle in np.linspace(0, 2 * math.pi, 180, endpoint=False):
        # from the border inwards to the first pixel that is lit for good
        step = np.arange(math.hypot(height, width) / 2, 0, -1.0)
        x = (width / 2 + step * math.cos(angle)).astype(int)
        y = (height / 2 + step * math.sin(angle)).astype(int)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        lit = ~dark[y[inside], x[inside]]
        if not lit.any() or lit[:2].any():
            continue  # the disc reaches beyond the picture here
        found.append(step[inside][int(lit.argmax())])
    if len(found) < 36:
        return None
    radius = float(np.median(found))
    near = np.abs(np.array(found) - radius) < _ROUND * radius
    return 0.97 * radius if near.mean() > 0.9 else None
