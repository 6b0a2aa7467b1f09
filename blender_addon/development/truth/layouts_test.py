"""Layout families of the test scenes; none of them is used for training.

A layout fills the site and gives the camera's pitch in degrees (downwards) and its focal length in
widths of the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cutouts import blades, conifers, leaves, ridge
from .fluids import (
    Obstacle,
    cloud_ceiling,
    course,
    fall,
    fog_bank,
    river,
    smoke,
    water_plane,
)
from .site import Site
from .solids import box, card, cliff, rock, sky, terrain


def _range(site: Site, role: str, distance: float, height: float, *, base: float = -1.0) -> None:
    """Mountains or wooded hills along the horizon."""
    card(
        site,
        ridge(site.rng, (384, 1024), rough=0.55),
        role,
        foot=(site.rng.uniform(-8, 8), base, distance),
        width=2.6 * distance,
        height=height,
        repeat=3 if role == "peak" else 6,
        dark_foot=0.15,
    )


def _spruces(site: Site, distance: float, width: float, height: float, *, x: float = 0.0) -> None:
    card(
        site,
        conifers(site.rng, (320, 960), count=int(6 * width / height)),
        "forest",
        foot=(x, -1.25, distance),
        width=width,
        height=height,
        repeat=max(width / height / 2, 1.0),
        turn_deg=site.rng.uniform(-6, 6),
    )


def _tufts(site: Site, role: str, spots: list[tuple[float, float, float]], size: float) -> None:
    for spot in spots:
        wide = size * site.rng.uniform(1.0, 1.7)
        alpha = blades(site.rng, (256, 512), count=110, width_px=6)
        high = size * site.rng.uniform(0.5, 0.8)
        card(site, alpha, role, foot=spot, width=wide, height=high)


def _boulders(
    site: Site, spots: list[tuple[float, float]], size: tuple[float, float], level: float = -1.0
) -> None:
    for x, z in spots:
        wide = site.rng.uniform(*size)
        radius = (wide, 0.7 * wide, 0.9 * wide)
        rock(site, (x, level - 0.05, z), radius, water_level=level)


def pebble_beach(site: Site) -> tuple[float, float]:
    """Evening at a lake: a beach of pebbles, boulders in the shallow water, hills."""
    sky(site, "sunset")
    site.sun = np.array((-0.3, 0.5, 0.6))

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -0.62 - 0.16 * (z - 2.0 + 0.35 * np.sin(1.1 * x)).clip(-3, 6)

    terrain(site, height, "pebbles", far=12, patch=2.6, rough=0.02)
    _boulders(site, [(-1.7, 4.6), (-1.1, 5.6), (1.9, 4.9), (2.6, 6.8), (0.5, 7.6)], (0.25, 0.6))
    water_plane(site, -1.0, "golden water", heading_deg=-118, speed=0.022, mirror=0.6)
    for x, z in ((-0.9, 3.4), (1.1, 4.4)):
        box(site, (x - 0.06, -1.3, z), (x + 0.06, -0.25, z + 0.12), "wood", patch=0.5, stain=0.7)
    _range(site, "moss", 70, 9)
    _range(site, "moss", 45, 3.5)
    return 5.0, 0.9


def gorge_fall(site: Site) -> tuple[float, float]:
    """A waterfall in a rocky gorge, its pool, boulders."""
    sky(site, "alpine sky")
    site.sun = np.array((0.7, 0.6, -0.5))

    def wall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        gap = np.exp(-((x / 1.5) ** 2))
        return 9.0 + 1.0 * gap + 0.3 * (y - 1) - 1.9 * np.clip(np.abs(x) - 1.6, 0, 3) ** 0.8

    cliff(site, wall, "rock", span=(-9, 9), heights=(-1.6, 2.25), patch=3.2, slant=-0.15)
    profile = [(10.6, 2.15), (9.2, 2.12), (8.75, 1.6), (8.55, 0.4), (8.3, 0.15), (8.1, -1.1)]
    fall(site, profile, "stream", x=0.0, half_width=0.62, speed=0.02, gravity=0.0035, contrast=0.75)
    spots = [
        (-1.35, 7.5),
        (1.2, 7.2),
        (-2.2, 5.6),
        (2.5, 5.2),
        (-1.5, 3.6),
        (1.7, 3.1),
        (0.45, 5.4),
    ]
    _boulders(site, spots, (0.3, 0.62))
    water_plane(
        site, -1.0, "stream", heading_deg=-84, speed=0.025, far=10, mirror=0.2, contrast=0.5
    )
    for x, z in ((-4.2, 8.4), (-2.4, 9.6), (2.6, 9.8), (4.5, 8.2), (6, 8)):
        alpha = leaves(site.rng, (384, 384), count=1600)
        card(site, alpha, "leaves", foot=(x, 1.75, z), width=1.9, height=1.6)
    _spruces(site, 16, 22, 4.6)
    return 1.5, 0.92


def river_round_rocks(site: Site) -> tuple[float, float]:
    """A mountain river parts round boulders on its way to the eye."""
    sky(site, "alpine sky")
    knots = [(4.0, -0.85, 30.0), (1.5, -0.95, 18.0), (-0.8, -1.0, 10.0), (0.2, -1.02, 5.0)]
    way = course([*knots, (0.5, -1.05, 0.0)], smooth=3.0)
    along = np.linspace(-3, 34, 400)
    line = way(along, np.zeros_like(along))
    order = np.argsort(line[:, 2])

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        away = np.abs(x - np.interp(z, line[order, 2], line[order, 0])) + 0.15 * np.sin(1.7 * z)
        return -1.3 + 0.5 * (away - 1.3).clip(0, 1.1) + 0.09 * (away - 2.4).clip(0, 30) + 0.008 * z

    terrain(site, height, "grass", patch=2.4, rough=0.05)
    rocks = [
        Obstacle(24.3, -0.45, 0.34),
        Obstacle(26.4, 0.75, 0.42),
        Obstacle(20.2, 0.5, 0.5),
        Obstacle(16.0, -0.6, 0.45),
    ]
    options = {
        "half_width": 1.9,
        "length": 32.0,
        "speed": 0.026,
        "obstacles": rocks,
        "contrast": 0.5,
    }
    river(site, way, "stream", mirror=0.35, **options)
    for stone in rocks:
        x, y, z = way(np.array([stone.along]), np.array([stone.across]))[0]
        wide = 1.13 * stone.radius
        rock(site, (x, y, z), (wide, 0.75 * wide, wide), water_level=y)
    banks = [(-1.75, 4.2), (2.1, 5.0), (-2.9, 7.2), (1.9, 9.0)]
    _boulders(site, banks, (0.25, 0.5), level=-0.95)
    for x, z, tall in ((-7, 16, 3.6), (8.5, 17, 4.0), (-12, 24, 4.5), (16, 26, 5)):
        _spruces(site, z, 2.2 * tall, tall, x=x)
    _range(site, "peak", 75, 19)
    return 6.0, 0.9


def jetty_at_dusk(site: Site) -> tuple[float, float]:
    """A wooden jetty in still violet water, reeds, a wooded bank."""
    sky(site, "dusk")
    for number in range(9):
        z = 2.6 + 0.62 * number
        box(site, (0.35, -0.66, z), (1.75, -0.6, z + 0.58), "wood", patch=1.5, stain=0.55)
    for z in (3.0, 5.4, 7.9):
        for x in (0.3, 1.8):
            box(
                site, (x - 0.07, -1.4, z), (x + 0.07, -0.2, z + 0.14), "wood", patch=0.6, stain=0.55
            )
    reeds = [(-2.0, -1.02, 4.6), (-1.5, -1.02, 3.7), (-3.2, -1.02, 6.0), (-2.6, -1.02, 7.4)]
    _tufts(site, "straw", reeds, 1.0)
    _boulders(site, [(-1.1, 5.9), (3.6, 8.3), (3.0, 5.0)], (0.22, 0.5))
    water_plane(site, -1.0, "violet water", heading_deg=-72, speed=0.02, mirror=0.7, detail=0.15)
    _range(site, "moss", 60, 4.5)
    return 6.0, 0.88


def steam_vents(site: Site) -> tuple[float, float]:
    """Columns of steam rise from stony ground."""
    sky(site, "clear sky")

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (
            -1.05 + 0.012 * z + 0.25 * np.sin(0.45 * x + 1.0) * np.sin(0.3 * z) * (z / 9).clip(0, 1)
        )

    terrain(site, height, "soil", patch=3.2, rough=0.06)
    vents = ((-1.3, 5.2, 0.9, 0.024), (1.9, 7.5, 1.2, 0.032), (-4.4, 12.0, -1.6, 0.045))
    for x, z, drift, speed in vents:
        size = 0.4 + 0.05 * z
        for angle in (0.4, 2.0, 3.4, 5.0):
            place = (x + size * np.cos(angle), -1.05, z + 0.6 * size * np.sin(angle))
            rock(site, place, (0.5 * size, 0.35 * size, 0.4 * size))
        smoke(
            site,
            "smoke",
            foot=(x, -1.0, z),
            height=0.42 * z + 1.4,
            width=(0.5, 0.24 * z + 1.0),
            drift=drift,
            speed=speed,
            brightness=1.4,
        )
    _tufts(site, "straw", [(0.6, -1.0, 3.1), (-1.7, -1.0, 3.6), (2.6, -0.95, 4.8)], 0.6)
    _range(site, "peak", 70, 13)
    return 2.0, 0.9


def fog_in_forest(site: Site) -> tuple[float, float]:
    """Banks of fog drift between rows of spruces."""
    sky(site, "haze")
    site.haze_distance = 40.0

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -1.0 + 0.02 * z + 0.12 * np.sin(0.8 * x) * np.sin(0.5 * z)

    terrain(site, height, "moss", patch=2.6, rough=0.05)
    for z, tall in ((6.0, 2.4), (10.0, 4.0), (16.0, 6.0), (26.0, 9.0)):
        for side in (-1, 1):
            x = side * (0.42 * z + site.rng.uniform(0, 0.12 * z))
            _spruces(site, z + site.rng.uniform(-0.5, 0.5), 0.75 * z, tall, x=x)
    _spruces(site, 34, 60, 8.5)
    for z, speed in ((8.0, 0.03), (13.0, -0.045), (21.0, 0.06)):
        fog_bank(
            site, "smoke", z=z, span=(-1.3 * z, 1.3 * z), heights=(-1.3, 0.055 * z), speed=speed
        )
    _boulders(site, [(-0.9, 3.6), (1.3, 4.4)], (0.25, 0.4))
    ferns = [(0.5, -0.95, 3.0), (-1.8, -0.9, 4.6), (2.0, -0.9, 5.2)]
    _tufts(site, "leaves", ferns, 0.6)
    return 1.0, 0.95


def storm_over_plain(site: Site) -> tuple[float, float]:
    """Storm clouds pass over a field with a fence."""
    sky(site, "storm")
    cloud_ceiling(site, "storm", height=6.0, heading_deg=-80, speed=0.2, patch=0.8)

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -1.05 + 0.2 * np.sin(0.35 * x + 0.5) * (z / 12).clip(0, 1)

    terrain(site, height, "field", patch=2.8, rough=0.03)
    posts = [(-2.6 + 0.62 * i, 3.1 + 0.75 * i) for i in range(9)]
    for x, z in posts:
        box(site, (x - 0.06, -1.2, z), (x + 0.06, -0.1, z + 0.12), "wood", patch=0.5, stain=0.55)
    for (x0, z0), (x1, z1) in zip(posts[:-1], posts[1:], strict=True):
        for level in (-0.35, -0.7):
            _rail(site, (x0, level, z0), (x1, level, z1))
    tufts = [(0.9, -1.05, 2.9), (1.9, -1.05, 3.8), (-0.9, -1.05, 3.6), (2.9, -1, 6), (-3.4, -1, 5)]
    _tufts(site, "straw", tufts, 0.75)
    for x, z, tall in ((7.5, 20, 3.2), (-13, 26, 4)):
        _spruces(site, z, 2.4 * tall, tall, x=x)
    _range(site, "moss", 70, 5)
    return -4.0, 0.86


def _rail(site: Site, start: tuple[float, float, float], end: tuple[float, float, float]) -> None:
    length = float(np.hypot(end[0] - start[0], end[2] - start[2]))
    turn = float(np.degrees(np.arctan2(end[2] - start[2], end[0] - start[0])))
    middle = ((start[0] + end[0]) / 2, start[1], (start[2] + end[2]) / 2)
    solid = np.ones((16, 256))
    card(site, solid, "wood", foot=middle, width=length, height=0.09, turn_deg=turn, dark_foot=0.3)


def canal(site: Site) -> tuple[float, float]:
    """A canal between houses, with a footbridge."""
    sky(site, "grey sky")
    water_plane(
        site, -1.0, "blue water", heading_deg=-86, speed=0.024, far=40, mirror=0.5, contrast=0.6
    )
    for side in (-1.0, 1.0):
        box(site, *_ordered(side, 1.9, 12.0, -1.4, -0.62, 1.2, 40.0), "wood", patch=1.6, stain=0.55)
        z, number = 3.6, 0
        while z < 34:
            deep, tall = site.rng.uniform(2.4, 4.2), site.rng.uniform(1.5, 2.9)
            role = ("facade", "siding", "facade")[number % 3]
            setback = 2.7 + site.rng.uniform(0, 0.25)
            box(site, *_ordered(side, setback, 8.0, -0.7, tall, z, z + deep), role, patch=2.3)
            z, number = z + deep + site.rng.choice([0.0, 0.5]), number + 1
    box(site, (-2.2, -0.35, 12.0), (2.2, -0.1, 12.6), "wood", patch=1.0, stain=0.55)
    for x in (-1.7, 1.7):
        box(site, (x - 0.06, -1.3, 4.4), (x + 0.06, -0.15, 4.52), "wood", patch=0.5, stain=0.55)
    box(site, (-0.9, -1.05, 5.6), (-0.2, -0.82, 7.4), "wood", patch=0.8, stain=0.55)
    for x, z in ((-2.25, 5.2), (2.3, 6.4), (2.3, 3.3)):
        alpha = leaves(site.rng, (320, 320), count=1200)
        card(site, alpha, "leaves", foot=(x, -0.66, z), width=0.7, height=0.7)
    return 4.0, 0.9


def _ordered(side: float, near: float, far: float, low: float, high: float, z0: float, z1: float):
    xs = sorted((side * near, side * far))
    return (xs[0], low, z0), (xs[1], high, z1)


def forest_cascade(site: Site) -> tuple[float, float]:
    """A brook falls over ledges between mossy banks."""
    sky(site, "haze")
    profile = [(15.0, 1.05), (12.2, 1.0), (12.0, 0.55), (9.6, 0.45), (9.3, -0.05), (7.6, -0.15)]
    profile += [(7.3, -0.6), (5.9, -0.68), (5.65, -1.0), (1.0, -1.08)]
    points = np.array(profile)[::-1]

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        bed = np.interp(z, points[:, 0], points[:, 1])
        away = np.abs(x - 0.25 * np.sin(0.6 * z))
        return bed - 0.2 + 0.75 * (away - 0.75).clip(0, 0.9) + 0.22 * (away - 1.6).clip(0, 20)

    terrain(site, height, "moss", far=40, patch=2.0, rough=0.07)
    options = {"speed": 0.022, "gravity": 0.003, "friction": 0.05, "patch": 2.2, "contrast": 0.7}
    fall(site, profile, "stream", x=0.0, half_width=1.15, **options)
    for z, level in ((12.1, 0.8), (9.4, 0.3), (7.4, -0.3), (5.8, -0.75), (3.6, -1.0)):
        for side in (-1, 1):
            x = side * site.rng.uniform(0.85, 1.15)
            _boulders(site, [(x, z + site.rng.uniform(-0.3, 0.3))], (0.3, 0.5), level=level)
    _boulders(site, [(0.35, 6.6), (-0.45, 8.6)], (0.18, 0.25), level=-0.4)
    for z, tall in ((10.0, 5.0), (15.0, 7.0), (22.0, 9.0)):
        for side in (-1, 1):
            _spruces(site, z, 0.55 * z, tall, x=side * (0.5 * z + 0.6))
    _spruces(site, 30, 50, 10)
    ferns = [(-1.6, -0.5, 4.4), (1.7, -0.45, 5.0), (-1.9, 0.1, 7.0), (1.9, 0.1, 7.6)]
    _tufts(site, "leaves", ferns, 0.6)
    return 3.0, 0.95


def sea_stacks(site: Site) -> tuple[float, float]:
    """Rock towers in a summer sea that comes towards the beach."""
    sky(site, "clear sky")
    stacks = ((-3.4, 10.0, 1.0, 2.4), (3.6, 13.5, 1.3, 3.2), (0.6, 24.0, 2.0, 4.2), (7.5, 26, 2, 3))
    for x, z, wide, tall in stacks:
        rock(site, (x, -1.0 + 0.2 * tall, z), (wide, 0.75 * tall, wide), water_level=-1.0)
        alpha = blades(site.rng, (128, 256), count=120)
        card(site, alpha, "straw", foot=(x, -1.25 + 0.93 * tall, z), width=wide, height=0.3 * wide)
    _boulders(site, [(-1.5, 3.4), (-0.9, 4.4), (1.8, 4.0), (2.5, 5.6), (-2.6, 5.8)], (0.25, 0.55))
    water_plane(site, -1.0, "sea", heading_deg=-105, speed=0.03, mirror=0.5)
    _range(site, "moss", 80, 5)
    return 5.0, 0.9


def twin_falls(site: Site) -> tuple[float, float]:
    """Two waterfalls over a grey wall into a river that leaves towards the eye."""
    sky(site, "grey sky")
    site.sun = np.array((-0.6, 0.7, -0.5))
    cliff(
        site,
        lambda x, y: 13.0 + 0.35 * (y - 1) + 0.5 * np.sin(0.7 * x),
        "peak",
        span=(-16, 16),
        heights=(-1.6, 2.6),
        patch=5.0,
        rough=0.3,
    )
    for x, wide in ((-2.1, 0.55), (1.7, 0.9)):
        profile = [(14.2, 2.65), (12.2, 2.6), (11.7, 2.1), (11.5, 0.2), (11.3, -1.15)]
        options = {"speed": 0.03, "gravity": 0.004, "contrast": 0.75}
        fall(site, profile, "stream", x=x, half_width=wide, **options)
    knots = [(0.0, -1.0, 13.0), (0.9, -1.0, 9.0), (-0.5, -1.02, 5.0), (0.3, -1.05, 0.0)]
    way = course(knots, smooth=2.0)
    along = np.linspace(-2, 16, 200)
    line = way(along, np.zeros_like(along))
    order = np.argsort(line[:, 2])

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        away = np.abs(x - np.interp(z, line[order, 2], line[order, 0]))
        wide = 1.3 + 3.0 * np.clip((z - 8) / 4, 0, 1)
        return -1.35 + 0.55 * (away - wide).clip(0, 1.0) + 0.1 * (away - wide - 1).clip(0, 9)

    terrain(site, height, "moss", far=13.5, patch=2.2, rough=0.06)
    rocks = [Obstacle(6.4, 0.5, 0.4), Obstacle(9.4, -0.5, 0.33)]
    options = {"half_width": 5.2, "length": 15, "speed": 0.026, "obstacles": rocks, "contrast": 0.5}
    river(site, way, "blue water", mirror=0.35, **options)
    for stone in rocks:
        x, y, z = way(np.array([stone.along]), np.array([stone.across]))[0]
        wide = 1.13 * stone.radius
        rock(site, (x, y, z), (wide, 0.75 * wide, wide), water_level=y)
    _boulders(site, [(-1.9, 4.0), (1.9, 4.6), (-3.0, 9.6), (3.9, 10.2)], (0.3, 0.55))
    for x in (-9, -5, 4.5, 8.5):
        _spruces(site, 15.5, 5, 3.2, x=x)
    _range(site, "peak", 60, 14)
    return 3.0, 0.92


def valley_view(site: Site) -> tuple[float, float]:
    """From a meadow above: a river far below, clouds overhead."""
    sky(site, "grey sky")
    site.haze_distance = 110.0
    cloud_ceiling(site, "grey sky", height=4.0, heading_deg=-100, speed=0.16, patch=0.8)
    knots = [(14.0, -3.2, 60.0), (2.0, -3.2, 40.0), (8.0, -3.2, 27.0), (-4.0, -3.2, 18.0)]
    way = course([*knots, (-16.0, -3.2, 12.0)], smooth=6.0)
    along = np.linspace(-5, 95, 800)
    line = way(along, np.zeros_like(along))

    def height(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        near = -0.95 - 0.5 * (z - 3.2).clip(0, 5)
        shape = x.shape
        flat = np.stack([x.ravel(), z.ravel()], -1)
        away = np.min(
            np.stack([np.hypot(*(flat - spot).T) for spot in line[::12, (0, 2)]]), axis=0
        ).reshape(shape)
        slope = -3.6 + 0.28 * (away - 1.8).clip(0, 2.5) + 0.05 * (away - 4).clip(0, 60)
        return np.maximum(near, slope + 0.25 * np.sin(0.4 * x) * np.sin(0.31 * z))

    terrain(site, height, "grass", patch=3.4, rough=0.05)
    options: dict[str, Any] = {"half_width": 3.2, "length": 75.0, "speed": 0.085, "calm": 60.0}
    river(site, way, "blue water", mirror=0.4, **options)
    for x, z, tall in ((5.5, 15, 2.0), (-7, 26, 2.2), (13, 24, 2.4), (-13, 36, 3)):
        card(
            site,
            conifers(site.rng, (256, 640), count=9),
            "forest",
            foot=(x, -3.3, z),
            width=3 * tall,
            height=tall,
        )
    _boulders(site, [(-1.3, 3.0), (1.5, 3.5)], (0.25, 0.4), level=-0.95)
    _tufts(site, "flower", [(0.5, -1.0, 2.6), (-0.6, -1.05, 3.0), (2.1, -1.1, 3.6)], 0.5)
    _tufts(site, "straw", [(-2.0, -1.1, 3.7), (1.0, -1.05, 3.0)], 0.6)
    _range(site, "peak", 85, 17, base=-3)
    return 2.0, 0.86


TEST_LAYOUTS = (
    pebble_beach,
    gorge_fall,
    river_round_rocks,
    jetty_at_dusk,
    steam_vents,
    fog_in_forest,
    storm_over_plain,
    canal,
    forest_cascade,
    sea_stacks,
    twin_falls,
    valley_view,
)
