"""What does not move: sky, terrain, rocks, walls, posts, and cut-out cards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .site import Site
from .surfaces import grid_surface, laid_over, lit
from .textures import resized, seamless

HeightMap = Callable[[np.ndarray, np.ndarray], np.ndarray]  # x, z -> height
SKY_DISTANCE = 130.0


def sky(site: Site, role: str, *, top_deg: float = 38.0) -> None:
    """A dome with a photographed sky; its lower border gives the haze its colour."""
    photo = site.photo(role)
    site.look_from(photo)
    azimuth = np.radians(np.linspace(-80, 80, 41))[None]
    elevation = np.radians(np.linspace(-15, 65, 33))[:, None]
    positions = SKY_DISTANCE * np.stack(
        np.broadcast_arrays(
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ),
        -1,
    )
    u = 0.5 + azimuth / np.radians(110)
    v = 1 - elevation / np.radians(top_deg)
    uv = np.stack(np.broadcast_arrays(_mirrored(u), _mirrored(v)), -1)
    site.surfaces.append(grid_surface(positions, uv, photo, kind="sky"))


def _mirrored(place: np.ndarray) -> np.ndarray:
    """Texture coordinates that turn round at the picture's borders, kept off the very border."""
    turned = 1 - np.abs(1 - np.abs(place) % 2)
    return np.clip(turned, 0.004, 0.996)


def fan(near: float, far: float, rows: int, columns: int, *, spread: float = 1.3):
    """Ground places x, z [rows, columns]: dense near the eye, as wide as the view."""
    z = np.geomspace(near, far, rows)[:, None]
    x = np.linspace(-1, 1, columns)[None] * spread * (z + 0.5)
    return np.broadcast_arrays(x, z)


def terrain(
    site: Site,
    height: HeightMap,
    role: str,
    *,
    near: float = 0.4,
    far: float = 90.0,
    patch: float = 2.5,  # size of one texture on the ground
    rough: float = 0.03,
) -> None:
    """Ground of a given height, with small bumps, lit by the sun and veiled by haze."""
    x, z = fan(near, far, 260, 260)
    bumps = _bumps(site.rng, np.stack([x, np.zeros_like(x), z], -1), scale=1.2)
    y = height(x, z) + rough * bumps * np.minimum(1 + 0.15 * z, 4)
    positions = np.stack([x, y, z], -1)
    overlay = laid_over(np.zeros((*x.shape, 4)), (0, 0, 0), lit(positions, site.sun, depth=0.85))
    overlay = site.veiled(overlay, np.hypot(x, z))
    texture = seamless(site.photo(role))
    aspect = texture.shape[0] / texture.shape[1]
    uv = np.stack([x / patch, (z + 0.7 * y) / (patch * aspect)], -1)
    site.surfaces.append(grid_surface(positions, uv, texture, overlay=overlay))


def _bumps(rng: np.random.Generator, positions: np.ndarray, *, scale: float) -> np.ndarray:
    """Smooth noise of space, about -1 .. 1, details down to scale / 16."""
    total = np.zeros(positions.shape[:-1])
    for octave in range(5):
        waves = rng.normal(0, 1, (4, 3)) * 2**octave / scale * 2
        phase = rng.uniform(0, 2 * np.pi, 4)
        total += np.sin(positions @ waves.T + phase).sum(-1) / 4 * 0.55**octave
    return total


def rock(
    site: Site,
    centre: tuple[float, float, float],
    radius: tuple[float, float, float],
    role: str = "rock",
    *,
    patch: float = 1.6,
    water_level: float | None = None,
) -> None:
    """A boulder; wet and dark just above the water level."""
    site.stones.append((centre[0], centre[2], radius[0]))
    azimuth = np.linspace(0, 2 * np.pi, 49)[None]
    elevation = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 33)[:, None]
    sphere = np.stack(
        np.broadcast_arrays(
            np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.sin(azimuth) * np.cos(elevation),
        ),
        -1,
    )
    offset = site.rng.uniform(-9, 9, 3)
    swell = 1 + 0.28 * _bumps(site.rng, sphere + offset, scale=1.6)
    positions = sphere * swell[..., None] * radius + centre
    dark = _solid_light(positions, np.asarray(centre), site.sun)
    overlay = laid_over(np.zeros((*dark.shape, 4)), (0, 0, 0), dark)
    if water_level is not None:
        wet = np.clip(1 - (positions[..., 1] - water_level) / (0.25 * radius[1]), 0, 1)
        overlay = laid_over(overlay, (0.01, 0.01, 0.01), 0.6 * wet**0.5)
    overlay = site.veiled(overlay, np.linalg.norm(positions, axis=-1))
    texture = seamless(site.photo(role))
    size = patch * max(radius)
    aspect = texture.shape[0] / texture.shape[1]
    across = positions[..., 0] + 0.6 * positions[..., 2]
    down = -positions[..., 1] + 0.5 * positions[..., 2]
    uv = np.stack([across / size, down / (size * aspect)], -1) + site.rng.uniform(0, 1, 2)
    site.surfaces.append(grid_surface(positions, uv, texture, overlay=overlay))


def _solid_light(positions: np.ndarray, centre: np.ndarray, sun: np.ndarray) -> np.ndarray:
    normal = np.cross(np.gradient(positions, axis=0), np.gradient(positions, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    outward = np.sign((normal * (positions - centre)).sum(-1, keepdims=True))
    facing = (normal * outward) @ (sun / np.linalg.norm(sun))
    return 0.85 * (1 - np.clip(0.4 + 0.65 * facing, 0, 1))


def cliff(
    site: Site,
    distance: HeightMap,  # x, height -> z
    role: str,
    *,
    span: tuple[float, float],  # x
    heights: tuple[float, float],
    patch: float = 3.0,
    rough: float = 0.25,
    slant: float = 0.5,  # how much of the texture's width lies along the view
) -> None:
    """A steep rock face that looks towards the eye."""
    x = np.linspace(*span, 220)[None]
    y = np.linspace(heights[1], heights[0], 140)[:, None]
    x, y = np.broadcast_arrays(x, y)
    flat = np.stack([x, y * 0.6, np.zeros_like(x)], -1)
    z = distance(x, y) + rough * _bumps(site.rng, flat, scale=1.5)
    positions = np.stack([x, y, z], -1)
    normal = np.cross(np.gradient(positions, axis=1), np.gradient(positions, axis=0))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    normal *= np.where(normal[..., 2:] > 0, -1.0, 1.0)
    facing = normal @ (site.sun / np.linalg.norm(site.sun))
    dark = 0.85 * (1 - np.clip(0.35 + 0.75 * facing, 0, 1))
    overlay = laid_over(np.zeros((*x.shape, 4)), (0, 0, 0), dark)
    overlay = site.veiled(overlay, np.linalg.norm(positions, axis=-1))
    texture = seamless(site.photo(role))
    aspect = texture.shape[0] / texture.shape[1]
    uv = np.stack([(x + slant * z) / patch, (-y + 0.5 * z) / (patch * aspect)], -1)
    site.surfaces.append(grid_surface(positions, uv, texture, overlay=overlay))


def box(
    site: Site,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    role: str,
    *,
    patch: float | None = None,  # None: one photograph over the front
    dark_foot: float = 0.5,
    stain: float = 0.0,  # share of brown, for weathered wood
) -> None:
    """A block: front, both sides and top, for walls, houses, posts and planks."""
    texture = site.photo(role)
    low_corner, high_corner = np.asarray(low), np.asarray(high)
    extent = high_corner - low_corner
    if patch is not None:
        texture = seamless(texture)
    aspect = texture.shape[0] / texture.shape[1]
    faces = (  # fixed axis, from which corner, texture right, texture down, darkness
        (2, low_corner, 0, 1, 0.0),
        (0, low_corner, 2, 1, 0.35),
        (0, high_corner, 2, 1, 0.45),
        (1, high_corner, 0, 2, -0.1),
    )
    for fixed, corner, right, down, dark in faces:
        a, b = np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 13))
        positions = np.empty((13, 13, 3))
        positions[..., fixed] = corner[fixed]
        positions[..., right] = low_corner[right] + a * extent[right]
        positions[..., down] = high_corner[down] - b * extent[down]
        size = extent[0] if patch is None else patch
        tall = extent[1] if patch is None else patch * aspect
        uv = np.stack([a * extent[right] / size, b * extent[down] / tall], -1)
        if patch is None:
            uv = np.clip(uv % 1.001, 0.004, 0.996)
        shade = np.full(a.shape, max(dark, 0.0))
        if down == 1:
            shade = np.maximum(shade, dark_foot * b**3)
        overlay = laid_over(np.zeros((*a.shape, 4)), (0.06, 0.04, 0.025), np.full(a.shape, stain))
        overlay = laid_over(overlay, (0, 0, 0), shade)
        overlay = site.veiled(overlay, np.linalg.norm(positions, axis=-1))
        site.surfaces.append(grid_surface(positions, uv, texture, overlay=overlay))


def card(
    site: Site,
    alpha: np.ndarray,  # [h, w]
    role: str,
    *,
    foot: tuple[float, float, float],  # middle of the lower edge
    width: float,
    height: float,
    turn_deg: float = 0.0,
    dark_foot: float = 0.6,
    repeat: float = 1.0,  # how often the photograph fits across
) -> None:
    """A photograph cut out along an outline, standing upright."""
    photo = site.photo(role)
    if repeat != 1.0:
        tile = seamless(photo)
        count = int(np.ceil(repeat))
        photo = np.concatenate([tile] * count, axis=1)[:, : int(repeat * tile.shape[1])]
        rows = max(int(photo.shape[1] * alpha.shape[0] / alpha.shape[1]), 2)
        photo = np.concatenate([photo] * int(np.ceil(rows / len(photo))))[:rows]
    picture = resized(photo, *alpha.shape)
    a, b = np.meshgrid(np.linspace(-0.5, 0.5, 25), np.linspace(0, 1, 13))
    angle = np.radians(turn_deg)
    positions = np.stack(
        [
            foot[0] + a * width * np.cos(angle),
            foot[1] + (1 - b) * height,
            foot[2] + a * width * np.sin(angle) + 0.02 * height * np.sin(6 * a),
        ],
        -1,
    )
    uv = np.stack([0.002 + 0.996 * (a + 0.5), 0.002 + 0.996 * b], -1)
    overlay = laid_over(np.zeros((*a.shape, 4)), (0, 0, 0), dark_foot * b**2)
    overlay = site.veiled(overlay, np.linalg.norm(positions, axis=-1))
    texture = np.concatenate([picture, alpha[..., None]], -1)
    site.surfaces.append(grid_surface(positions, uv, texture, overlay=overlay))
