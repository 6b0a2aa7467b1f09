"""Synthetic flows that look like fluids: seas, falls, clouds, smoke, in perspective.

Each family is a rule of physics or of looks drawn at random; `flow_pictures` dresses it in
textures of photographs. Rivers: `flow_rivers`; eddies: `flow_stirred`.
The held-out flows of `flow_test` come from other rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Generator = np.random.Generator

KINDS = ("still", "sky", "water", "smoke")
SKY, WATER, SMOKE = 1, 2, 3

# mean speed by family, px/frame per px of the long side; each flow varies around it
SPEEDS = {"sky": 5e-4, "river": 1e-3, "sea": 6e-4, "fall": 3e-3, "smoke": 1.2e-3}
SPEED_SPREAD = 0.5  # standard deviation of the logarithm


@dataclass(frozen=True)
class Size:
    """Height and width of a picture in pixels."""

    height: int
    width: int

    @property
    def long_side(self) -> int:
        """The larger of both."""
        return max(self.height, self.width)

    def grid(self) -> tuple[Array, Array]:
        """X and y of the pixels' centres, [H, W] each."""
        y, x = np.mgrid[: self.height, : self.width] + 0.5
        return x, y


@dataclass(frozen=True)
class Surface:
    """Something that flows, as seen in the picture."""

    inside: Mask  # [H, W]
    flow: Array  # [H, W, 2] px/frame; its mean speed inside is 1 until a scene is made of it
    kind: int  # index into KINDS
    family: str  # key of SPEEDS
    texture: Array  # [H, W, 2] place on the surface that a pixel shows, in textures
    nearness: Array  # [H, W] in [0, 1]; meaningful inside
    rising: int = 0  # px that what stands in the water (its holes) rises over it


@dataclass(frozen=True)
class Plane:
    """A horizontal plane seen by a camera: the ground, or (turned over) the sky.

    Inverse depth grows linearly from 0 at the horizon. World units are heights of the camera.
    """

    horizon: float  # y in pixels; may lie outside the picture
    centre: float  # x of the principal point
    focal: float  # px
    turned: bool = False  # the sky's plane lies above its horizon

    def below(self, y: Array) -> Array:
        """Pixels from the horizon, positive where the plane is seen."""
        return (self.horizon - y) if self.turned else (y - self.horizon)

    def world(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Right and forward coordinates of the plane's points under pixels."""
        below = np.maximum(self.below(y), 0.5)
        return (x - self.centre) / below, self.focal / below

    def flow(self, x: Array, y: Array, right: Array | float, forward: Array | float) -> Array:
        """[H, W, 2] velocity in the picture of what moves (right, forward) on the plane."""
        below = np.maximum(self.below(y), 0.0)
        u = below * right - (x - self.centre) * below / self.focal * forward
        v = -below * below / self.focal * forward
        return np.stack([u, -v if self.turned else v], -1)

    def nearness(self, y: Array, size: Size) -> Array:
        """Disparity in [0, 1]: 1 at the picture's edge farthest from the horizon."""
        edge = self.horizon if self.turned else size.height - self.horizon
        return np.clip(self.below(y) / max(edge, 1.0), 0, 1)


def smooth_noise(rng: Generator, size: Size, scale_px: float) -> Array:  # [H, W], about N(0, 1)
    """Random field whose bumps are `scale_px` wide."""
    h, w = (max(2, int(np.ceil(side / scale_px)) + 2) for side in (size.height, size.width))
    coarse = rng.normal(size=(h, w)).astype(np.float32)
    full = (int(w * scale_px), int(h * scale_px))
    fine = cv2.resize(coarse, full, interpolation=cv2.INTER_CUBIC)
    y, x = (int(rng.integers(0, max(1, s))) for s in (full[1] - size.height, full[0] - size.width))
    return fine[y : y + size.height, x : x + size.width].astype(np.float64)


def wavy(rng: Generator, count: int, *, waves: int = 4, periodic: bool = False) -> Array:  # [count]
    """A random smooth curve of unit amplitude or so."""
    at = np.arange(count) / count * (2 * np.pi if periodic else np.pi * rng.uniform(0.7, 1.3))
    curve = np.zeros(count)
    for wave in range(1, waves + 1):
        curve += rng.normal() / wave * np.sin(wave * at + rng.uniform(0, 2 * np.pi))
    return curve


def random_ground(rng: Generator, size: Size) -> Plane:
    """A view of the ground: from beside the water to high above it."""
    low = rng.random() < 0.65  # the horizon is in the picture
    share = rng.uniform(0.05, 0.6) if low else -np.exp(rng.uniform(-2.5, 0.7))
    focal = rng.uniform(0.7, 1.6) * size.long_side
    return Plane(share * size.height, size.width * rng.uniform(0.4, 0.6), focal)


def heading(rng: Generator) -> float:
    """Angle in which water runs on the ground: 0 right, -pi/2 towards the viewer (most often)."""
    draw = rng.random()
    if draw < 0.65:
        return -np.pi / 2 + rng.normal() * 0.45
    if draw < 0.9:
        return (0.0 if rng.random() < 0.5 else np.pi) + rng.normal() * 0.3
    return np.pi / 2 + rng.normal() * 0.45


def sea(rng: Generator, size: Size) -> Surface:
    """Open water to its horizon, drifting one way with gentle variations; banks cut it."""
    plane, (x, y) = random_ground(rng, size), size.grid()
    angle = heading(rng)
    bend = 0.25 * rng.random() * smooth_noise(rng, size, 0.5 * size.long_side)
    strength = np.exp(0.2 * rng.random() * smooth_noise(rng, size, 0.4 * size.long_side))
    flow = plane.flow(x, y, strength * np.cos(angle + bend), strength * np.sin(angle + bend))
    inside = plane.below(y) > rng.uniform(0.0, 0.03) * size.height
    for _ in range(rng.integers(0, 3)):
        inside &= ~_bank(rng, size)
    right, forward = plane.world(x, y)
    texture = np.stack([right, forward], -1) * rng.uniform(0.3, 2)
    return Surface(inside, flow, WATER, "sea", texture, plane.nearness(y, size))


def _bank(rng: Generator, size: Size) -> Mask:
    """Land that comes in from a side of the picture."""
    x, y = size.grid()
    angle = rng.uniform(0, 2 * np.pi)
    reach = rng.uniform(0.15, 0.5) * size.long_side
    out = (x - size.width / 2) * np.cos(angle) + (y - size.height / 2) * np.sin(angle)
    return out + 0.06 * size.long_side * smooth_noise(rng, size, 0.2 * size.long_side) > reach


def fall(rng: Generator, size: Size) -> Surface:
    """Falling water that speeds up, often with a pool that carries it away."""
    x, y = size.grid()
    height = size.height
    top, bottom = rng.uniform(-0.2, 0.35) * height, rng.uniform(0.55, 1.2) * height
    left, right = _fall_edges(rng, size)
    width = np.maximum(right - left, 2.0)
    share = (x - left) / width
    gravity = np.exp(rng.uniform(-1, 1.5)) / height
    down = np.sqrt(0.3 + 2 * gravity * np.maximum(y - top, 0))
    slope_left, slope_right = np.gradient(left[:, 0]), np.gradient(right[:, 0])
    lean = slope_left[:, None] + np.clip(share, 0, 1) * (slope_right - slope_left)[:, None]
    flow = np.stack([down * lean, down], -1)
    inside = (share > 0) & (share < 1) & (y > top) & (y < bottom)
    if rng.random() < 0.4:
        inside &= smooth_noise(rng, size, 0.12 * size.long_side) < rng.uniform(1.3, 2.2)
    texture = np.stack([share * rng.uniform(1, 4), (y - top) / height * rng.uniform(0.3, 1.5)], -1)
    near = np.full(y.shape, rng.uniform(0.2, 0.6))
    if bottom < 0.9 * height:
        foot = flow[min(int(bottom), height - 1)][inside[min(int(bottom) - 1, height - 1)]]
        speed = float(np.linalg.norm(foot, axis=-1).mean()) if len(foot) else 1.0
        edges = (float(left[int(bottom), 0]), float(right[int(bottom), 0]))
        return _with_pool(
            rng, size, Surface(inside, flow, WATER, "fall", texture, near), edges, speed
        )
    return Surface(inside, flow, WATER, "fall", texture, near)


def _fall_edges(rng: Generator, size: Size) -> tuple[Array, Array]:  # [H, 1] each
    middle = size.width * (rng.uniform(0.25, 0.75) + 0.05 * wavy(rng, size.height, waves=3))
    half = size.width * np.exp(rng.uniform(-3.0, -0.8))
    half = half * np.exp(np.linspace(0, rng.uniform(-0.3, 0.8), size.height))
    half = half * (1 + 0.1 * wavy(rng, size.height, waves=5))
    return (middle - half)[:, None], (middle + half)[:, None]


def _with_pool(
    rng: Generator, size: Size, column: Surface, edges: tuple[float, float], speed: float
) -> Surface:
    """Adds a pool under a fall; water spreads from the foot over a plane towards the viewer."""
    x, y = size.grid()
    rows = np.nonzero(column.inside.any(1))[0]
    foot = float(rows[-1]) + 1
    middle, half = sum(edges) / 2, (edges[1] - edges[0]) / 2
    plane = Plane(foot - rng.uniform(0.1, 0.6) * size.height, middle, size.long_side)
    at_x, at_z = plane.world(x, y)
    foot_x, foot_z = plane.world(np.array(middle), np.array(foot))
    spread = half / plane.below(np.array(foot))
    dx, dz = at_x - foot_x, at_z - foot_z - 0.7 * spread
    distance = np.sqrt(dx * dx + dz * dz)
    decay = spread / np.maximum(distance, spread)
    forward = dz / distance * decay - 0.3 * rng.random()
    out = plane.flow(x, y, dx / distance * decay, forward)
    wide = 1 + rng.uniform(0.3, 3) * np.clip((y - foot) / size.height, 0, 1) ** 0.5 * 4
    bank = 0.08 * size.long_side * smooth_noise(rng, size, 0.25 * size.long_side)
    inside = (y >= foot) & (np.abs(x - middle) + bank < half * wide)
    start = inside & (y < foot + 0.05 * size.height)
    there = np.linalg.norm(out, axis=-1)[start].mean() if start.any() else 1.0
    out *= speed * rng.uniform(0.3, 0.7) / max(float(there), 1e-9)
    lower = y >= foot
    texture = np.where(lower[..., None], np.stack([at_x, at_z], -1), column.texture)
    near = column.nearness
    near = np.where(lower, near + (1 - near) * (y - foot) / max(size.height - foot, 1), near)
    flow = np.where(lower[..., None], out, column.flow)
    whole = (column.inside & ~lower) | inside
    return Surface(whole, flow, WATER, "fall", texture, near)


def sky(rng: Generator, size: Size) -> Surface:
    """Clouds on a plane above that drift one way: fast overhead, slow at the horizon."""
    x, y = size.grid()
    plane = Plane(
        rng.uniform(0.25, 1.3) * size.height,
        size.width * rng.uniform(0.35, 0.65),
        rng.uniform(0.7, 1.6) * size.long_side,
        turned=True,
    )
    angle = rng.uniform(0, 2 * np.pi)
    turbulence = 0.15 * rng.random()
    stream = smooth_noise(rng, size, rng.uniform(0.15, 0.4) * size.long_side)
    down, right = np.asarray(np.gradient(stream))
    swirl = np.stack([down, -right], -1)
    drift = plane.flow(x, y, np.cos(angle), np.sin(angle))
    size_of_swirl = np.linalg.norm(swirl, axis=-1).mean()
    swirl *= np.linalg.norm(drift, axis=-1, keepdims=True) / max(float(size_of_swirl), 1e-9)
    line = min(plane.horizon, rng.uniform(0.3, 1.0) * size.height)
    line = line + 0.1 * size.height * rng.random() * wavy(rng, size.width, waves=9)
    inside = (y < line[None]) & (plane.below(y) > 0.01 * size.height)
    texture = np.stack(plane.world(x, y), -1) * rng.uniform(0.2, 0.8)
    flow = drift + turbulence * swirl
    return Surface(inside, flow, SKY, "sky", texture, np.zeros_like(x))


def smoke(rng: Generator, size: Size) -> Surface:
    """A plume that rises, slows and widens, bent by wind; or fog that drifts along the ground."""
    if rng.random() < 0.3:
        return _fog(rng, size)
    x, y = size.grid()
    base_y = rng.uniform(0.5, 1.1) * size.height
    base_x = rng.uniform(0.25, 0.75) * size.width
    rise = np.maximum(base_y - y, 0) / size.height
    bend = rng.normal() * 0.6 * size.width
    power = rng.uniform(1.1, 1.8)
    middle = base_x + bend * rise**power
    slope = -bend * power * rise ** (power - 1) / size.height  # dx / dy
    narrow, opening = rng.uniform(0.015, 0.08) * size.width, rng.uniform(0.08, 0.4) * size.width
    half = narrow + opening * rise
    across = (x - middle) / half
    up = (0.05 + rise) ** rng.uniform(-0.6, 0.1) * np.exp(-rng.uniform(0.2, 0.8) * across**2)
    # streamlines keep their place across the widening plume
    flow = np.stack([-up * (slope - across * opening / size.height), -up], -1)
    ragged = 0.3 * smooth_noise(rng, size, 0.08 * size.long_side)
    inside = (np.abs(across) + ragged < 1.1) & (y < base_y)
    texture = np.stack([across * 0.5, rise * rng.uniform(1, 3)], -1)
    return Surface(inside, flow, SMOKE, "smoke", texture, np.full(x.shape, rng.uniform(0.1, 0.9)))


def _fog(rng: Generator, size: Size) -> Surface:
    x, y = size.grid()
    side = 1.0 if rng.random() < 0.5 else -1.0
    tilt = rng.normal() * 0.15 + 0.2 * rng.random() * smooth_noise(rng, size, 0.4 * size.long_side)
    speed = np.exp(rng.uniform(-1.5, 1.5) * (y / size.height - 0.5))
    flow = np.stack([side * speed * np.cos(tilt), -speed * np.sin(tilt)], -1)
    centre = rng.uniform(0.3, 0.8) * size.height
    thick = rng.uniform(0.1, 0.35) * size.height
    ragged = 0.5 * smooth_noise(rng, size, 0.25 * size.long_side)
    inside = np.abs(y - centre) / thick + ragged < 1
    texture = np.stack([x, y], -1) / size.long_side * rng.uniform(0.5, 2)
    return Surface(inside, flow, SMOKE, "smoke", texture, np.full(x.shape, rng.uniform(0.1, 0.7)))


Family = Callable[[Generator, Size], Surface]


def draw_surfaces(
    rng: Generator,
    size: Size,
    families: tuple[tuple[float, Family], ...],
    background_sky: Family,
) -> list[Surface]:
    """What moves in one picture, far to near; 3 % to 90 % of it, sometimes with a moving sky."""
    weights = np.array([weight for weight, _ in families])
    while True:
        family = families[rng.choice(len(families), p=weights / weights.sum())][1]
        surfaces = [family(rng, size)]
        if surfaces[0].kind == WATER and rng.random() < 0.35:
            surfaces.insert(0, background_sky(rng, size))
        share = np.any([surface.inside for surface in surfaces], axis=0).mean()
        if 0.03 < share < 0.9 and surfaces[-1].inside.mean() > 0.02:
            return surfaces
