"""Held-out synthetic flows: other rules than those of training, fixed before any training.

Viscous flow with friction through irregular channels (finite differences on a staggered grid, after
Harlow and Welch 1965; Brinkman 1949), cascades of falls and pools, clouds stirred by curl noise
(Bridson et al. 2007), smoke as traced particles in sheared wind. Only the camera and the painting
of textures are those of `flows`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import splu

from cine3d_core.imaging.regions import connected_regions
from cine3d_core.synthetic.flows import (
    SKY,
    SMOKE,
    WATER,
    Array,
    Family,
    Generator,
    Mask,
    Plane,
    Size,
    Surface,
)

GRID = (44, 88)  # cells of a channel across and along


def viscous_river(rng: Generator, size: Size) -> Surface:
    """An irregular channel with islands on the ground."""
    x, y = size.grid()
    horizon = rng.uniform(-0.9, 0.5) * size.height
    plane = Plane(horizon, 0.5 * size.width, rng.uniform(0.8, 1.4) * size.long_side)
    water = _irregular_channel(rng)
    velocity = viscous_flow(water, friction=float(np.exp(rng.uniform(-4.5, -2.0))))
    rows, columns = water.shape
    toward = rng.random() < 0.7
    angle = (-np.pi / 2 if toward else rng.choice([0.0, np.pi])) + rng.uniform(-0.5, 0.5)
    foot_y = max(0.75 * size.height, horizon + 0.3 * size.height)
    foot = plane.world(np.array(rng.uniform(0.35, 0.65) * size.width), np.array(foot_y))
    half = rng.uniform(0.35, 0.9) * size.width / (foot_y - horizon)
    half *= 1 + 1.2 * abs(np.cos(angle)) * plane.focal / size.long_side
    right, forward = (a - b for a, b in zip(plane.world(x, y), foot, strict=True))
    along = (right * np.cos(angle) + forward * np.sin(angle)) / half
    across = (forward * np.cos(angle) - right * np.sin(angle)) / half
    at_x = ((along + 2) / 4 * columns - 0.5 + (0.25 * columns if toward else 0)).astype(np.float32)
    at_y = ((across + 1) / 2 * rows - 0.5).astype(np.float32)
    planes = np.dstack([velocity, water]).astype(np.float32)
    found = cv2.remap(planes, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (found[..., 2] > 0.5) & (np.abs(across) < 1) & (y - horizon > 0.05 * size.height)
    east = found[..., 0] * np.cos(angle) - found[..., 1] * np.sin(angle)
    north = found[..., 0] * np.sin(angle) + found[..., 1] * np.cos(angle)
    texture = np.stack([right, forward], -1) / half
    flow = plane.flow(x, y, east.astype(np.float64), north.astype(np.float64))
    return Surface(inside, flow, WATER, "river", texture, plane.nearness(y, size))


def _irregular_channel(rng: Generator) -> Mask:  # [across, along]
    """A wandering strip with ragged banks, islands where noise is high; open at both ends."""
    rows, columns = GRID
    path = np.cumsum(rng.normal(size=columns))
    path = gaussian_filter(path, 8) - np.linspace(path[0], path[-1], columns)
    path = rows / 2 + np.clip(path, -0.2 * rows, 0.2 * rows)
    noise = gaussian_filter(rng.normal(size=GRID), 2.0)
    noise = noise / noise.std()
    width = rng.uniform(0.22, 0.42) * rows
    offset = np.abs(np.arange(rows)[:, None] - path)
    water = offset + 0.08 * rows * noise < width
    islands = (noise > rng.uniform(1.5, 2.4)) & (offset < 0.8 * width)
    islands[:, :6] = islands[:, -6:] = False
    water &= ~islands
    water[0] = water[-1] = False
    _, numbers = connected_regions(water)
    return numbers == np.bincount(numbers[water]).argmax()


def viscous_flow(water: Mask, *, friction: float) -> Array:  # [h, w, 2] (along, across)
    """Flow driven by a pressure drop from left to right, with speed 0 on every wall.

    Solves -laplace(u) + friction u + grad p = 0, div u = 0 in units of cells.
    """
    h, w = water.shape
    padded = np.pad(water, ((0, 0), (1, 1)), mode="edge")
    open_u = padded[:, 1:] & padded[:, :-1]  # [h, w + 1] faces between columns
    open_v = np.zeros((h + 1, w), bool)
    open_v[1:-1] = water[1:] & water[:-1]
    index_u, count_u = _numbered(open_u, 0)
    index_v, count_v = _numbered(open_v, count_u)
    index_p, total = _numbered(water, count_v)
    entries: list[tuple[NDArray, NDArray, NDArray]] = []
    right = np.zeros(total)
    for index in (index_u, index_v):
        _add_friction(entries, index, friction)
    _add_pressure(entries, index_u, np.pad(index_p, ((0, 0), (1, 1)), constant_values=-1), 1)
    _add_pressure(entries, index_v, np.pad(index_p, ((1, 1), (0, 0)), constant_values=-1), 0)
    first = index_u[:, 0]
    right[first[first >= 0]] = 1.0  # pressure 1 beyond the left end, 0 beyond the right one
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = sparse.csc_matrix((value, (row, column)), shape=(total, total))
    found = splu(matrix + 1e-9 * sparse.identity(total, format="csc")).solve(right)
    u, v = (np.where(i >= 0, found[np.maximum(i, 0)], 0.0) for i in (index_u, index_v))
    velocity = np.stack([(u[:, 1:] + u[:, :-1]) / 2, (v[1:] + v[:-1]) / 2], -1)
    return velocity * water[..., None]


def _numbered(mask: Mask, start: int) -> tuple[NDArray[np.int64], int]:
    index = np.full(mask.shape, -1)
    index[mask] = start + np.arange(mask.sum())
    return index, start + int(mask.sum())


def _add_friction(entries: list, index: NDArray[np.int64], friction: float) -> None:
    """Viscosity and friction of every open face; beyond the ends the flow goes on as it is."""
    here = index[index >= 0]
    diagonal = np.full(index.shape, 4.0 + friction)
    bordered = np.pad(index, 1, mode="edge")  # an end is its own neighbour: no change across it
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        other = bordered[dy : dy + index.shape[0], dx : dx + index.shape[1]]
        both = (index >= 0) & (other >= 0)
        entries.append((index[both], other[both], np.full(both.sum(), -1.0)))
    entries.append((here, here, diagonal[index >= 0]))


def _add_pressure(
    entries: list, faces: NDArray[np.int64], cells: NDArray[np.int64], axis: int
) -> None:
    """Gradient of pressure in the momentum rows, divergence in the rows of the cells."""
    count = faces.shape[axis]
    sides = ((cells.take(range(count), axis), -1.0), (cells.take(range(1, count + 1), axis), 1.0))
    for side, sign in sides:
        both = (faces >= 0) & (side >= 0)
        value = np.full(both.sum(), sign)
        entries.append((faces[both], side[both], value))
        entries.append((side[both], faces[both], value))


def cascade(rng: Generator, size: Size) -> Surface:
    """Water that falls over several steps, with a still pool after each."""
    x, y = size.grid()
    steps = int(rng.integers(2, 5))
    cuts = np.sort(rng.uniform(0.05, 0.95, 2 * steps - 2)) * size.height
    bounds = np.concatenate([[rng.uniform(-0.1, 0.15) * size.height], cuts, [1.1 * size.height]])
    speed, half = np.zeros(size.height), np.zeros(size.height)
    wide = rng.uniform(0.12, 0.3) * size.width
    pool_share, gravity = rng.uniform(0.2, 0.5), rng.uniform(1, 6) / size.height
    rows = np.arange(size.height) + 0.5
    for number, (start, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        zone = (rows >= start) & (rows < end)
        falling = number % 2 == 0
        drop = np.sqrt(0.4 + 2 * gravity * (rows - start).clip(0))
        speed[zone] = drop[zone] if falling else pool_share
        half[zone] = wide * (rng.uniform(0.5, 0.9) if falling else rng.uniform(1.0, 1.8))
    speed, half = gaussian_filter(speed, 2), gaussian_filter(half, 0.05 * size.height)
    ragged = gaussian_filter(rng.normal(size=(2, size.height)), (0, 0.04 * size.height))
    ragged *= 0.08 * size.width * rng.random() / ragged.std()
    wander = gaussian_filter(np.cumsum(rng.normal(size=size.height)), 0.12 * size.height)
    middle = size.width * rng.uniform(0.35, 0.65) + wander - wander.mean()
    edges = middle - half + ragged[0], middle + half + ragged[1]
    left, right = (edge[:, None] for edge in edges)
    share = np.clip((x - left) / np.maximum(right - left, 1), 0, 1)
    slopes = [np.gradient(edge[:, 0])[:, None] for edge in (left, right)]
    lean = slopes[0] + share * (slopes[1] - slopes[0])
    flow = np.stack([speed[:, None] * lean, np.repeat(speed[:, None], size.width, 1)], -1)
    inside = (x > left) & (x < right) & (y > bounds[0])
    texture = np.stack([share * 2, y / size.height * 2], -1)
    return Surface(inside, flow, WATER, "fall", texture, np.clip(y / size.height, 0, 1))


def stirred_sky(rng: Generator, size: Size) -> Surface:
    """Clouds that drift and are stirred by curl noise of three octaves on their own plane."""
    x, y = size.grid()
    horizon = rng.uniform(0.45, 1.1) * size.height
    focal = rng.uniform(0.8, 1.4) * size.long_side
    plane = Plane(horizon, 0.5 * size.width, focal, turned=True)
    right, forward = plane.world(x, y)
    noise = gaussian_filter(rng.normal(size=(256, 256)), 6, mode="wrap")
    curl_z, curl_x = np.gradient(noise)
    stir = np.zeros((*x.shape, 2))
    unit = np.percentile(np.abs(right), 70) + 1e-9
    for octave in range(3):
        at = [c / unit * 20 * 2**octave % 256 for c in (right, forward)]
        at_x, at_z = (c.astype(np.float32) for c in at)
        for axis, curl in enumerate((curl_z, -curl_x)):
            seen = cv2.remap(np.asarray(curl, np.float32), at_x, at_z, cv2.INTER_LINEAR)
            stir[..., axis] += seen / curl.std() / 2**octave
    angle, amount = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.3)
    drift = np.array([np.cos(angle), np.sin(angle)]) + amount * stir
    flow = plane.flow(x, y, drift[..., 0], drift[..., 1])
    profile = gaussian_filter(rng.normal(size=size.width), 0.03 * size.width)
    ridge = min(horizon - 3, rng.uniform(0.4, 0.85) * size.height)
    ridge = ridge + 0.08 * size.height * rng.random() * profile / profile.std()
    inside = y < np.minimum(ridge, horizon - 2)[None]
    texture = np.stack([right, forward], -1) / unit
    return Surface(inside, flow, SKY, "sky", texture, np.zeros_like(x))


def drifting_smoke(rng: Generator, size: Size) -> Surface:
    """Smoke is where particles go that rise from a source into wind that grows with height."""
    x, y = size.grid()
    source = rng.uniform(0.25, 0.75) * size.width, rng.uniform(0.55, 0.95) * size.height
    wind, power = rng.normal() * 1.2, rng.uniform(0.5, 1.5)
    cooling = rng.uniform(0.3, 1.5)

    def velocity(at_y: Array) -> tuple[Array, Array]:
        height = np.maximum(source[1] - at_y, 0) / size.height
        return wind * height**power, -(0.25 + np.exp(-height / cooling))

    spread = rng.uniform(0.02, 0.06) * size.width
    at_x, at_y = source[0] + spread * rng.normal(size=600), np.full(600, source[1])
    density = np.zeros((size.height, size.width))
    step = size.height / 80
    for _ in range(110):
        u, v = velocity(at_y)
        at_x = at_x + step * u + 0.5 * step * rng.normal(size=600)
        at_y = at_y + step * v
        seen = (at_x >= 0) & (at_x < size.width) & (at_y >= 0) & (at_y < size.height)
        np.add.at(density, (at_y[seen].astype(int), at_x[seen].astype(int)), 1)
    density = gaussian_filter(density, 0.015 * size.long_side)
    inside = density > 0.12 * np.percentile(density, 99)
    u, v = velocity(y)
    texture = np.stack([x, y], -1) / size.long_side * 2
    near = np.full(x.shape, rng.uniform(0.2, 0.7))
    return Surface(inside, np.stack([u, v], -1), SMOKE, "smoke", texture, near)


HELD_OUT_FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.45, viscous_river),
    (0.2, cascade),
    (0.2, stirred_sky),
    (0.15, drifting_smoke),
)
