"""What moves and where to, assumed from the picture when a person drew no mask or no arrows.

What moves is what the fluid network says (`DepthMap.fluid`); where nobody asked it, sky by its
probability and water by its looks (`segment_classical`). Where to is a rule: sky and fog drift
sideways, smoke rises, still water ripples sideways, running water runs down the depth gradient.
Everything assumed is said in a sentence, so that it can be corrected by drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.flow import HINT_FRAMES
from cine3d_core.motion.segment_classical import (
    WORK_SIZE,
    Clues,
    enlarge,
    find_sky,
    find_water,
    grow_from_strokes,
)
from cine3d_core.motion.segment_regions import kinds_of
from cine3d_core.scene import DepthMap, MotionHint

KINDS = ("still", "sky", "water", "smoke")
SKY, WATER, SMOKE = 1, 2, 3

# px/frame per px of the long side
SKY_SPEED = 5e-4
RIPPLE_SPEED = 4e-4
RUN_SPEED = 1.2e-3
RISE_SPEED = 6e-4

SMALLEST = 0.0005  # share of the picture; smaller finds are dropped
MIN_REGION = 0.002  # share of the picture that deserves an arrow; smaller ones follow the others
RUNNING = 0.7  # height / width from which water is taken to run towards the viewer
RISING = 0.7  # height / width from which smoke is taken to rise

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskGuess:
    """What moves, and what it is taken for."""

    mask: Tensor  # [1, H, W] bool
    kind: Tensor  # [1, H, W] uint8, index into KINDS; 0 outside the mask
    description: str  # in words, for the person


@dataclass(frozen=True)
class DirectionGuess:
    """Where it moves to."""

    hints: tuple[MotionHint, ...]
    description: str


def guess_mask(
    rgb: Tensor,  # [3, H, W]
    depth: DepthMap,
    *,
    mask: Tensor | None = None,  # [1, H, W] bool, when a person drew one
    hints: Sequence[MotionHint] = (),
) -> MaskGuess:
    """What moves in a photo; empty where nothing is found for sure.

    With a `mask`, only what its regions are is guessed. With arrows but no mask, it is what they
    stand on: sky or water found as usual, else a region grown from the arrow along the picture's
    edges.
    """
    if mask is not None:
        kind = _kinds(mask[0].cpu().numpy().astype(bool), _planes(depth))
        return _described(kind, "the mask is as drawn", rgb)
    if depth.fluid is None:
        clues = _clues(rgb, depth)
        sky = find_sky(clues)
        small = np.where(sky, SKY, np.where(find_water(clues, sky), WATER, 0)).astype(np.uint8)
        found = _enlarged(small, _image(rgb)) if not hints else small
    else:
        found = kinds_of(depth.fluid.detach().cpu().numpy())
    if hints:
        found = _under_arrows(rgb, depth, found, hints)
    return _described(found, _found(found), rgb)


def guess_directions(rgb: Tensor, depth: DepthMap, guess: MaskGuess) -> DirectionGuess:
    """One or a few arrows for every region of the mask, and in words what they assume."""
    kind = guess.kind[0].cpu().numpy()
    near = _nearness(depth)
    hints: list[MotionHint] = []
    said: list[str] = []
    for region, label in _regions(kind):
        vectors, sentence = _region_vectors(region, label, near)
        hints += [MotionHint(foot, (foot[0] + u, foot[1] + v)) for foot, (u, v) in vectors]
        if sentence not in said:
            said.append(sentence)
    return DirectionGuess(tuple(hints), ", ".join(said))


def _clues(rgb: Tensor, depth: DepthMap) -> Clues:
    height, width = rgb.shape[1:]
    scale = min(1.0, WORK_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Clues(
        colour=cv2.resize(_image(rgb), size, interpolation=cv2.INTER_AREA),
        sky=cv2.resize(_plane(depth.sky), size, interpolation=cv2.INTER_AREA),
        disparity=cv2.resize(_nearness(depth), size, interpolation=cv2.INTER_AREA),
    )


def _image(rgb: Tensor) -> Array:  # [H, W, 3] float32
    return np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy().astype(np.float32))


def _plane(map_: Tensor) -> Array:  # [1, H, W] -> [H, W] float32
    return np.ascontiguousarray(map_.detach().cpu()[0].numpy().astype(np.float32))


def _nearness(depth: DepthMap) -> Array:  # [H, W] in [0, 1]
    """Disparity between its 1st and 99th percentile."""
    disparity = 1 / _plane(depth.depth)
    low, high = np.percentile(disparity, [1, 99])
    return np.clip((disparity - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)


def _under_arrows(
    rgb: Tensor, depth: DepthMap, found: NDArray[np.uint8], hints: Sequence[MotionHint]
) -> NDArray[np.uint8]:  # [H, W]
    """The found regions (at any size) that arrows stand on, and regions grown from the others."""
    _, label = connected_regions(found > 0)
    chosen = np.zeros_like(found)
    others = []
    for hint in hints:
        line = _on(found, hint, rgb)
        number = label[line[0, 1], line[0, 0]]
        if number > 0:
            chosen = np.where(label == number, found, chosen)
        else:
            others.append(hint)
    small = found.shape != tuple(rgb.shape[1:])
    kind = _enlarged(chosen, _image(rgb)) if small else chosen
    grown = _enlarged(_grown(rgb, depth, others), _image(rgb))
    return np.where(kind > 0, kind, grown)


def _on(plane: NDArray[np.uint8], hint: MotionHint, rgb: Tensor) -> NDArray[np.int64]:  # [2, 2]
    """The pixels of a plane of any size on which an arrow starts and ends, as x and y."""
    scale = max(plane.shape) / max(rgb.shape[1:])
    line = (np.array([hint.start, hint.end]) * scale).astype(np.int64)
    return np.clip(line, 0, [plane.shape[1] - 1, plane.shape[0] - 1])


def _grown(
    rgb: Tensor, depth: DepthMap, hints: Sequence[MotionHint]
) -> NDArray[np.uint8]:  # [h, w]
    """Kinds of what arrows lie on, at the small size."""
    clues = _clues(rgb, depth)
    strokes = np.zeros(clues.sky.shape, np.uint8)
    for hint in hints:
        start, end = _on(strokes, hint, rgb).tolist()
        cv2.line(strokes, start, end, 1)
    if not hints:
        return strokes
    size = strokes.shape[::-1]
    planes = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in _planes(depth)]
    return _kinds(grow_from_strokes(clues, strokes > 0), np.stack(planes))


def _enlarged(small: NDArray[np.uint8], colour: Array) -> NDArray[np.uint8]:  # [H, W]
    """Kinds at the photo's size, along its edges, without specks."""
    kind = np.zeros(colour.shape[:2], np.uint8)
    for value in (SMOKE, WATER, SKY):
        if (small == value).any():
            kind[enlarge(small == value, colour)] = value
    count, label = connected_regions(kind > 0)
    area = np.bincount(label.ravel(), minlength=count)
    return np.where((area > SMALLEST * kind.size)[label], kind, 0).astype(np.uint8)


def _planes(depth: DepthMap) -> Array:  # [3, H, W]
    """Probability of sky, water and smoke; what is not sky is water where nobody asked."""
    if depth.fluid is not None:
        return np.ascontiguousarray(depth.fluid.detach().cpu().numpy().astype(np.float32))
    sky = _plane(depth.sky)
    return np.stack([sky, 1 - sky, np.zeros_like(sky)])


def _kinds(inside: Mask, planes: Array) -> NDArray[np.uint8]:  # [H, W], [3, H, W] -> [H, W]
    """Every connected region is what most of it probably is; water when nothing is known."""
    count, label = connected_regions(inside)
    totals = np.stack([np.bincount(label.ravel(), plane.ravel(), count) for plane in planes])
    totals[WATER - 1] += 1e-3 * np.bincount(label.ravel(), minlength=count)
    table = (totals.argmax(0) + 1).astype(np.uint8)
    table[0] = 0
    return table[label]


def _found(kind: NDArray[np.uint8]) -> str:
    shares = [(name, (kind == i).mean()) for i, name in enumerate(KINDS) if i > 0]
    parts = [f"{name} ({share:.0%} of the picture)" for name, share in shares if share > 0]
    return "found " + " and ".join(parts) if parts else "found neither sky nor water"


def _described(kind: NDArray[np.uint8], text: str, rgb: Tensor) -> MaskGuess:
    values = torch.from_numpy(kind)[None].to(rgb.device)
    return MaskGuess(mask=values > 0, kind=values, description=text)


def _regions(kind: NDArray[np.uint8]) -> Iterator[tuple[Mask, int]]:
    """Connected regions with their kind, large ones first, at least one."""
    for label in (SKY, WATER, SMOKE):
        count, number = connected_regions(kind == label)
        area = np.bincount(number.ravel(), minlength=count)[1:]
        for rank, i in enumerate(np.argsort(-area, kind="stable")):
            if rank == 0 or area[i] > MIN_REGION * kind.size:
                yield number == i + 1, label


def _region_vectors(
    region: Mask, label: int, near: Array
) -> tuple[list[tuple[tuple[float, float], tuple[float, float]]], str]:
    """Feet and vectors (px per arrow) of a region's arrows, and the sentence for them."""
    side = max(region.shape) * HINT_FRAMES
    if label == SKY:
        return [(_innermost(region), (SKY_SPEED * side, 0.0))], "the sky drifts right"
    rows, columns = np.nonzero(region.any(1))[0], np.nonzero(region.any(0))[0]
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if label == SMOKE and height > RISING * width:
        return [(_innermost(region), (0.0, -RISE_SPEED * side))], "the smoke rises"
    if label == SMOKE:
        return [(_innermost(region), (SKY_SPEED * side, 0.0))], "the fog drifts right"
    if height < RUNNING * width:
        vector = (RIPPLE_SPEED * side, 0.0)
        return [(_innermost(region), vector)], "still water ripples to the right"
    vectors = []
    for band in np.array_split(np.arange(rows[0], rows[-1] + 1), 3):
        part = np.zeros_like(region)
        part[band] = region[band]
        if part.any():
            foot = _innermost(part)
            vectors.append((foot, _downhill(foot, region, near, RUN_SPEED * side)))
    return vectors, "running water comes towards the viewer"


def _innermost(region: Mask) -> tuple[float, float]:
    """Centre of the pixel farthest from the region's border and the picture's frame."""
    distance = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return float(x) - 0.5, float(y) - 0.5


def _downhill(
    foot: tuple[float, float], region: Mask, near: Array, length: float
) -> tuple[float, float]:
    """Towards nearer water, and down the picture where depth says little; faster when near."""
    reach = max(4, max(region.shape) // 16)
    x, y = int(foot[0]), int(foot[1])
    rows, columns = slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1)
    part = region[rows, columns]
    v, u = np.nonzero(part)
    plane = np.column_stack([u, v, np.ones(len(u))])
    slope, *_ = np.linalg.lstsq(plane, near[rows, columns][part], rcond=None)
    # a slope of 1 over the long side is a ground plane's
    direction = slope[:2] * max(region.shape) + (0.0, 0.7)
    direction /= max(float(np.linalg.norm(direction)), 1e-6)
    speed = length * (0.5 + float(near[y, x]))
    return float(direction[0]) * speed, float(direction[1]) * speed
