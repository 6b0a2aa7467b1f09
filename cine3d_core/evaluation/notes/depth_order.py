"""Depth against noted pairs and levels: does it put near things near, and keep things whole?

Scale and shift cannot be known, so a place is judged by its rank: the share of the picture
that is farther. Pairs of which one place was seen to be nearer (as in Chen et al., "Single-Image
Depth Perception in the Wild", NeurIPS 2016) must be in that order; the hard ones are those that
"lower in the picture is nearer" gets wrong. Two places of one thing must be about equally far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cine3d_core.evaluation.notes.places import values_at
from cine3d_core.evaluation.notes.records import Levels, PhotoNotes

Array = NDArray[Any]

TORN = 0.15  # rank between two places of one thing from which on it is torn; two at random: 0.33
FARTHER = 1.5  # two levels are in an order when one place is that many times as far
_NEARNESS_OF_SKY = 0.5  # added to levels, so that sky is 200 times as far as the nearest
_SAMPLE = (160, 120)  # px, width and height: what ranks are counted in


@dataclass(frozen=True)
class DepthScores:
    """One photograph's depth against its notes."""

    right: NDArray[np.bool_]  # [P] pairs in the noted order
    hard: NDArray[np.bool_]  # [P] pairs whose nearer place is not lower in the picture
    gaps: NDArray[np.float64]  # [S] rank between two places of one thing, 0 to 1
    correlation: float  # of ranks and levels; NaN where they cannot be correlated
    levels_right: int  # pairs of levels in the right order
    levels_all: int  # pairs of levels that have an order


@dataclass(frozen=True)
class DepthSummary:
    """Many photographs' depth; NaN where nothing was noted."""

    order: float  # share of all pairs
    hard: float
    torn: float  # share of the pairs on one thing
    gap: float  # mean
    levels: float  # mean rank correlation over photographs
    levels_order: float
    pairs: int
    hard_pairs: int
    same_pairs: int
    levelled: int  # photographs with a correlation
    level_pairs: int


def ranks(disparity: Array) -> NDArray[np.float64]:  # [H, W]
    """Share of the picture that is farther than each pixel; larger disparity is nearer."""
    # from the farthest on: means of zeros are zeros, so that a flat sky is farther than nothing
    values = np.asarray(disparity, np.float32) - np.float32(disparity.min())
    ordered = np.sort(cv2.resize(values, _SAMPLE, interpolation=cv2.INTER_AREA), axis=None)
    return np.searchsorted(ordered, values) / ordered.size


def score_depth(notes: PhotoNotes, disparity: Array) -> DepthScores:
    """One photograph's scores of a disparity [H, W] of any size, scale and shift."""
    rank = ranks(disparity)
    near, far = (values_at(rank, notes.order[:, k]) for k in (0, 1))
    one, other = (values_at(rank, notes.same[:, k]) for k in (0, 1))
    correlation, right, total = _score_levels(notes.levels, rank)
    return DepthScores(
        right=near > far,
        hard=notes.order[:, 0, 1] <= notes.order[:, 1, 1],
        gaps=np.abs(one - other),
        correlation=correlation,
        levels_right=right,
        levels_all=total,
    )


def _score_levels(levels: Levels | None, rank: Array) -> tuple[float, int, int]:
    if levels is None:
        return float("nan"), 0, 0
    found, seen = values_at(rank, levels.places), levels.nearness + _NEARNESS_OF_SKY
    correlation = float("nan")
    if len(np.unique(seen)) > 2 and np.ptp(found) > 0:
        correlation = float(np.asarray(spearmanr(found, seen))[0])
    nearer = seen[:, None] > FARTHER * seen[None]
    right = nearer & (found[:, None] > found[None])
    return correlation, int(right.sum()), int(nearer.sum())


def summarise_depth(scores: Sequence[DepthScores]) -> DepthSummary:
    """All pairs of all photographs alike; correlations as a mean over photographs."""
    right = np.concatenate([np.zeros(0, bool), *(s.right for s in scores)])
    hard = np.concatenate([np.zeros(0, bool), *(s.hard for s in scores)])
    gaps = np.concatenate([np.zeros(0), *(s.gaps for s in scores)])
    correlations = [s.correlation for s in scores if not np.isnan(s.correlation)]
    level_pairs = sum(s.levels_all for s in scores)
    return DepthSummary(
        order=share(right),
        hard=share(right[hard]),
        torn=share(gaps > TORN),
        gap=share(gaps),
        levels=share(np.array(correlations)),
        levels_order=sum(s.levels_right for s in scores) / level_pairs if level_pairs else np.nan,
        pairs=right.size,
        hard_pairs=int(hard.sum()),
        same_pairs=gaps.size,
        levelled=len(correlations),
        level_pairs=level_pairs,
    )


def share(values: Array) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if values.size else float("nan")
