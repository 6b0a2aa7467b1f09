"""Synthetic fluids with eddies: random currents without sources, drifting, seen in perspective.

A current is the curl of a stream function of random waves (Kraichnan 1970). It stirs lakes and
seas, clouds on their plane, and smoke that rises; jets and lone vortices come on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cine3d_core.synthetic.flows import (
    SKY,
    SMOKE,
    WATER,
    Array,
    Generator,
    Mask,
    Plane,
    Size,
    Surface,
    heading,
    random_ground,
    smooth_noise,
    wavy,
)

WAVES = 20


@dataclass(frozen=True)
class Current:
    """Stirring by random waves; its speed is 1 in the root mean square."""

    waves: Array  # [N, 2] wave vectors
    phases: Array  # [N]
    amounts: Array  # [N] of the velocity

    def __call__(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Velocity at places, without divergence."""
        u, v = np.zeros(x.shape), np.zeros(x.shape)
        for (a, b), phase, amount in zip(self.waves, self.phases, self.amounts, strict=True):
            slope = amount * np.cos(a * x + b * y + phase) / np.hypot(a, b)
            u += b * slope
            v -= a * slope
        return u, v


def random_current(rng: Generator, longest: float, octaves: float) -> Current:
    """Waves from `longest` down by octaves, the shorter the weaker."""
    octave = rng.uniform(0, octaves, WAVES)
    angle = rng.uniform(0, 2 * np.pi, WAVES)
    number = 2 * np.pi / longest * 2**octave
    amounts = 2.0 ** (-octave * rng.uniform(0.3, 1.2))
    amounts *= np.sqrt(2 / (amounts**2).sum())
    waves = number[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return Current(waves, rng.uniform(0, 2 * np.pi, WAVES), amounts)


def blob(rng: Generator, size: Size) -> Mask:
    """A random shape with a smooth or ragged outline, large more often than small."""
    x, y = size.grid()
    shape = smooth_noise(rng, size, rng.uniform(0.25, 0.8) * size.long_side)
    shape = shape + rng.uniform(0, 0.4) * smooth_noise(rng, size, 0.08 * size.long_side)
    centre_x, centre_y = rng.uniform(0, size.width), rng.uniform(0, size.height)
    reach = np.hypot(x - centre_x, y - centre_y) / (rng.uniform(0.25, 0.8) * size.long_side)
    return shape + 1.5 * (1 - reach) > 0


def stirred_water(rng: Generator, size: Size) -> Surface:
    """A lake or wide river on the ground: a drift with eddies, shear and sometimes a jet."""
    plane, (x, y) = random_ground(rng, size), size.grid()
    right, forward = plane.world(x, y)
    unit = float(np.percentile(np.abs(right), 60)) + 1e-9
    angle = heading(rng)
    eddies = random_current(rng, unit * np.exp(rng.uniform(-0.5, 1.5)), rng.uniform(0.5, 2.5))
    stir = rng.uniform(0, 0.5) if rng.random() < 0.8 else rng.uniform(0.5, 1.5)
    drift = _profile(rng, -right * np.sin(angle) + forward * np.cos(angle), unit)
    east, north = (stir * part for part in eddies(right, forward))
    east, north = east + drift * np.cos(angle), north + drift * np.sin(angle)
    inside = blob(rng, size) & (plane.below(y) > rng.uniform(0.01, 0.1) * size.height)
    texture = np.stack([right, forward], -1) / unit * rng.uniform(0.3, 1.5)
    flow = plane.flow(x, y, east, north)
    family = "river" if rng.random() < 0.6 else "sea"
    return Surface(inside, flow, WATER, family, texture, plane.nearness(y, size))


def _profile(rng: Generator, across: Array, unit: float) -> Array:
    """Speed across a drift: even, sheared or a jet."""
    place = across / unit - rng.normal()
    choice = rng.random()
    if choice < 0.4:
        return np.ones_like(across)
    if choice < 0.7:
        return np.exp(np.clip(0.5 * rng.normal() * place, -1.5, 1.5))
    return rng.uniform(0.1, 0.5) + np.exp(-((place / rng.uniform(0.3, 1.2)) ** 2))


def stirred_clouds(rng: Generator, size: Size) -> Surface:
    """Clouds that drift on their plane with eddies; now and then a flat sky without perspective."""
    x, y = size.grid()
    horizon = rng.uniform(0.3, 1.4) * size.height
    centre = size.width * rng.uniform(0.35, 0.65)
    plane = Plane(horizon, centre, rng.uniform(0.7, 1.6) * size.long_side, turned=True)
    right, forward = plane.world(x, y)
    angle, stir = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
    unit = float(np.percentile(np.abs(right), 60)) + 1e-9
    eddies = random_current(rng, unit * np.exp(rng.uniform(-0.7, 1.3)), rng.uniform(0.5, 3))
    east, north = (stir * part for part in eddies(right, forward))
    flow = plane.flow(x, y, east + np.cos(angle), north + np.sin(angle))
    if rng.random() < 0.15:
        flow = np.stack([east + np.cos(angle), north + np.sin(angle)], -1)
    line = min(horizon, rng.uniform(0.3, 1.0) * size.height)
    waves = int(rng.choice([3, 9, 20]))
    line = line + 0.12 * size.height * rng.random() * wavy(rng, size.width, waves=waves)
    inside = (y < line[None]) & (plane.below(y) > 0.01 * size.height)
    texture = np.stack([right, forward], -1) / unit * rng.uniform(0.3, 1)
    return Surface(inside, flow, SKY, "sky", texture, np.zeros_like(x))


def curling_smoke(rng: Generator, size: Size) -> Surface:
    """Smoke that rises and is blown aside, by wind that depends on height, and curls."""
    x, y = size.grid()
    source = size.width * rng.uniform(0.2, 0.8), size.height * rng.uniform(0.5, 1.1)
    rise = np.maximum(source[1] - y, 0) / size.height
    levels = np.arange(size.height, dtype=np.float64)
    height = np.maximum(source[1] - levels, 0) / size.height
    up = np.exp(rng.uniform(-1.5, 0.5) * height) * (1 + 0.3 * rng.random() * wavy(rng, len(levels)))
    up = np.maximum(up, 0.15)
    wind = rng.normal() * height ** rng.uniform(0.3, 1.6) + 0.3 * rng.random() * wavy(
        rng, len(levels)
    )
    path = np.cumsum((wind / up)[::-1])[::-1]  # px that smoke has drifted on its way up
    path = source[0] + path - np.interp(source[1], levels, path)
    half = size.width * (
        rng.uniform(0.015, 0.06) + rng.uniform(0.1, 0.5) * rise ** rng.uniform(0.5, 1)
    )
    across = (x - path[:, None]) / half
    inside = np.abs(across) + 0.4 * smooth_noise(rng, size, 0.1 * size.long_side) < 1
    inside &= y < source[1]
    current = random_current(rng, size.long_side * rng.uniform(0.15, 0.8), 2)
    curl = rng.uniform(0, 0.35) * np.stack(current(x, y), -1)
    flow = np.stack(np.broadcast_arrays(wind[:, None], -up[:, None], x)[:2], -1) + curl
    texture = np.stack([across * 0.5, rise * rng.uniform(1, 3)], -1)
    near = np.full(x.shape, rng.uniform(0.1, 0.9))
    return Surface(inside, flow, SMOKE, "smoke", texture, near)


def currents(rng: Generator, size: Size) -> Surface:
    """Anything: a random current around a random mean, in a random shape, seen flat."""
    x, y = size.grid()
    angle, mean = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 4)
    current = random_current(rng, size.long_side * np.exp(rng.uniform(-0.7, 0.9)), 1.5)
    u, v = current(x, y)
    flow = np.stack([u + mean * np.cos(angle), v + mean * np.sin(angle)], -1)
    grown = np.exp(rng.normal() * 0.8 * (y / size.height - 0.5))[..., None]
    kind, family = ((WATER, "sea"), (WATER, "river"), (SMOKE, "smoke"))[rng.integers(3)]
    texture = np.stack([x, y], -1) / size.long_side * rng.uniform(0.5, 2)
    near = np.clip(y / size.height * rng.uniform(0, 1), 0, 1)
    return Surface(blob(rng, size), flow * grown, kind, family, texture, near)
