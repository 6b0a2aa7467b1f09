"""What flows, against noted outlines: overlap, what is claimed where nothing is, and purity.

Intersection over union (Everingham et al., "The PASCAL VOC Challenge", IJCV 2015, section 4.3),
at one size for all photographs. Outlines are good to a hundredth of the width, so a band along
them does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cine3d_core.evaluation.notes.depth_order import share
from cine3d_core.evaluation.notes.records import LABELS, PhotoNotes, Places

Array = NDArray[Any]
LabelMap = NDArray[np.uint8]  # [H, W] index into LABELS
Mask = NDArray[np.bool_]

SIZE = (768, 512)  # px, width and height of the comparison
BAND = 0.01  # of the width, to either side of an outline
LEAST_THERE = 0.01  # share of the picture from which a thing is scored as being there
CLAIMED = 0.02  # share of the picture from which a thing is claimed
THINGS: dict[str, tuple[int, ...]] = {
    **{label: (number,) for number, label in enumerate(LABELS) if number},
    "wet": (LABELS.index("water"), LABELS.index("falls")),
}


@dataclass(frozen=True)
class NotedLabels:
    """The outlines of one photograph, painted."""

    labels: LabelMap  # [512, 768]
    counts: Mask  # [512, 768] far enough from every outline


@dataclass(frozen=True)
class Overlap:
    """One thing of one photograph, in pixels of the comparison."""

    both: int
    either: int

    @property
    def share(self) -> float:
        """Intersection over union."""
        return self.both / max(self.either, 1)


@dataclass(frozen=True)
class FlowingScores:
    """What one photograph is taken for, against its outlines."""

    overlap: dict[str, Overlap]  # of the things that are there
    claimed: dict[str, bool]  # of the things that are not: taken for more than 2 %
    moving: int  # pixels that move, of those that count
    moving_rightly: int  # of them, those noted as something that flows
    noted: int  # pixels noted as something that flows, of those that count
    pixels: int  # that count


@dataclass(frozen=True)
class FlowingSummary:
    """Many photographs; NaN where there was nothing to score."""

    overlap: dict[str, float]  # mean over the photographs that have the thing
    pooled: dict[str, float]  # of all their pixels
    with_thing: dict[str, int]  # photographs
    false: dict[str, float]  # share of the photographs without it in which it is claimed
    without_thing: dict[str, int]  # photographs
    purity: float  # share of the moving area that is noted as flowing, of all pixels
    purity_mean: float  # mean over the photographs in which something moves
    moved: float  # share of what is noted as flowing that moves, of all pixels
    with_motion: int  # photographs


def paint(notes: PhotoNotes) -> NotedLabels:
    """The outlines at the size of the comparison, later ones over earlier ones, static last."""
    width, height = SIZE
    labels, edges = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    regions = [
        (one.corners, LABELS.index(one.label)) for one in notes.regions if one.label in LABELS
    ]
    for corners, value in [*regions, *((corners, 0) for corners in notes.rests)]:
        pixels = _pixels(corners)
        cv2.fillPoly(labels, [pixels], value)
        cv2.polylines(edges, [pixels], True, 1)
    reach = max(1, round(BAND * width))
    near = cv2.dilate(edges, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    near[[0, -1]] = False  # outlines along the upper and lower border are exact there
    return NotedLabels(labels, ~near)


def score_flowing(notes: PhotoNotes, labels: LabelMap, moving: Mask | None) -> FlowingScores:
    """One photograph's scores of labels [h, w] and of what moves [h', w'], of any size."""
    noted = paint(notes)
    there, counts = noted.labels, noted.counts
    found = cv2.resize(labels, SIZE, interpolation=cv2.INTER_NEAREST)
    overlap, claimed = {}, {}
    for thing, values in THINGS.items():
        true, guess = np.isin(there, values), np.isin(found, values) & counts
        if true.mean() > LEAST_THERE:
            both, either = true & counts & guess, (true & counts) | guess
            overlap[thing] = Overlap(int(both.sum()), int(either.sum()))
        elif not true.any():
            claimed[thing] = bool(guess.mean() > CLAIMED)
    moves = np.zeros_like(counts)
    if moving is not None:
        moves = cv2.resize(moving.astype(np.uint8), SIZE, interpolation=cv2.INTER_NEAREST) > 0
    flows = _flowing(notes, there)
    return FlowingScores(
        overlap=overlap,
        claimed=claimed,
        moving=int((moves & counts).sum()),
        moving_rightly=int((moves & flows & counts).sum()),
        noted=int((flows & counts).sum()),
        pixels=int(counts.sum()),
    )


def summarise_flowing(scores: Sequence[FlowingScores]) -> FlowingSummary:
    """Overlaps as means over photographs and of all pixels; claims as shares of photographs."""
    overlaps = {t: [s.overlap[t] for s in scores if t in s.overlap] for t in THINGS}
    claims = {t: [s.claimed[t] for s in scores if t in s.claimed] for t in THINGS}
    moved = [s for s in scores if s.moving]
    rightly, noted = sum(s.moving_rightly for s in scores), sum(s.noted for s in scores)
    return FlowingSummary(
        overlap={t: share(np.array([o.share for o in all_])) for t, all_ in overlaps.items()},
        pooled={t: _pooled(all_) for t, all_ in overlaps.items()},
        with_thing={t: len(all_) for t, all_ in overlaps.items()},
        false={t: share(np.array(all_)) for t, all_ in claims.items()},
        without_thing={t: len(all_) for t, all_ in claims.items()},
        purity=rightly / sum(s.moving for s in moved) if moved else np.nan,
        purity_mean=share(np.array([s.moving_rightly / s.moving for s in moved])),
        moved=rightly / noted if noted else np.nan,
        with_motion=len(moved),
    )


def _pooled(overlaps: Sequence[Overlap]) -> float:
    either = sum(one.either for one in overlaps)
    return sum(one.both for one in overlaps) / either if either else float("nan")


def _flowing(notes: PhotoNotes, labels: LabelMap) -> Mask:
    """What is noted as moving: all labels, and swaying areas before static ones."""
    swaying = np.zeros_like(labels)
    for one in notes.regions:
        if one.label not in LABELS:
            cv2.fillPoly(swaying, [_pixels(one.corners)], 1)
    for corners in notes.rests:
        cv2.fillPoly(swaying, [_pixels(corners)], 0)
    return (labels > 0) | (swaying > 0)


def _pixels(corners: Places) -> NDArray[np.int32]:
    width, height = SIZE
    return np.round(corners * [width - 1, height - 1] / 1000).astype(np.int32)
