"""What moves: sheets whose points lie where the fluid is after T frames of travel.

Texture coordinate u is the travel time in loops, v counts streamlines. A texture that is periodic
in u and scrolls by one period per loop therefore follows the streamlines at the fluid's own speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .site import Site
from .solids import fan
from .surfaces import grid_surface, laid_over
from .textures import linear, noise, resized, seamless, smoothed, water_tile

NUM_FRAMES = 60
_SCROLL = (1 / NUM_FRAMES, 0.0)


def water_plane(
    site: Site,
    level: float,
    role: str,
    *,
    heading_deg: float,  # 0: to the right; 90: away from the eye; -90: towards it
    speed: float,  # per frame
    near: float = 0.4,
    far: float = 120.0,
    mirror: float = 0.75,  # share of the sky's colour far away
    detail: float = 0.3,
    calm: float = 14.0,  # distance at which ripples fade
    contrast: float = 1.0,
) -> None:
    """A plane of water to the horizon, in uniform flow."""
    x, z = fan(near, far, 200, 120, spread=1.6)
    positions = np.stack([x, np.full_like(x, level), z], -1)
    period = speed * NUM_FRAMES
    angle = np.radians(heading_deg)
    along = (x * np.cos(angle) + z * np.sin(angle)) / period
    across = (z * np.cos(angle) - x * np.sin(angle)) / (0.5 * period)
    uv = np.stack([along, across], -1)
    photo = site.photo(role)
    tile = water_tile(site.rng, photo, detail=detail, lowest=3.5, contrast=contrast)
    overlay = _reflection(site, positions, photo, mirror=mirror, calm=calm)
    for stone_x, stone_z, radius in site.stones:  # they are mirrored, dark
        away = np.hypot(x - stone_x, (z - stone_z) * 0.8 + 0.12 * radius) / radius
        overlay = laid_over(overlay, (0.02, 0.02, 0.025), 0.75 / (1 + (away / 1.15) ** 8))
    site.surfaces.append(
        grid_surface(positions, uv, tile, kind="water", scroll=_SCROLL, overlay=overlay)
    )


def _reflection(
    site: Site, positions: np.ndarray, photo: np.ndarray, *, mirror: float, calm: float
) -> np.ndarray:
    """Ripples calm down to their mean colour with distance, and the sky's colour gains."""
    distance = np.linalg.norm(positions, axis=-1)
    mean = linear(photo).mean((0, 1))
    overlay = laid_over(np.zeros((*distance.shape, 4)), mean, 0.9 * (1 - np.exp(-distance / calm)))
    grazing = (1 - np.abs(positions[..., 1]) / distance) ** 5
    return laid_over(overlay, site.haze, mirror * grazing)


@dataclass(frozen=True)
class Obstacle:
    """A round rock in a river: where along and across it, and its radius."""

    along: float
    across: float
    radius: float


Course = Callable[[np.ndarray, np.ndarray], np.ndarray]  # along, across -> positions [..., 3]


def course(knots: list[tuple[float, float, float]], *, smooth: float = 1.0) -> Course:
    """A river's way through knots (x, height, z), extended straight beyond both ends."""
    points = np.asarray(knots, float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    dense = np.linspace(-3 * smooth, length[-1] + 3 * smooth, 2000)
    raw = np.stack([_extended(dense, length, points[:, i]) for i in range(3)], -1)
    reach = max(int(smooth / (dense[1] - dense[0])), 1)
    window = np.hanning(2 * reach + 3)[1:-1]
    window /= window.sum()
    padded = np.concatenate(
        [raw[:1] + (raw[0] - raw[reach:0:-1]), raw, 2 * raw[-1] - raw[-2 : -reach - 2 : -1]]
    )
    line = np.stack([np.convolve(padded[:, i], window, "valid") for i in range(3)], -1)
    tangent = np.gradient(line, dense, axis=0)

    def place(along: np.ndarray, across: np.ndarray) -> np.ndarray:
        centre = np.stack([_extended(along, dense, line[:, i]) for i in range(3)], -1)
        way = np.stack([np.interp(along, dense, tangent[:, i]) for i in (0, 2)], -1)
        way /= np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-9)
        side = np.stack([way[..., 1], np.zeros_like(along), -way[..., 0]], -1)
        return centre + side * across[..., None]

    return place


def _extended(at: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation that goes on straight beyond the known range."""
    inside = np.interp(at, known, values)
    first = (values[1] - values[0]) / (known[1] - known[0])
    last = (values[-1] - values[-2]) / (known[-1] - known[-2])
    before, after = np.minimum(at - known[0], 0), np.maximum(at - known[-1], 0)
    return inside + first * before + last * after


def streamlines(
    obstacles: list[Obstacle],
    across: np.ndarray,  # [C] where the streamlines start
    *,
    speed: float,
    length: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Along and across [T, C] after every frame: uniform flow plus one dipole per obstacle.

    The speed is kept between 0.45 and 1.6 of the undisturbed one, so that no streamline stops.
    """
    place = across.astype(complex) * 1j
    rows = [place]
    while place.real.min() < length and len(rows) < 4000:
        for _ in range(2):
            middle = place + 0.25 * speed * _flow(place, obstacles)
            place = place + 0.5 * speed * _flow(middle, obstacles)
        rows.append(place)
    path = np.stack(rows)
    return path.real, path.imag


def _flow(place: np.ndarray, obstacles: list[Obstacle]) -> np.ndarray:
    gradient = np.ones_like(place)
    for rock in obstacles:
        away = place - complex(rock.along, rock.across)
        away = np.where(np.abs(away) < 0.6 * rock.radius, 0.6 * rock.radius, away)
        gradient = gradient - (rock.radius / away) ** 2
    flow = np.conj(gradient)
    size = np.maximum(np.abs(flow), 1e-6)
    return flow / size * np.clip(size, 0.45, 1.6)


def river(
    site: Site,
    way: Course,
    role: str,
    *,
    half_width: float,
    length: float,
    speed: float,
    obstacles: list[Obstacle] | None = None,
    mirror: float = 0.5,
    detail: float = 0.35,
    stretch: float = 1.6,
    calm: float = 14.0,
    contrast: float = 1.0,
) -> None:
    """A river along a course, parting at the obstacles."""
    rocks = obstacles or []
    start = np.linspace(-half_width, half_width, 161)
    along, across = streamlines(rocks, start, speed=speed, length=length)
    positions = way(along, across)
    travel = np.arange(len(along))[:, None] / NUM_FRAMES
    lines = start[None] / (0.5 * speed * NUM_FRAMES)
    wander = 0.12 * np.sin(2.1 * start / half_width * 3)[None]  # no straight fronts
    uv = np.stack(np.broadcast_arrays(travel + wander, lines), -1)
    photo = site.photo(role)
    tile = water_tile(site.rng, photo, detail=detail, stretch=stretch, lowest=3, contrast=contrast)
    overlay = _reflection(site, positions, photo, mirror=mirror, calm=calm)
    for rock in rocks:  # white where the water strikes and leaves a rock
        away = np.hypot(along - rock.along, across - rock.across) / rock.radius
        foam = 0.55 * np.exp(-(((away - 1.0) / 0.22) ** 2))
        overlay = laid_over(overlay, (0.75, 0.78, 0.8), foam)
    site.surfaces.append(
        grid_surface(positions, uv, tile, kind="water", scroll=_SCROLL, overlay=overlay)
    )


def fall(
    site: Site,
    profile: list[tuple[float, float]],  # z, height of the water's way, from the top
    role: str,
    *,
    x: float,
    half_width: float,
    speed: float,  # at the start, per frame
    gravity: float,  # per frame and frame
    friction: float = 0.04,  # share of speed lost per frame
    lean: float = 0.0,  # sideways per unit of fall
    patch: float = 1.6,  # widths of the sheet in one texture
    contrast: float = 1.0,
) -> None:
    """A waterfall or cascade: water that gathers speed where the ground is steep."""
    points = np.asarray(profile, float)
    way = course([(0, height, z) for z, height in points], smooth=0.12)
    total = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    place, pace, travelled = 0.0, speed, [0.0]
    while place < total and len(travelled) < 3000:
        here, there = way(np.array([place, place + 0.02]), np.zeros(2))
        steepness = (here[1] - there[1]) / 0.02
        pace = max(pace + 0.5 * (gravity * steepness - friction * (pace - speed)), 0.5 * speed)
        place += 0.5 * pace
        travelled.append(place)
    along = np.repeat(np.array(travelled)[:, None], 61, axis=1)
    share = np.linspace(-1, 1, 61)[None]
    drop = points[0, 1] - way(along, np.zeros_like(along))[..., 1]
    wave = noise(site.rng, (1, len(along)), slope=1.2)[0][:, None]
    rag = noise(site.rng, (1, 61), slope=0.8)[0][None]
    across = half_width * share * (1 + 0.06 * smoothed(wave, 3) + 0.05 * drop)
    positions = way(along, np.zeros_like(along))
    positions[..., 0] = x + across + lean * drop
    positions[..., 2] -= 0.04 * half_width * rag * np.clip(drop, 0, 1) + 0.1 * (1 - share**2)
    travel = 0.5 * np.arange(len(along))[:, None] / NUM_FRAMES
    wander = 0.06 * rag + np.zeros_like(travel)
    uv = np.stack(np.broadcast_arrays(travel + wander, share / patch), -1)
    photo = site.photo(role)
    tile = water_tile(site.rng, photo, detail=0.2, stretch=4, lowest=5, contrast=contrast)
    dark = np.clip(0.35 * np.abs(share) ** 3 + 0.12 * rag, 0, 0.6) + np.zeros_like(along)
    overlay = laid_over(np.zeros((*along.shape, 4)), (0.02, 0.025, 0.03), dark)
    overlay = site.veiled(overlay, np.linalg.norm(positions, axis=-1))
    site.surfaces.append(
        grid_surface(positions, uv, tile, kind="water", scroll=_SCROLL, overlay=overlay)
    )


def cloud_ceiling(
    site: Site, role: str, *, height: float, heading_deg: float, speed: float, patch: float = 1.0
) -> None:
    """Clouds that pass overhead in a plane and dissolve into the haze far away."""
    x, z = fan(1.0, 125.0, 160, 80, spread=1.5)
    positions = np.stack([x, np.full_like(x, height), z], -1)
    period = speed * NUM_FRAMES
    angle = np.radians(heading_deg)
    texture = seamless(site.photo(role), overlap=0.4)
    aspect = patch * texture.shape[0] / texture.shape[1]
    uv = np.stack(
        [
            (x * np.cos(angle) + z * np.sin(angle)) / period,
            (z * np.cos(angle) - x * np.sin(angle)) / (aspect * period),
        ],
        -1,
    )
    fade = np.clip((np.hypot(x, z) / 110) ** 0.8, 0, 1)
    overlay = laid_over(np.zeros((*x.shape, 4)), site.haze, fade)
    site.surfaces.append(
        grid_surface(positions, uv, texture, kind="sky", scroll=_SCROLL, overlay=overlay)
    )


def smoke(
    site: Site,
    role: str,
    *,
    foot: tuple[float, float, float],
    height: float,
    width: tuple[float, float],  # at the foot, at the top
    drift: float,  # sideways at the top
    speed: float,  # per frame, upwards
    thickness: float = 0.95,
    brightness: float = 1.0,
) -> None:
    """A rising column on a card that faces the eye, wider and thinner towards the top."""
    steps = np.arange(0, height / speed * 1.05, 1.0)
    risen = (steps * speed / height)[:, None]
    share = np.linspace(-1, 1, 41)[None]
    risen, share = np.broadcast_arrays(risen, share)
    half = 0.5 * (width[0] + (width[1] - width[0]) * risen**0.7)
    sway = 0.25 * width[1] * risen * np.sin(5 * risen + site.rng.uniform(0, 6))
    positions = np.stack(
        [
            foot[0] + drift * risen**1.6 + sway + half * share,
            foot[1] + height * risen,
            foot[2] + 0.15 * half * np.cos(share * np.pi / 2) * -1,
        ],
        -1,
    )
    body = (1 - share**2) ** 1.2 * np.clip((1.04 - risen) * 2.2, 0, 1)
    opacity = np.clip(1.7 * body, 0, 1) * np.clip(risen * 14 + 0.4, 0, 1) * thickness
    _drifting_card(site, role, positions, opacity, brightness)


def fog_bank(
    site: Site,
    role: str,
    *,
    z: float,
    span: tuple[float, float],  # x
    heights: tuple[float, float],
    speed: float,  # per frame, to the right
    thickness: float = 0.9,
) -> None:
    """A bank of fog on a card across the view, drifting sideways."""
    x = np.arange(span[0], span[1], abs(speed) * 2)[:, None]
    share = np.linspace(0, 1, 31)[None]
    x, share = np.broadcast_arrays(x, share)
    y = heights[0] + (heights[1] - heights[0]) * share * (1 + 0.3 * np.sin(0.35 * x))
    positions = np.stack([x, y, z + 0.8 * np.sin(0.3 * x)], -1)
    if speed < 0:
        positions = positions[::-1]
    opacity = thickness * np.clip(3.0 * (1 - share), 0, 1) * np.clip(share * 12, 0, 1)
    ends = np.clip((x - span[0]) / 4, 0, 1) * np.clip((span[1] - x) / 4, 0, 1)
    _drifting_card(site, role, positions, opacity * ends, 1.0, rows_per_step=2)


def _drifting_card(
    site: Site,
    role: str,
    positions: np.ndarray,  # [T, C, 3] after every `rows_per_step` frames
    opacity: np.ndarray,
    brightness: float,
    *,
    rows_per_step: int = 1,
) -> None:
    """Smoke over positions along its travel: puffs with a photograph's colours."""
    shape = (384, 768)
    puffs = noise(site.rng, shape, slope=2.2, lowest=2) + 0.3 * noise(site.rng, shape, slope=1.6)
    puffs = (puffs - puffs.mean()) / puffs.std()
    photo = resized(seamless(site.photo(role)), *shape)
    relief = smoothed(puffs, 3) - np.roll(smoothed(puffs, 5), (-24, 30), (0, 1))
    bright = 1 + 0.14 * np.clip(relief / relief.std(), -2, 2)[..., None]
    colour = np.clip((0.6 * photo + 0.4 * photo.mean((0, 1))) * bright * brightness, 0, 1)
    alpha = np.clip(0.84 + 0.16 * puffs, 0.35, 1)
    tile = np.concatenate([colour, alpha[..., None]], -1)
    travel = rows_per_step * np.arange(len(positions))[:, None] / NUM_FRAMES
    lines = np.linspace(0, 0.9, positions.shape[1])[None]
    uv = np.stack(np.broadcast_arrays(travel, lines), -1)
    overlay = site.veiled(np.zeros((*opacity.shape, 4)), 0.5 * positions[..., 2])
    site.surfaces.append(
        grid_surface(
            positions, uv, tile, kind="smoke", scroll=_SCROLL, overlay=overlay, opacity=opacity
        )
    )
