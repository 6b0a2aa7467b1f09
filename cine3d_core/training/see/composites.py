"""Fluids put into photographs: lakes, streams, fog and plumes with exact outlines.

A few dozen photographs hold too few waters to learn from. What is added is made of the photograph
itself (mirrored, rippled, tinted) and of noise; every function returns the picture and its classes.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cine3d_core.files.drawing.fluid_polygons import LABELS

Array = NDArray[Any]  # [H, W, 3] float32 sRGB in [0, 1], or [H, W] float32
ClassMap = NDArray[np.uint8]  # [H, W] index into LABELS, or UNKNOWN
Labelled = tuple[Array, ClassMap]

STILL, SKY, WATER, SMOKE = range(len(LABELS))
UNKNOWN = 255  # pixels that teach nothing


def cloudy_noise(shape: tuple[int, int], random: Generator, *, coarsest: float = 0.5) -> Array:
    """Noise [H, W] of zero mean and unit deviation, largest lumps `coarsest` of the long side."""
    total = np.zeros(shape, np.float32)
    cell, weight = coarsest * max(shape), 1.0
    while cell >= 3:
        size = (max(2, round(shape[1] / cell) + 1), max(2, round(shape[0] / cell) + 1))
        grain = random.standard_normal((size[1], size[0])).astype(np.float32)
        total += weight * cv2.resize(grain, shape[::-1], interpolation=cv2.INTER_CUBIC)
        cell, weight = cell / 2, weight * 0.55
    return (total - total.mean()) / (total.std() + 1e-6)


def streaks(shape: tuple[int, int], random: Generator, *, along_x: float, along_y: float) -> Array:
    """Noise [H, W] of unit deviation, drawn out by that many pixels along each axis."""
    grain = random.standard_normal(shape).astype(np.float32)
    drawn = cv2.GaussianBlur(grain, (0, 0), sigmaX=along_x, sigmaY=along_y)
    return drawn / (drawn.std() + 1e-6)


def with_lake(rgb: Array, classes: ClassMap, random: Generator) -> Labelled:
    """A lake that mirrors what is above its far bank; the near bank may be the old ground.

    Nothing changes where the sky leaves no room below it.
    """
    height, width = classes.shape
    sky = classes == SKY
    horizon = np.percentile(np.nonzero(sky)[0], 98) / height if sky.any() else 0.3
    if horizon > 0.75:
        return rgb, classes
    far_bank = int(random.uniform(horizon + 0.02, 0.85) * height)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    below = np.maximum(rows - far_bank, 0)
    ripple = streaks((height, width), random, along_x=random.uniform(4, 25), along_y=1.2)
    swell = random.uniform(0, 0.1) * below * ripple + random.uniform(0, 1.5) * ripple
    source = np.clip(far_bank - below * random.uniform(0.75, 1.3) + swell, 0, height - 1)
    mirrored = cv2.remap(rgb, columns, source, cv2.INTER_LINEAR)
    mirrored = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=random.uniform(0.5, 5), sigmaY=0.7)
    tint = np.array(random.choice([(0.3, 0.4, 0.5), (0.35, 0.33, 0.25), (0.2, 0.3, 0.3)]), "f4")
    clear = random.uniform(0.5, 0.95)
    glint = random.uniform(0, 0.06) * ripple[..., None]
    water = clear * mirrored + (1 - clear) * tint * mirrored.mean() * 2 + glint
    inside = rows >= far_bank
    if random.random() < 0.6:  # a near bank
        edge = far_bank + (height - far_bank) * random.uniform(0.25, 0.9)
        edge += random.uniform(-0.2, 0.2) * (columns - width / 2)
        inside &= rows < edge + random.uniform(2, 12) * cloudy_noise((1, width), random)
    return _over(rgb, classes, water, (inside & ~sky).astype(np.float32), WATER)


def with_stream(rgb: Array, classes: ClassMap, random: Generator) -> Labelled:
    """A brook that winds down towards the viewer, white where it falls."""
    height, width = classes.shape
    top = random.uniform(0.1, 0.6) * height
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    down = np.clip((rows - top) / (height - top), 0, 1)
    bend = random.uniform(-0.25, 0.25) * np.sin(down * random.uniform(2, 9) + random.uniform(0, 6))
    middle = width * (random.uniform(0.3, 0.7) + bend * (0.3 + down))
    half = width * (random.uniform(0.01, 0.05) + random.uniform(0.05, 0.22) * down**1.2)
    bank = half * (1 + 0.3 * cloudy_noise((height, width), random, coarsest=0.12))
    inside = (np.abs(columns - middle) < bank) & (rows > top) & (classes != SKY)
    steps = np.sin(down * random.uniform(8, 40) + cloudy_noise((height, width), random) * 0.7)
    falling = np.clip((steps - random.uniform(-0.3, 0.8)) * 3, 0, 1)
    fall = streaks((height, width), random, along_x=0.8, along_y=random.uniform(4, 12))
    pool = streaks((height, width), random, along_x=random.uniform(4, 14), along_y=1)
    around = rgb[inside].mean(0) if inside.any() else rgb.mean((0, 1))
    base = around * random.uniform(0.4, 1.0) + np.array((0.05, 0.07, 0.08)) * random.uniform(0, 2)
    still = base + random.uniform(0.02, 0.12) * pool[..., None]
    foam = random.uniform(0.5, 0.9) + random.uniform(0.1, 0.25) * fall[..., None]
    shine = (falling * np.clip(random.uniform(0.4, 0.9) + 0.35 * fall, 0, 1))[..., None]
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.2)
    return _over(rgb, classes, still * (1 - shine) + foam * shine, soft, WATER)


def with_fog(rgb: Array, classes: ClassMap, random: Generator) -> Labelled:
    """A bank of fog across the picture."""
    height, width = classes.shape
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    centre = random.uniform(0.3, 0.8) + random.uniform(-0.3, 0.3) * np.linspace(-0.5, 0.5, width)
    spread = random.uniform(0.06, 0.25)
    lumps = cloudy_noise((height, width), random)
    density = random.uniform(0.8, 1.6) * np.exp(-(((rows - centre) / spread) ** 2))
    alpha = np.clip(density + random.uniform(0.1, 0.3) * lumps * density, 0, random.uniform(0.8, 1))
    colour = np.array(random.uniform(0.45, 0.9)) + random.uniform(-0.06, 0.06, 3)
    fog = colour + 0.03 * lumps[..., None]
    return _over(rgb, classes, fog, alpha.astype(np.float32), SMOKE)


def with_plume(rgb: Array, classes: ClassMap, random: Generator) -> Labelled:
    """A column of smoke or steam that widens as it rises."""
    height, width = classes.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    foot = np.array([random.uniform(0.1, 0.9) * width, random.uniform(0.45, 0.95) * height])
    up = np.clip((foot[1] - rows) / height, 0, 1)
    middle = foot[0] + random.uniform(-0.7, 0.7) * width * up**1.5
    half = width * (random.uniform(0.01, 0.04) + random.uniform(0.15, 0.5) * up)
    lumps = cloudy_noise((height, width), random, coarsest=random.uniform(0.08, 0.25))
    across = np.abs(columns - middle) / half + 0.35 * lumps
    alpha = np.clip((1.1 - across) * 1.6, 0, 1) * (rows < foot[1])
    alpha *= np.clip(1.3 - random.uniform(0, 1.5) * up, 0, 1)
    shade = random.uniform(0.15, 0.9)
    smoke = shade + random.uniform(0.03, 0.12) * lumps[..., None] + random.uniform(-0.03, 0.03, 3)
    return _over(rgb, classes, smoke, alpha.astype(np.float32), SMOKE)


def with_sky_of(rgb: Array, classes: ClassMap, donor: Labelled, random: Generator) -> Labelled:
    """The sky exchanged for another photograph's, shifted and stretched to cover it."""
    sky = classes == SKY
    donor_sky = donor[1] == SKY
    # rows of the donor that are almost all sky
    clean = np.nonzero(donor_sky.mean(1) > 0.9)[0]
    if not sky.any() or len(clean) < 0.1 * len(donor_sky):
        return rgb, classes
    strip = donor[0][clean[0] : clean[-1] + 1]
    lowest = int(np.nonzero(sky.any(1))[0][-1]) + 1
    cover = cv2.resize(strip, (classes.shape[1], lowest), interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.5:
        cover = cover[:, ::-1]
    picture = rgb.copy()
    picture[:lowest] = cover
    soft = cv2.GaussianBlur(sky.astype(np.float32), (0, 0), 1.0)[..., None]
    return (rgb * (1 - soft) + picture * soft).astype(np.float32), classes


def _over(rgb: Array, classes: ClassMap, fluid: Array, alpha: Array, kind: int) -> Labelled:
    """`fluid` laid over the picture; its class where it is thick, unknown where it is thin."""
    mixed = rgb * (1 - alpha[..., None]) + fluid * alpha[..., None]
    labels = classes.copy()
    labels[alpha > 0.2] = UNKNOWN
    labels[alpha > 0.55] = kind
    return np.clip(mixed, 0, 1).astype(np.float32), labels
