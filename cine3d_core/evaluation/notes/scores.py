"""All scores of many photographs: as numbers under fixed names, and as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cine3d_core.evaluation.notes.arrows import (
    ArrowScores,
    ArrowSummary,
    given_arrows,
    score_arrows,
    score_straight_on,
    summarise_arrows,
)
from cine3d_core.evaluation.notes.depth_order import (
    TORN,
    DepthScores,
    DepthSummary,
    score_depth,
    summarise_depth,
)
from cine3d_core.evaluation.notes.outlines import (
    FlowingScores,
    FlowingSummary,
    score_flowing,
    summarise_flowing,
)
from cine3d_core.evaluation.notes.records import PhotoNotes
from cine3d_core.evaluation.notes.seen import Seen


@dataclass(frozen=True)
class PhotoScores:
    """One photograph against its notes."""

    depth: DepthScores
    flowing: FlowingScores
    arrows: ArrowScores
    from_one: ArrowScores  # the other arrows, after one for each region was given


@dataclass(frozen=True)
class Summary:
    """Many photographs against their notes."""

    depth: DepthSummary
    flowing: FlowingSummary
    arrows: ArrowSummary
    from_one: ArrowSummary


@dataclass(frozen=True)
class Row:
    """One line of the table: `key` in scores.json, what it is, its value and what it counts."""

    key: str
    title: str
    value: Callable[[Summary], float]
    count: Callable[[Summary], int]
    unit: str  # of what is counted


def score_photo(notes: PhotoNotes, seen: Seen) -> PhotoScores:
    """All scores of one photograph; without a flow there are none of arrows."""
    _, others = given_arrows(notes)
    nothing = ArrowScores(np.zeros(0))
    flow, of_arrows = seen.flow, seen.flow_of_arrows
    return PhotoScores(
        depth=score_depth(notes, seen.disparity),
        flowing=score_flowing(notes, seen.labels, seen.moving),
        arrows=nothing if flow is None else score_arrows(notes.arrows, flow),
        from_one=nothing if of_arrows is None else score_arrows(notes.arrows[others], of_arrows),
    )


def score_blind(notes: PhotoNotes, blind: Seen) -> PhotoScores:
    """The trivial row: a blind answer, and every region following its one arrow straight on."""
    height, width = blind.labels.shape
    return replace(score_photo(notes, blind), from_one=score_straight_on(notes, height, width))


def summarise(scores: Sequence[PhotoScores]) -> Summary:
    """The scores of many photographs."""
    return Summary(
        depth=summarise_depth([one.depth for one in scores]),
        flowing=summarise_flowing([one.flowing for one in scores]),
        arrows=summarise_arrows([one.arrows for one in scores]),
        from_one=summarise_arrows([one.from_one for one in scores]),
    )


def _overlap(thing: str) -> Row:
    return Row(
        f"iou.{thing}",
        f"{thing}{' (water + falls)' if thing == 'wet' else ''}: IoU, mean over photographs",
        lambda s: s.flowing.overlap[thing],
        lambda s: s.flowing.with_thing[thing],
        "photographs",
    )


def _false(thing: str) -> Row:
    return Row(
        f"false.{thing}",
        f"{thing} claimed where none is: share of photographs",
        lambda s: s.flowing.false[thing],
        lambda s: s.flowing.without_thing[thing],
        "photographs",
    )


ROWS = (
    Row("order", "ordered pairs right", lambda s: s.depth.order, lambda s: s.depth.pairs, "pairs"),
    Row(
        "hard",
        "of those where lower in the picture is not nearer",
        lambda s: s.depth.hard,
        lambda s: s.depth.hard_pairs,
        "pairs",
    ),
    Row(
        "torn",
        f"one solid thing torn (rank gap > {TORN})",
        lambda s: s.depth.torn,
        lambda s: s.depth.same_pairs,
        "pairs",
    ),
    Row(
        "levels",
        "rank correlation with the levels, mean over photographs",
        lambda s: s.depth.levels,
        lambda s: s.depth.levelled,
        "photographs",
    ),
    _overlap("sky"),
    _false("sky"),
    _overlap("water"),
    _overlap("falls"),
    _overlap("wet"),
    _false("wet"),
    _overlap("smoke"),
    Row(
        "purity",
        "share of the moving area that is noted as flowing",
        lambda s: s.flowing.purity,
        lambda s: s.flowing.with_motion,
        "photographs",
    ),
    Row(
        "moved",
        "share of what is noted as flowing that moves",
        lambda s: s.flowing.moved,
        lambda s: s.flowing.with_motion,
        "photographs",
    ),
    Row(
        "flow.moves",
        "arrows with nothing drawn: share whose foot moves",
        lambda s: s.arrows.moves,
        lambda s: s.arrows.arrows,
        "arrows",
    ),
    Row(
        "flow.within45",
        "arrows with nothing drawn: within 45 degrees",
        lambda s: s.arrows.within45,
        lambda s: s.arrows.arrows,
        "arrows",
    ),
    Row(
        "flow.one_arrow",
        "from one arrow for each region: the others within 45 degrees",
        lambda s: s.from_one.within45,
        lambda s: s.from_one.arrows,
        "arrows",
    ),
    # beside the table that is asked for
    Row(
        "levels_order",
        "pairs of levels in the right order",
        lambda s: s.depth.levels_order,
        lambda s: s.depth.level_pairs,
        "pairs",
    ),
    Row(
        "gap",
        "one solid thing: mean rank gap",
        lambda s: s.depth.gap,
        lambda s: s.depth.same_pairs,
        "pairs",
    ),
    _overlap("fire"),
    _false("water"),
    _false("smoke"),
    Row(
        "purity_mean",
        "purity, mean over photographs",
        lambda s: s.flowing.purity_mean,
        lambda s: s.flowing.with_motion,
        "photographs",
    ),
    Row(
        "flow.median",
        "median angle of the feet that move, degrees",
        lambda s: s.arrows.median_angle,
        lambda s: s.arrows.arrows,
        "arrows",
    ),
    Row(
        "flow.within45_mean",
        "within 45 degrees, mean over photographs",
        lambda s: s.arrows.within45_mean,
        lambda s: s.arrows.photos,
        "photographs",
    ),
)


def as_json(found: Summary, trivial: Summary) -> dict[str, Any]:
    """Every row under its key; `n`, `n_of` and `trivial` by the same keys. None: not measured."""
    return {
        **{row.key: _number(row.value(found)) for row in ROWS},
        "n": {row.key: row.count(found) for row in ROWS},
        "n_of": {row.key: row.unit for row in ROWS},
        "trivial": {row.key: _number(row.value(trivial)) for row in ROWS},
        "pooled": {f"iou.{t}": _number(v) for t, v in found.flowing.pooled.items()},
    }


def table(found: Summary, trivial: Summary, *, method: str) -> str:
    """The rows as Markdown."""
    lines = [f"| | {method} | trivial | n |", "|---|---:|---:|---:|"]
    for row in ROWS:
        cells = (_text(row.value(found)), _text(row.value(trivial)))
        lines.append(f"| {row.title} | {' | '.join(cells)} | {row.count(found)} {row.unit} |")
    return "\n".join(lines)


def faults(scores: PhotoScores) -> Mapping[str, float]:
    """What is wrong in one photograph, each as a share from 0 to 1; only what was noted."""
    depth, flowing, found = scores.depth, scores.flowing, {}
    if depth.right.size:
        found["order"] = 1 - float(depth.right.mean())
    if depth.gaps.size:
        found["torn"] = float((depth.gaps > TORN).mean())
    for thing, overlap in flowing.overlap.items():
        if thing not in ("water", "falls"):  # which "wet" counts
            found[thing] = 1 - overlap.share
    found |= {f"false {t}": 1.0 for t in ("sky", "wet", "smoke") if flowing.claimed.get(t)}
    if flowing.moving:
        found["impure"] = 1 - flowing.moving_rightly / flowing.moving
    if scores.arrows.right.size:
        found["arrows"] = 1 - float(scores.arrows.right.mean())
    return found


def badness(scores: PhotoScores) -> float:
    """Mean of the faults: how bad a photograph has come out, 0 to 1."""
    found = faults(scores)
    return sum(found.values()) / len(found) if found else 0.0


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
