"""Layout families of the training scenes; none of them is used for the test scenes.

A layout fills the site and gives the camera's pitch in degrees (downwards) and its focal length in
widths of the picture.
"""

from __future__ import annotations

import numpy as np

from .cutouts import blades, conifers, leaves, ridge
from .fluids import Obstacle, cloud_ceiling, course, fall, river, smoke, water_plane
from .site import Site
from .solids import box, card, cliff, rock, sky, terrain


def _bushes(site: Site, spots: list[tuple[float, float, float]], size: float) -> None:
    for x, y, z in spots:
        wide = size * site.rng.uniform(0.8, 1.5)
        card(
            site,
            leaves(site.rng, (384, 384), count=1500),
            "leaves",
            foot=(x, y - 0.12 * wide, z),
            width=wide,
            height=wide,
            turn_deg=site.rng.uniform(-35, 35),
        )


def _hills(site: Site, distance: float, height: float, base: float = 0.0) -> None:
    card(
        site,
        ridge(site.rng, (320, 1024)),
        "forest",
        foot=(site.rng.uniform(-6, 6), base, distance),
        width=3.2 * distance,
        height=height,
        repeat=5,
        dark_foot=0.2,
    )


def canyon_stream(site: Site) -> tuple[float, float]:
    """A stream winds towards the eye between two slopes."""
    sky(site, "sky")
    bend = site.rng.uniform(0.5, 1.3) * site.rng.choice([-1, 1])
    knots = [(2.5 * bend, -0.9, 26.0), (-bend, -1, 15.0), (bend, -1.05, 8.0), (0.0, -1.1, 1.0)]
    way = course(knots, smooth=3.0)
    depth = np.linspace(-4, 34, 300)
    line = way(depth, np.zeros_like(depth))
    order = np.argsort(line[:, 2])

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        centre = np.interp(z, line[order, 2], line[order, 0])
        away = np.abs(x - centre)
        return -1.25 + 0.35 * np.clip(away - 0.75, 0, 6) ** 1.2 + 0.012 * z

    terrain(site, height, "ground" if site.rng.random() < 0.6 else "rock", patch=2.0, rough=0.05)
    river(site, way, "water", half_width=1.4, length=27, speed=site.rng.uniform(0.018, 0.035))
    for _ in range(5):
        side, z = site.rng.choice([-1, 1]), site.rng.uniform(2.5, 9)
        x = np.interp(z, line[order, 2], line[order, 0]) + side * site.rng.uniform(0.75, 1.6)
        size = site.rng.uniform(0.15, 0.4)
        rock(site, (x, -1.0, z), (size, 0.7 * size, size), water_level=-1.0)
    spots = [(s * site.rng.uniform(2.2, 4), -0.6, site.rng.uniform(4, 12)) for s in (-1, 1, -1, 1)]
    _bushes(site, spots, 1.3)
    _hills(site, 70, 9, -1)
    return site.rng.uniform(6, 9), site.rng.uniform(0.8, 1.0)


def lake_shore(site: Site) -> tuple[float, float]:
    """Water on one side, a bank with bushes on the other, hills beyond."""
    sky(site, "sky")
    side = site.rng.choice([-1, 1])
    slope = site.rng.uniform(0.1, 0.3)

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        inland = side * x - slope * z + 0.5 + 0.25 * np.sin(0.9 * z)
        return -1.0 + 0.28 * np.clip(inland, -2, 5) - 0.05

    terrain(site, height, "ground", patch=site.rng.uniform(1.5, 2.5), rough=0.04)
    heading = site.rng.choice([-60.0, -120.0, 75.0, 200.0, -20.0])
    water_plane(site, -1.0, "water", heading_deg=heading, speed=site.rng.uniform(0.015, 0.03))
    spots = [(side * (slope * z + site.rng.uniform(0.3, 2)), -0.75, z) for z in (3.0, 5, 7, 11, 15)]
    _bushes(site, spots, 1.1)
    for _ in range(4):
        z = site.rng.uniform(2.4, 7)
        x = side * (slope * z - 0.5 + site.rng.uniform(-0.5, 0.3))
        size = site.rng.uniform(0.12, 0.3)
        rock(site, (x, -1.0, z), (size, 0.7 * size, size), water_level=-1.0)
    _hills(site, 60, 8, -1)
    return site.rng.uniform(5, 8), site.rng.uniform(0.8, 1.0)


def spout_in_wall(site: Site) -> tuple[float, float]:
    """Water shoots from a wall into a basin."""
    sky(site, "sky")
    top = site.rng.uniform(0.5, 1.0)
    x = site.rng.uniform(-0.8, 0.8)
    box(site, (-9, -1.3, 6.6), (9, top + 0.35, 7.6), "wall", patch=2.2)
    box(site, (x - 0.35, top - 0.5, 6.2), (x + 0.35, top - 0.1, 6.8), "rock", patch=0.8)
    fall(
        site,
        [(6.9, top), (6.15, top), (5.9, top - 0.5), (5.75, -1.1)],
        "white water",
        x=x,
        half_width=site.rng.uniform(0.22, 0.4),
        speed=0.02,
        gravity=0.003,
    )
    water_plane(site, -1.0, "water", heading_deg=site.rng.uniform(-110, -70), speed=0.03, far=8)
    for side in (-1, 1):
        box(site, (side * 3.2 - 0.25, -1.4, 3.2), (side * 3.2 + 0.25, -0.7, 6.7), "wall", patch=1)
    box(site, (-3.4, -1.5, 2.5), (3.4, -0.85, 2.75), "wall", patch=1.0)
    _bushes(site, [(-2.6, -0.8, 5.6), (2.8, -0.8, 6.2), (4.4, -1, 6.1)], 1.0)
    _bushes(site, [(x_, top + 0.3, 7.1) for x_ in (-3.5, -1.8, 2.2, 4)], 1.2)
    _hills(site, 60, 14, -1)
    return site.rng.uniform(3, 6), site.rng.uniform(0.8, 1.0)


def island(site: Site) -> tuple[float, float]:
    """A wooded island in the middle of the water."""
    sky(site, "sky")
    distance, reach = site.rng.uniform(7, 10), site.rng.uniform(2, 3.2)
    middle = site.rng.uniform(-1.5, 1.5)

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        far = np.hypot((x - middle) / reach, (z - distance) / (0.7 * reach))
        return -1.0 + 0.7 * (1 - far**1.5).clip(-0.6, 1)

    terrain(site, height, "ground", far=distance + 6, patch=1.8, rough=0.06)
    heading = site.rng.choice([0.0, 180.0, -45.0, -135.0])
    water_plane(site, -1.0, "water", heading_deg=heading, speed=site.rng.uniform(0.018, 0.035))
    for _ in range(6):
        x = middle + site.rng.uniform(-0.55, 0.55) * reach
        z = distance + site.rng.uniform(-0.4, 0.4) * reach
        card(
            site,
            conifers(site.rng, (384, 256), count=2),
            "forest",
            foot=(x, -0.75, z),
            width=1.1,
            height=site.rng.uniform(1.2, 2.0),
        )
        _bushes(site, [(x + 0.5, -0.5, z - 0.3)], 0.6)
    for _ in range(5):
        angle = site.rng.uniform(np.pi, 2 * np.pi)
        size = site.rng.uniform(0.2, 0.45)
        place = (middle + reach * np.cos(angle), -1.0, distance + 0.7 * reach * np.sin(angle))
        rock(site, place, (size, 0.6 * size, size), water_level=-1.0)
    x = site.rng.choice([-1, 1]) * site.rng.uniform(0.9, 1.4)
    rock(site, (x, -1.05, 3.2), (0.5, 0.4, 0.4), water_level=-1.0)
    _hills(site, 65, 6, -1)
    return site.rng.uniform(5, 8), site.rng.uniform(0.8, 1.05)


def chimneys(site: Site) -> tuple[float, float]:
    """Smoke rises behind and between walls."""
    sky(site, "sky")
    terrain(site, lambda x, z: -1.0 + 0.01 * z + 0 * x, "ground", patch=2.0, rough=0.02)
    for left, z in ((-6.5, 9.0), (-1.0, 12.0), (3.2, 8.0)):
        tall = site.rng.uniform(0.8, 2.2)
        wide = site.rng.uniform(2.5, 4.0)
        box(site, (left, -1.1, z), (left + wide, tall, z + 3), "wall")
        x = left + wide * site.rng.uniform(0.2, 0.8)
        box(site, (x - 0.2, tall - 0.1, z + 0.6), (x + 0.2, tall + 0.5, z + 1), "wall", patch=0.7)
        smoke(
            site,
            "smoke",
            foot=(x, tall + 0.45, z + 0.8),
            height=site.rng.uniform(3, 5),
            width=(0.35, 2.2),
            drift=site.rng.uniform(-2, 2),
            speed=site.rng.uniform(0.03, 0.05),
        )
    smoke(
        site,
        "smoke",
        foot=(site.rng.uniform(-1.5, 1.5), -0.95, 4.5),
        height=3.2,
        width=(0.5, 1.9),
        drift=site.rng.uniform(-1, 1),
        speed=0.025,
        brightness=site.rng.uniform(0.5, 1),
    )
    box(site, (-2.3, -1.1, 2.9), (-2.1, 0.7, 3.1), "wood", patch=0.6)
    _bushes(site, [(1.9, -0.9, 3.4), (-3, -0.9, 6), (0.6, -0.9, 9)], 0.9)
    _hills(site, 60, 9, -1)
    return site.rng.uniform(0, 4), site.rng.uniform(0.8, 1.0)


def clouds_over_hills(site: Site) -> tuple[float, float]:
    """A ceiling of clouds passes over rolling ground."""
    sky(site, "sky")
    cloud_ceiling(
        site,
        "sky",
        height=site.rng.uniform(5, 8),
        heading_deg=site.rng.choice([-90.0, 90.0, -60.0, 120.0]),
        speed=site.rng.uniform(0.25, 0.4),
    )
    phase = site.rng.uniform(0, 6)

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -1.1 + 0.35 * np.sin(0.5 * x + phase) * np.sin(0.35 * z + phase) * (z / 8).clip(0, 2)

    terrain(site, height, "ground", patch=2.2, rough=0.05)
    spots = [(site.rng.uniform(-0.5, 0.5) * z, -1.1, z) for z in (3.0, 4.5, 6, 8, 11, 15)]
    _bushes(site, spots, 1.4)
    box(site, (-2.6, -1.3, 6), (-0.6, 0.2, 8), "wall")
    rock(site, (1.3, -1.0, 3.0), (0.4, 0.35, 0.4))
    _hills(site, 55, 8, -1.5)
    return site.rng.uniform(-6, -3), site.rng.uniform(0.8, 1.0)


def rapids_across(site: Site) -> tuple[float, float]:
    """A river runs across the view round boulders, with a bank in front and one behind."""
    sky(site, "sky")
    side = site.rng.choice([-1.0, 1.0])
    bends = [(-14, -0.85, 7.0), (-4, -0.95, 5.2), (4, -1.0, 4.6), (14, -1.1, 6.0)]
    knots = [(side * x, y, z) for x, y, z in bends]
    way = course(knots, smooth=4.0)
    along = np.linspace(0, 28, 300)
    line = way(along, np.zeros_like(along))
    order = np.argsort(line[:, 0])

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        off = np.abs(z - np.interp(x, line[order, 0], line[order, 2]))
        return -1.3 + 0.55 * np.clip(off - 1.6, 0, 1.2) + 0.06 * np.clip(off - 2.8, 0, 30)

    terrain(site, height, "ground", patch=1.7, rough=0.05)
    rocks = []
    for place in (9.0, 12.0, 15.0, 18.0):
        radius = site.rng.uniform(0.25, 0.5)
        rocks.append(Obstacle(place + site.rng.uniform(-1, 1), site.rng.uniform(-0.8, 0.8), radius))
    river(site, way, "water", half_width=2.3, length=29, speed=0.024, obstacles=rocks, detail=0.3)
    for stone in rocks:
        spot = way(np.array([stone.along]), np.array([stone.across]))[0]
        size = 1.12 * stone.radius
        rock(site, tuple(spot), (size, 0.8 * size, size), water_level=spot[1])
    _bushes(site, [(site.rng.uniform(-4, 4), -0.7, z) for z in (8.0, 8.5, 9, 10, 12)], 1.5)
    grass = blades(site.rng, (256, 384), count=160)
    card(site, grass, "leaves", foot=(-side * 1.0, -1.0, 2.5), width=1.2, height=0.5)
    _hills(site, 50, 8, -1)
    return site.rng.uniform(8, 11), site.rng.uniform(0.8, 1.0)


def stair_of_water(site: Site) -> tuple[float, float]:
    """Water runs down a built stair between two walls into a pool."""
    sky(site, "sky")
    steps = site.rng.integers(3, 6)
    rise, tread = 1.9 / steps, 0.75
    profile, z, y = [], 4.2 + tread * steps, 0.9
    role = "rock" if site.rng.random() < 0.5 else "wall"
    for _ in range(steps):
        profile += [(z, y), (z - tread + 0.08, y)]
        box(site, (-1.6, -1.4, z - tread + 0.12), (1.6, y - 0.06, z + 0.3), role, patch=1.3)
        z, y = z - tread, y - rise
    profile += [(z - 0.1, -1.1)]
    width = site.rng.uniform(0.9, 1.4)
    fall(site, profile, "white water", x=0.0, half_width=width, speed=0.025, gravity=0.003)
    for side in (-1, 1):
        box(site, (side * 2.0 - 0.45, -1.4, 3.4), (side * 2.0 + 0.45, 0.5, 9), "wall", patch=1.4)
        _bushes(site, [(side * 3.0, -0.5, 4.5), (side * 2.2, 0.4, 5.0), (side * 2.8, 0.4, 7)], 1.2)
    cliff(site, lambda x, y: 9.5 + 0 * x, "rock", span=(-12, 12), heights=(-2, 1.8), patch=2.5)
    water_plane(site, -1.0, "water", heading_deg=-90, speed=0.02, far=9)
    rock(site, (site.rng.choice([-1, 1]) * 1.1, -1.05, 2.9), (0.4, 0.3, 0.35), water_level=-1.0)
    return site.rng.uniform(4, 7), site.rng.uniform(0.8, 1.0)


TRAIN_LAYOUTS = (
    canyon_stream,
    lake_shore,
    spout_in_wall,
    island,
    chimneys,
    clouds_over_hills,
    rapids_across,
    stair_of_water,
)
