"""Data for training inpainting: photographs with parts of them covered by foreign silhouettes.

Behind a silhouette the photograph goes on, so what a network should have painted there is known.
Each photograph is one `.npz` of crops: `truth` and `guess` uint8 [N, 3, S, S], `context` and `hole`
bool [N, 1, S, S]; `guess` is the analytic fill of the whole photograph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.files.atomic import replacing
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.layers.fill import analytic_fill

Mask = NDArray[np.bool_]

LONG_SIDES = (1280, 960)  # px of the photographs when they are covered
CROP = 192  # px
HOLE_WIDTHS = (4, 72)  # px: how far a camera may look behind a silhouette, drawn evenly in octaves
MIXED_COLOURS = 6  # px at most left out beside a silhouette, as the build leaves out mixed colours


@dataclass(frozen=True)
class Covered:
    """A picture part of which something hides."""

    context: Mask  # [H, W] what may be looked at
    hole: Mask  # [H, W] what is to be painted


@dataclass(frozen=True)
class InpaintBatch:
    """Crops; colours in [0, 1]."""

    truth: Tensor  # [B, 3, S, S]
    guess: Tensor  # [B, 3, S, S]
    context: Tensor  # [B, 1, S, S] 0 or 1
    hole: Tensor  # [B, 1, S, S] 0 or 1


def silhouette(disparity: NDArray[np.floating], size: tuple[int, int], seed: int) -> Mask:
    """What stands nearer than some depth of another picture: [H, W], turned and stretched."""
    generator = np.random.default_rng(seed)
    height, width = size
    level = np.quantile(disparity, generator.uniform(0.3, 0.9))
    near = (disparity > level).astype(np.uint8)
    if generator.random() < 0.5:
        near = near[:, ::-1]
    angle, zoom = generator.uniform(-25, 25), generator.uniform(0.7, 1.6)
    turn = cv2.getRotationMatrix2D((near.shape[1] / 2, near.shape[0] / 2), angle, zoom)
    turn[:, 2] += generator.uniform(-0.3, 0.3, 2) * near.shape[::-1]
    turned = cv2.warpAffine(np.ascontiguousarray(near), turn, near.shape[::-1])
    return cv2.resize(turned, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def blobs(size: tuple[int, int], seed: int) -> Mask:
    """Round and thin shapes scattered over a picture: [H, W]."""
    generator = np.random.default_rng(seed)
    height, width = size
    picture = np.zeros(size, np.uint8)
    for _ in range(generator.integers(3, 9)):
        centre = generator.integers((0, 0), (width, height)).tolist()
        axes = (width * np.exp(generator.uniform(np.log(0.01), np.log(0.15), 2))).astype(int)
        angle = generator.uniform(0, 180)
        cv2.ellipse(picture, centre, (axes + 2).tolist(), angle, 0, 360, 1, -1)
    for _ in range(generator.integers(0, 6)):  # posts, branches, ropes
        ends = generator.integers((0, 0), (width, height), (2, 2)).tolist()
        cv2.line(picture, ends[0], ends[1], 1, int(generator.integers(4, 30)))
    return picture > 0


def cover(foreground: Mask, seed: int) -> Covered:
    """Context and hole that a silhouette makes: it hides all, but only its rim is to be painted."""
    generator = np.random.default_rng(seed)
    low, high = np.log(HOLE_WIDTHS)
    width = np.exp(generator.uniform(low, high))
    inward = cv2.distanceTransform(foreground.astype(np.uint8), cv2.DIST_L2, 3)
    outward = cv2.distanceTransform((~foreground).astype(np.uint8), cv2.DIST_L2, 3)
    mixed = generator.uniform(0, MIXED_COLOURS)
    context = ~foreground & (outward > mixed)
    return Covered(context=context, hole=~context & (inward <= width))


def covered_crops(
    rgb: Tensor,  # [3, H, W] in [0, 1]
    disparities: Sequence[NDArray[np.floating]],  # of other photographs
    *,
    silhouettes: int,
    crops: int,  # of each
    seed: int,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], Mask, Mask]]:
    """Truth, guess, context and hole of crops of a photograph."""
    size = (rgb.shape[1], rgb.shape[2])
    for number in range(silhouettes):
        generator = np.random.default_rng([seed, number])
        draw = int(generator.integers(2**31))
        other = disparities[int(generator.integers(len(disparities)))]
        foreground = silhouette(other, size, draw) if number % 3 else blobs(size, draw)
        covered = cover(foreground, draw)
        if not covered.hole.any() or not covered.context.any():
            continue
        context, hole = (torch.from_numpy(mask)[None] for mask in (covered.context, covered.hole))
        guess = analytic_fill(rgb, torch.ones_like(rgb[:1]), context, hole).rgb
        for y, x in _corners(covered, crops, generator):
            part = (slice(None), slice(y, y + CROP), slice(x, x + CROP))
            yield (
                _bytes(rgb[part]),
                _bytes(guess[part]),
                covered.context[None][part],
                covered.hole[None][part],
            )


def pack_photos(
    photos: Sequence[Path],
    disparities: Mapping[Path, NDArray[np.floating]],  # of some photographs, these or others
    data: Path,
    *,
    silhouettes: int,
    crops: int,
    seed: int,
) -> Iterator[Path]:
    """Writes one file of crops for each photograph; yields each, also those already there."""
    data.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(photos):
        target = data / f"{path.stem}.npz"
        if not target.exists():
            rgb = read_photo(path, max_side=LONG_SIDES[number % len(LONG_SIDES)]).rgb
            others = [disparity for other, disparity in disparities.items() if other != path]
            made = covered_crops(
                rgb, others, silhouettes=silhouettes, crops=crops, seed=seed + number
            )
            planes = [np.stack(kind) for kind in zip(*made, strict=True)]
            names = ("truth", "guess", "context", "hole")
            with replacing(target) as temporary, temporary.open("wb") as file:
                np.savez(file, **dict(zip(names, planes, strict=True)))
        yield target


def read_crops(path: Path) -> dict[str, NDArray[np.generic]]:
    """The crops of one photograph."""
    with np.load(path) as arrays:
        return {name: arrays[name] for name in ("truth", "guess", "context", "hole")}


def to_batch(crops: Sequence[dict[str, NDArray[np.generic]]]) -> InpaintBatch:
    """Crops [3 or 1, S, S] as one batch."""
    stacked = {
        name: torch.from_numpy(np.stack([crop[name] for crop in crops])).float()
        for name in ("truth", "guess", "context", "hole")
    }
    return InpaintBatch(
        truth=stacked["truth"] / 255,
        guess=stacked["guess"] / 255,
        context=stacked["context"],
        hole=stacked["hole"],
    )


def _corners(
    covered: Covered, count: int, generator: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Top left corners of crops that hold some of the hole and enough of the context."""
    rows, columns = np.nonzero(covered.hole)
    height, width = covered.hole.shape
    for _ in range(count):
        chosen = generator.integers(len(rows))
        y = int(np.clip(rows[chosen] - generator.integers(CROP), 0, height - CROP))
        x = int(np.clip(columns[chosen] - generator.integers(CROP), 0, width - CROP))
        part = (slice(y, y + CROP), slice(x, x + CROP))
        if covered.hole[part].mean() > 0.01 and covered.context[part].mean() > 0.1:
            yield y, x


def _bytes(rgb: Tensor) -> NDArray[np.uint8]:
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
