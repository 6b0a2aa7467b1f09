"""Flows by other rules than the training's, for the choices made during training.

Closed forms: doublets in a stream for rocks, a vortex in a drifting sky, a source for a fan of
smoke or water. The held-out flows of `flow_test` are neither these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cine3d_core.synthetic.flows import (
    SKY,
    SMOKE,
    WATER,
    Array,
    Family,
    Generator,
    Plane,
    Size,
    Surface,
    heading,
    random_ground,
    smooth_noise,
    wavy,
)


def stream_with_rocks(rng: Generator, size: Size) -> Surface:
    """A straight stream on the ground; every round rock is a doublet."""
    plane, (x, y) = random_ground(rng, size), size.grid()
    angle = heading(rng)
    foot_y = max(rng.uniform(0.5, 1.0) * size.height, plane.horizon + 0.2 * size.height)
    foot = plane.world(np.array(size.width * rng.uniform(0.25, 0.75)), np.array(foot_y))
    right, forward = (a - b for a, b in zip(plane.world(x, y), foot, strict=True))
    half = rng.uniform(0.2, 0.8) * size.width / float(plane.below(np.array(foot_y)))
    half *= 1 + 1.5 * abs(np.cos(angle)) * plane.focal / size.long_side
    along = (right * np.cos(angle) + forward * np.sin(angle)) / half
    across = (forward * np.cos(angle) - right * np.sin(angle)) / half
    bank = 1 + 0.15 * smooth_noise(rng, size, 0.3 * size.long_side)
    inside = (np.abs(across) < bank) & (plane.below(y) > 0.04 * size.height)
    profile = np.clip(1 - np.abs(across / bank) ** rng.uniform(2, 8), 0.02, 1)
    velocity: NDArray[np.complex128] = np.ones(x.shape, complex)
    for _ in range(rng.integers(0, 5)):
        radius = rng.uniform(0.05, 0.25)
        z = along - rng.uniform(-1.5, 2) + 1j * (across - rng.uniform(-0.7, 0.7))
        inside &= np.abs(z) > radius
        velocity = velocity - (radius / np.where(np.abs(z) > radius, z, radius)) ** 2
    u, v = velocity.real * profile, -velocity.imag * profile
    east, north = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    texture = np.stack([along, across], -1) * rng.uniform(0.5, 2)
    flow = plane.flow(x, y, east, north)
    return Surface(inside, flow, WATER, "river", texture, plane.nearness(y, size))


def whirling_sky(rng: Generator, size: Size) -> Surface:
    """A drifting sky with one wide vortex, both on the clouds' plane."""
    x, y = size.grid()
    horizon = rng.uniform(0.4, 1.2) * size.height
    focal = rng.uniform(0.7, 1.5) * size.long_side
    plane = Plane(horizon, size.width / 2, focal, turned=True)
    right, forward = plane.world(x, y)
    angle, scale = rng.uniform(0, 2 * np.pi), np.percentile(np.abs(right), 80)
    dx, dz = right - scale * rng.normal(), forward - np.percentile(forward, 40)
    swirl = 0.4 * rng.normal() * np.exp(-(dx * dx + dz * dz) / (2 * scale) ** 2) / scale
    flow = plane.flow(x, y, np.cos(angle) - swirl * dz, np.sin(angle) + swirl * dx)
    line = min(horizon, rng.uniform(0.4, 0.9) * size.height)
    line = line + 0.1 * size.height * rng.random() * wavy(rng, size.width, waves=6)
    inside = (y < line[None]) & (plane.below(y) > 2)
    texture = np.stack([right, forward], -1) * 0.4
    return Surface(inside, flow, SKY, "sky", texture, np.zeros_like(x))


def fan(rng: Generator, size: Size) -> Surface:
    """Water that falls or smoke that rises in a fan from a point outside it."""
    x, y = size.grid()
    rising = rng.random() < 0.5
    sign = -1.0 if rising else 1.0
    start = rng.uniform(0.55, 1.0) * size.height if rising else rng.uniform(-0.1, 0.4) * size.height
    apex = start - sign * rng.uniform(0.2, 1.5) * size.height
    middle = rng.uniform(0.3, 0.7) * size.width
    dx, dy = x - middle, y - apex
    way = np.maximum(sign * (y - start), 0) / size.height
    steep = (0.06 + way) ** (rng.uniform(-0.5, 0) if rising else rng.uniform(0.3, 0.6))
    length = np.hypot(dx, dy)
    flow = np.stack([dx, dy], -1) / length[..., None] * steep[..., None]
    opening = rng.uniform(0.1, 0.4) * (1 + 0.2 * smooth_noise(rng, size, 0.15 * size.long_side))
    inside = (np.abs(dx) < opening * np.abs(dy)) & (sign * (y - start) > 0)
    if not rising:
        inside &= y < rng.uniform(0.7, 1.1) * size.height
    texture = np.stack([dx / np.abs(dy) * 3, way], -1)
    near = np.full(x.shape, rng.uniform(0.2, 0.8))
    kind, family = (SMOKE, "smoke") if rising else (WATER, "fall")
    return Surface(inside, _finite(flow), kind, family, texture, near)


def _finite(flow: Array) -> Array:
    return np.where(np.isfinite(flow), flow, 0.0)


VALIDATION_FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.5, stream_with_rocks),
    (0.25, whirling_sky),
    (0.25, fan),
)
