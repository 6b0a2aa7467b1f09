"""The lens of a photo by its vanishing lines, where streets and rooms have them (own search).

Most lines of buildings run along three directions at right angles (Coughlan and Yuille,
"Manhattan World", ICCV 1999). For every focal length the three directions are looked for that
explain the most line length; the lens is known where the lines are explained clearly better by
one focal length than by much shorter and much longer ones. A picture with a single vanishing point
says nothing of its lens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float64

SIDE = 640  # px, long side at which lines are looked for
SHORTEST = 0.035  # of the long side
MOST = 160  # lines, the longest
LENSES = np.geomspace(0.45, 2.6, 18)  # focal lengths tried, shares of the long side
TRIALS = 240  # directions tried for each
ANGLE = math.radians(1.2)  # how far a line may point past its vanishing point
EXPLAINED = 0.5  # least share of all line length
CLEAR = 0.1  # share of line length that the best lens explains beyond lenses APART from it
APART = 1.5  # times as long, or as short


@dataclass(frozen=True)
class Lines:
    """Straight edges of a picture, from its middle in shares of its long side."""

    start: Array  # [n, 2]
    end: Array  # [n, 2]

    @property
    def length(self) -> Array:  # [n]
        """Shares of the long side."""
        return np.linalg.norm(self.end - self.start, axis=1)


def find_lines(colour: Array) -> Lines:  # [H, W, 3] float32 in [0, 1]
    """Its longest straight edges."""
    height, width = colour.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    grey = (cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) * 255).round().clip(0, 255).astype(np.uint8)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    ends = np.zeros((0, 4)) if found is None else found.reshape(-1, 4).astype(np.float64)
    ends = (ends + 0.5 - np.array(size * 2) / 2) / max(size)
    lines = Lines(ends[:, :2], ends[:, 2:])
    longest = np.argsort(-lines.length, kind="stable")[:MOST]
    longest = longest[lines.length[longest] >= SHORTEST]
    return Lines(lines.start[longest], lines.end[longest])


def focal_of_lines(lines: Lines) -> float | None:
    """Focal length as a share of the long side; None where the lines do not tell.

    The same lines give the same answer.
    """
    if len(lines.start) < 12:
        return None
    scores = np.array([_explained(lines, focal) for focal in LENSES])
    best = int(scores.argmax())
    far = np.abs(np.log(LENSES / LENSES[best])) > math.log(APART)
    if scores[best] < EXPLAINED or scores[best] - scores[far].max() < CLEAR:
        return None
    near = slice(max(best - 2, 0), best + 3)
    weight = np.clip(scores[near] - scores[near].min() + 1e-9, 0, None) ** 2
    return float(np.exp((weight * np.log(LENSES[near])).sum() / weight.sum()))


def _explained(lines: Lines, focal: float) -> float:
    """Largest share of line length along three right-angled directions for one lens."""
    ones = np.full((len(lines.start), 1), focal)
    start, end = np.hstack([lines.start, ones]), np.hstack([lines.end, ones])
    planes = np.cross(start, end)  # [n, 3] each line's plane through the lens
    planes /= np.maximum(np.linalg.norm(planes, axis=1, keepdims=True), 1e-12)
    generator = np.random.default_rng(0)
    chance = lines.length / lines.length.sum()
    picks = np.stack([generator.choice(len(chance), 3, p=chance) for _ in range(TRIALS)])
    first = np.cross(planes[picks[:, 0]], planes[picks[:, 1]])
    second = np.cross(first, planes[picks[:, 2]])
    usable = (np.linalg.norm(first, axis=1) > 1e-3) & (np.linalg.norm(second, axis=1) > 1e-6)
    first, second = (
        v[usable] / np.linalg.norm(v[usable], axis=1)[:, None] for v in (first, second)
    )
    axes = np.stack([first, second, np.cross(first, second)], 1)  # [t, 3, 3]
    if not len(axes):
        return 0.0
    value = _fit(lines, axes, focal)
    good = axes[np.argsort(-value)[:4]]
    return max(float(_fit(lines, _settled(planes, one, chance)[None], focal)[0]) for one in good)


def _fit(lines: Lines, axes: Array, focal: float) -> Array:  # [t, 3, 3] -> [t]
    """Share of line length that points to one of three vanishing points, softly."""
    middle = (lines.start + lines.end) / 2
    way = (lines.end - lines.start) / lines.length[:, None]
    points = axes[..., :2] * focal  # vanishing point times its third coordinate
    toward = points[:, :, None] - axes[..., 2][:, :, None, None] * middle  # [t, 3, n, 2]
    size = np.maximum(np.linalg.norm(toward, axis=-1), 1e-12)
    sine = np.abs(toward[..., 0] * way[:, 1] - toward[..., 1] * way[:, 0]) / size
    near = np.exp(-0.5 * np.square(sine / ANGLE)).max(1)  # [t, n]
    return near @ (lines.length / lines.length.sum())


def _settled(planes: Array, axes: Array, weight: Array) -> Array:  # [3, 3]
    """Three right-angled directions moved to where their lines' planes say."""
    for _ in range(4):
        along = np.abs(planes @ axes.T)  # [n, 3] sine between a plane and a direction
        near = np.exp(-0.5 * np.square(along / (2 * ANGLE))) * (
            along == along.min(1, keepdims=True)
        )
        rows = []
        for number in range(3):
            spread = (planes * (near[:, number] * weight)[:, None]).T @ planes
            own = np.linalg.eigh(spread + 1e-6 * (np.eye(3) - np.outer(axes[number], axes[number])))
            direction = own[1][:, 0]
            rows.append(direction * math.copysign(1.0, direction @ axes[number]))
        left, _, right = np.linalg.svd(np.array(rows))
        axes = left @ right  # the nearest right-angled ones
    return axes
