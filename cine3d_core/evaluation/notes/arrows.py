"""Where things flow to, against noted arrows.

At the foot of every arrow something must move, and within 45 degrees of the arrow. Also what comes
of one arrow: of every region one noted arrow is given to the program, and the others are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.evaluation.notes.depth_order import share
from cine3d_core.evaluation.notes.places import values_at
from cine3d_core.evaluation.notes.records import Pairs, PhotoNotes

Array = NDArray[Any]

MOVES = 0.02  # px/frame: slower counts as rest
WITHIN = 45.0  # degrees
_OUTLINE_ERROR = 20.0  # permille: a foot this near an outline belongs to it


@dataclass(frozen=True)
class ArrowScores:
    """One photograph's flow at the feet of its arrows."""

    angles: NDArray[np.float64]  # [A] degrees, NaN where nothing moves

    @property
    def right(self) -> NDArray[np.bool_]:
        """[A] whether the flow is within 45 degrees of the arrow; False where nothing moves."""
        return self.angles <= WITHIN


@dataclass(frozen=True)
class ArrowSummary:
    """Many photographs' flow; NaN where nothing was noted."""

    moves: float  # share of the arrows whose foot moves
    within45: float  # share of the arrows
    within45_mean: float  # mean over the photographs
    median_angle: float  # degrees, of what moves
    arrows: int
    photos: int


def score_arrows(arrows: Pairs, flow: Array) -> ArrowScores:
    """Angles between arrows [A, 2, 2] and a flow [H, W, 2] in px/frame at their feet."""
    found = values_at(flow, arrows[:, 0])
    angles = _angles(found, _vectors(arrows, flow.shape[0], flow.shape[1]))
    return ArrowScores(np.where(np.linalg.norm(found, axis=1) > MOVES, angles, np.nan))


def score_straight_on(notes: PhotoNotes, height: int, width: int) -> ArrowScores:
    """The trivial answer to one arrow for each region: all of the region goes where it points."""
    given, others = given_arrows(notes)
    region = regions_of_arrows(notes)
    pointing = _vectors(notes.arrows, height, width)
    arrow_of = {int(region[k]): k for k in given}
    told = np.array([arrow_of[int(region[k])] for k in others], np.int64)
    return ArrowScores(_angles(pointing[told], pointing[others]))


def summarise_arrows(scores: Sequence[ArrowScores]) -> ArrowSummary:
    """All arrows of all photographs alike, and as a mean over photographs."""
    angles = np.concatenate([np.zeros(0), *(s.angles for s in scores)])
    moving = angles[~np.isnan(angles)]
    return ArrowSummary(
        moves=share(~np.isnan(angles)),
        within45=share(angles <= WITHIN),
        within45_mean=share(np.array([s.right.mean() for s in scores if s.right.size])),
        median_angle=float(np.median(moving)) if moving.size else float("nan"),
        arrows=angles.size,
        photos=sum(bool(s.right.size) for s in scores),
    )


def _vectors(arrows: Pairs, height: int, width: int) -> Array:  # [A, 2] px
    return (arrows[:, 1] - arrows[:, 0]) * [width, height]


def _angles(found: Array, wanted: Array) -> NDArray[np.float64]:  # [A] degrees
    turned = np.arctan2(found[:, 1], found[:, 0]) - np.arctan2(wanted[:, 1], wanted[:, 0])
    return np.degrees(np.abs((turned + np.pi) % (2 * np.pi) - np.pi))


def regions_of_arrows(notes: PhotoNotes) -> NDArray[np.int64]:  # [A]
    """The outline that each arrow stands in, the last where several do; -1 for none.

    A foot just beside an outline belongs to the nearest one.
    """
    found = np.full(len(notes.arrows), -1)
    for k, foot in enumerate(notes.arrows[:, 0]):
        inside = [
            cv2.pointPolygonTest(region.corners.astype(np.float32), tuple(foot.tolist()), True)
            for region in notes.regions
        ]
        within = [number for number, distance in enumerate(inside) if distance >= 0]
        if within:
            found[k] = within[-1]
        elif inside and max(inside) >= -_OUTLINE_ERROR:
            found[k] = int(np.argmax(inside))
    return found


def given_arrows(notes: PhotoNotes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which arrows are given to the program, and which are scored then.

    Of every region with an arrow the first noted one is given. Scored are the others of the
    regions that have several; empty where no region does, and then nothing needs to be given.
    """
    region = regions_of_arrows(notes)
    _, first = np.unique(region, return_index=True)
    given = np.sort(first[region[first] >= 0])
    rest = np.setdiff1d(np.flatnonzero(region >= 0), given)
    return (given, rest) if rest.size else (rest, rest)
