"""Outlines for cut-out cards: ridges, conifers, leaves, blades, as alpha [h, w], row 0 on top."""

from __future__ import annotations

import numpy as np


def ridge(rng: np.random.Generator, shape: tuple[int, int], *, rough: float = 0.6) -> np.ndarray:
    """A mountain's silhouette: everything below a fractal line is opaque."""
    height, width = shape
    place = np.linspace(0, 1, width)
    line = np.zeros(width)
    for octave in range(1, 9):
        knots = rng.uniform(-1, 1, 2**octave + 2)
        line += rough**octave * np.interp(place * 2**octave, np.arange(len(knots)), knots)
    line = (line - line.min()) / np.ptp(line)
    return _below((0.04 + 0.75 * (1 - line)) * height, shape)


def conifers(rng: np.random.Generator, shape: tuple[int, int], *, count: int) -> np.ndarray:
    """A row of spruces standing in each other's way."""
    height, width = shape
    x = np.arange(width)
    top = np.full(width, 0.8 * height) + rng.uniform(-2, 2, width)
    for centre in rng.uniform(0, width, count):
        tall = height * rng.uniform(0.45, 0.97)
        half = tall * rng.uniform(0.13, 0.2)
        away = np.abs(x - centre) / half
        jags = 0.06 * np.sin(away * rng.uniform(25, 40)) * away
        top = np.minimum(top, height - tall * (1 - np.clip(away**0.85 + jags, 0, 1.2)))
    return _below(top, shape)


def leaves(rng: np.random.Generator, shape: tuple[int, int], *, count: int = 900) -> np.ndarray:
    """A crown or bush of leaves in clumps."""
    height, width = shape
    alpha = np.zeros(shape)
    angle = rng.uniform(0, 2 * np.pi, 9)
    reach = rng.uniform(0.0, 0.3, 9)
    clumps = np.stack([0.5 + reach * np.cos(angle), 0.5 + reach * np.sin(angle)], -1)
    for _ in range(count):
        clump = clumps[rng.integers(len(clumps))]
        centre = (clump + rng.normal(0, 0.075, 2)) * (width, height)
        _leaf(alpha, centre, length=width * rng.uniform(0.015, 0.035), angle=rng.uniform(0, np.pi))
    return alpha


def _leaf(alpha: np.ndarray, centre: np.ndarray, *, length: float, angle: float) -> None:
    reach = int(np.ceil(length)) + 1
    left, top = np.round(centre).astype(int) - reach
    size = 2 * reach
    if left < 0 or top < 0 or left + size >= alpha.shape[1] or top + size >= alpha.shape[0]:
        return
    y, x = np.mgrid[top : top + size, left : left + size]
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    across = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
    far = np.sqrt((along / length) ** 2 + (across / (0.45 * length)) ** 2)
    part = alpha[top : top + size, left : left + size]
    np.maximum(part, np.clip((1 - far) * length * 0.45 + 0.5, 0, 1), out=part)


def blades(
    rng: np.random.Generator, shape: tuple[int, int], *, count: int, width_px: float = 4.0
) -> np.ndarray:
    """Grass or reeds growing from the bottom edge."""
    height, width = shape
    alpha = np.zeros(shape)
    row = np.arange(height)
    column = np.arange(width)
    for _ in range(count):
        tall = height * rng.uniform(0.35, 0.97)
        up = (height - row) / tall  # 0 at the root, 1 at the tip
        bend = rng.normal(0, 0.12) * width
        centre = rng.uniform(0.05, 0.95) * width + bend * np.clip(up, 0, 1) ** 2
        thick = width_px * rng.uniform(0.5, 1.0) * np.clip(1 - up, 0, 1)
        near = np.clip(thick[:, None] / 2 - np.abs(column - centre[:, None]) + 0.5, 0, 1)
        alpha = np.maximum(alpha, near * (up <= 1)[:, None])
    return alpha


def _below(line: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """1 below a line of heights [w] in pixels, with one soft pixel."""
    return np.clip(np.arange(shape[0])[:, None] - line[None] + 0.5, 0, 1)
