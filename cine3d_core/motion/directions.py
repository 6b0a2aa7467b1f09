"""Which way what flows goes when a person drew no arrow, body by body.

A network has looked at arrows that people drew and answers a vector everywhere, the longer the
surer (`DepthMap.direction`). What is usual is added to it: water falls and runs towards the viewer,
smoke and fire rise, the sky drifts as one. Water of which neither is sure does not run: it
shimmers in place (`motion.shimmer`). Everything assumed is said in a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.flow import HINT_FRAMES
from cine3d_core.motion.guess import FALLS, FIRE, SKY, SMOKE, WATER, MaskGuess
from cine3d_core.scene import DepthMap, MotionHint

Array = NDArray[Any]
Mask = NDArray[np.bool_]

# px/frame per px of the long side
SKY_SPEED = 4e-4
RUN_SPEED = 1.0e-3
FALL_SPEED = 2.2e-3
RISE_SPEED = 6e-4

# What is usual, as a vector beside the network's answer of at most 1 (x right, y down).
USUAL = {WATER: (0.0, 0.35), FALLS: (0.0, 0.6), SMOKE: (0.0, -0.5), FIRE: (0.0, -0.8)}

WORK_SIDE = 192  # px, long side at which bodies are looked at
MIN_BODY = 0.001  # share of the picture that deserves arrows of its own; the largest always has
CELL = 0.16  # of the long side: a body has an arrow in every cell of this size
SMOOTH = 0.05  # of the long side: over which the network's answers are averaged
RUNS = 0.25  # mean length of the network's answer from which water runs
FALLING = 0.05  # share of a body of water that falls from which all of it runs
FOG = 2.5  # width / height from which smoke that nobody is sure of is a bank of fog


@dataclass(frozen=True)
class DirectionGuess:
    """Where it moves to."""

    hints: tuple[MotionHint, ...]
    calm: Tensor  # [1, H, W] bool: water that shimmers in place
    description: str


@dataclass(frozen=True)
class _View:
    """The picture at WORK_SIDE."""

    kind: NDArray[np.uint8]  # [h, w] index into guess.KINDS
    direction: Array  # [h, w, 2] the network's answer; 0 where nobody was asked
    near: Array  # [h, w] disparity from 0 (1st percentile) to 1 (99th)
    scale: float  # photo pixels per pixel


def guess_directions(rgb: Tensor, depth: DepthMap, guess: MaskGuess) -> DirectionGuess:
    """Arrows for all that moves of a mask, the water in it that is calm, and what was assumed.

    Args:
        rgb: [3, H, W].
        depth: with what the network says of direction, if it was asked.
        guess: what moves.
    """
    view = _view(depth, guess)
    hints: list[MotionHint] = []
    said: list[str] = []
    calm = np.zeros(view.kind.shape, np.uint8)
    for body, kind in _bodies(view.kind):
        if kind == WATER and _is_calm(view, body):
            calm[body] = 1
            sentence = "calm water shimmers in place"
        else:
            arrows, sentence = _arrows(view, body, kind)
            hints += arrows
        if sentence not in said:
            said.append(sentence)
    large = cv2.resize(calm, rgb.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    wet = (guess.kind == WATER) | (guess.kind == FALLS)
    calm_bodies = _whole_bodies(wet[0].cpu().numpy(), large > 0)
    still = torch.from_numpy(calm_bodies)[None].to(guess.mask.device)
    return DirectionGuess(tuple(hints), still, ", ".join(said))


def _view(depth: DepthMap, guess: MaskGuess) -> _View:
    kind = guess.kind[0].cpu().numpy()
    height, width = kind.shape
    shrink = max(1.0, max(height, width) / WORK_SIDE)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    direction = np.zeros((size[1], size[0], 2), np.float32)
    if depth.direction is not None:
        answer = depth.direction.detach().cpu().permute(1, 2, 0).numpy().astype(np.float32)
        direction = cv2.resize(np.ascontiguousarray(answer), size, interpolation=cv2.INTER_AREA)
    disparity = (1 / depth.depth[0]).detach().cpu().numpy().astype(np.float32)
    near = cv2.resize(disparity, size, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(near, [1, 99])
    return _View(
        kind=_shrunk_kinds(kind, size),
        direction=direction,
        near=np.clip((near - low) / max(float(high - low), 1e-9), 0, 1),
        scale=shrink,
    )


def _shrunk_kinds(kind: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The kind with the largest area under each pixel, so that no body is lost."""
    best, out = np.full(size[::-1], 1e-3, np.float32), np.zeros(size[::-1], np.uint8)
    for value in np.unique(kind[kind > 0]):
        share = cv2.resize((kind == value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        larger = share > best
        out[larger], best = value, np.where(larger, share, best)
    return out


def _whole_bodies(inside: Mask, marked: Mask) -> Mask:
    """The connected regions of a mask that are mostly marked."""
    count, label = connected_regions(inside)
    area = np.bincount(label.ravel(), minlength=count)
    share = np.bincount(label.ravel(), marked.ravel(), count) / np.maximum(area, 1)
    chosen = share > 0.5
    chosen[0] = False
    return chosen[label]


def _bodies(kind: NDArray[np.uint8]) -> Iterator[tuple[Mask, int]]:
    """Connected bodies with their kind; all of the sky is one, what falls belongs to its water."""
    if (kind == SKY).any():
        yield kind == SKY, SKY
    for kinds, label in (((WATER, FALLS), WATER), ((SMOKE,), SMOKE), ((FIRE,), FIRE)):
        count, number = connected_regions(np.isin(kind, kinds))
        area = np.bincount(number.ravel(), minlength=count)[1:]
        for rank, i in enumerate(np.argsort(-area, kind="stable")):
            if rank == 0 or area[i] > MIN_BODY * kind.size:
                yield number == i + 1, label


def _is_calm(view: _View, body: Mask) -> bool:
    if (view.kind[body] == FALLS).mean() > FALLING:
        return False
    return float(np.linalg.norm(view.direction[body], axis=-1).mean()) < RUNS


def _arrows(view: _View, body: Mask, kind: int) -> tuple[list[MotionHint], str]:
    """Arrows spread over a body, and the sentence for them."""
    side = max(view.kind.shape) * view.scale * HINT_FRAMES
    if kind == SKY:
        return [_hint(view, _innermost(body), (SKY_SPEED * side, 0.0))], "the sky drifts right"
    sure = float(np.linalg.norm(view.direction[body], axis=-1).mean())
    rows, columns = np.nonzero(body.any(1))[0], np.nonzero(body.any(0))[0]
    if kind == SMOKE and sure < RUNS and len(columns) > FOG * len(rows):
        return [_hint(view, _innermost(body), (SKY_SPEED * side, 0.0))], "the fog drifts right"
    smooth = _smoothed(view.direction, body)
    hints = []
    for foot in _feet(body, CELL * max(body.shape)):
        x, y = int(foot[0]), int(foot[1])
        at = int(view.kind[y, x]) or kind
        way = smooth[y, x] + USUAL[at]
        way = way / max(float(np.linalg.norm(way)), 1e-6)
        pace = _pace(at, float(view.near[y, x])) * side
        hints.append(_hint(view, foot, (float(way[0]) * pace, float(way[1]) * pace)))
    names = {SMOKE: "the smoke rises", FIRE: "the fire flickers upwards"}
    falls = bool((view.kind[body] == FALLS).any())
    return hints, names.get(kind, "the water falls and runs" if falls else "the water runs")


def _pace(kind: int, near: float) -> float:
    """Px/frame per px of the long side; what is near seems faster."""
    if kind == FALLS:
        return FALL_SPEED * (0.6 + 0.4 * near)
    return RISE_SPEED if kind in (SMOKE, FIRE) else RUN_SPEED * (0.5 + near)


def _smoothed(direction: Array, body: Mask) -> Array:  # [h, w, 2]
    """Average of the answers nearby, of the same body only."""
    sigma = SMOOTH * max(body.shape)
    inside = body.astype(np.float32)[..., None]
    planes = np.concatenate([direction * inside, inside], -1)
    soft = cv2.GaussianBlur(planes, (0, 0), sigma)
    return soft[..., :2] / np.maximum(soft[..., 2:], 1e-3)


def _feet(body: Mask, cell: float) -> list[tuple[float, float]]:
    """The innermost place of the body in every cell of a grid; at least one."""
    rows, columns = np.nonzero(body)
    number = (rows // cell).astype(int) * 10_000 + (columns // cell).astype(int)
    feet = []
    for one in np.unique(number):
        part = np.zeros_like(body)
        chosen = number == one
        if chosen.sum() >= 0.15 * cell * cell:
            part[rows[chosen], columns[chosen]] = True
            feet.append(_innermost(part))
    return feet or [_innermost(body)]


def _innermost(region: Mask) -> tuple[float, float]:
    """Centre of the pixel farthest from the region's border and the picture's frame."""
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return float(x) - 0.5, float(y) - 0.5


def _hint(view: _View, foot: tuple[float, float], vector: tuple[float, float]) -> MotionHint:
    x, y = foot[0] * view.scale, foot[1] * view.scale
    return MotionHint((x, y), (x + vector[0], y + vector[1]))
