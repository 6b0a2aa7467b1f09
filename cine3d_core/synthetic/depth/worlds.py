"""Random arrangements of synthetic depth scenes: tables, rooms, floating clutter, landscapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cine3d_core.synthetic.depth import meshes as shapes
from cine3d_core.synthetic.depth.meshes import Mesh
from cine3d_core.synthetic.depth.objects import any_thing, house, pick, plain_thing, tree
from cine3d_core.synthetic.depth.raster import SHADOW_SIDE, View, look_at

Generator = np.random.Generator

SUPERSAMPLING = 2  # rendered this many times larger, then averaged
FORMATS = ((288, 384), (288, 384), (384, 288), (320, 320), (256, 448))  # height, width


@dataclass(frozen=True)
class World:
    """What is rendered."""

    mesh: Mesh
    view: View
    lamp: View  # the lamp as a camera, for its shadows
    texture_metres: float  # size that a photo texture has on things, about
    outdoors: bool = False
    water: Mesh | None = None  # a mirror at z = 0


def aim(generator: Generator, position: NDArray[np.floating], target: NDArray[np.floating]) -> View:
    """Camera with a random picture format, angle of view and slight roll."""
    rows, columns = FORMATS[generator.integers(len(FORMATS))]
    half_angle = np.radians(generator.uniform(28, 75)) / 2
    focal_px = max(rows, columns) * SUPERSAMPLING / 2 / np.tan(half_angle)
    size = {"height": rows * SUPERSAMPLING, "width": columns * SUPERSAMPLING}
    return look_at(position, target, focal_px=focal_px, roll=generator.normal(0, 0.03), **size)


def lamp_at(position: NDArray[np.floating], target: NDArray[np.floating], *, spread: float) -> View:
    """Lamp whose shadows reach `spread` (tangent of half the angle) around the target."""
    focal_px = SHADOW_SIDE / 2 / spread
    return look_at(position, target, focal_px=focal_px, height=SHADOW_SIDE, width=SHADOW_SIDE)


def sun(generator: Generator, view: View, reach: float) -> View:
    """Far lamp 15 to 80 degrees high; shadows within `reach` metres before the camera."""
    heading, height = generator.uniform(0, 2 * np.pi), np.radians(generator.uniform(15, 80))
    across = np.cos(height)
    direction = np.array([np.cos(heading) * across, np.sin(heading) * across, np.sin(height)])
    centre = view.position + view.axes[2] * reach * 0.7
    return lamp_at(centre + direction * reach * 8, centre, spread=1 / 8)


def tabletop(generator: Generator) -> World:
    """Things on a table before a wall or a draped cloth, from close by."""
    extent = generator.uniform(0.5, 2.5)
    parts = [shapes.sheet(extent * 12, extent * 12, pick(generator), cells=60)]
    across, up = np.meshgrid(np.linspace(-9, 9, 90) * extent, np.linspace(-0.1, 9, 60) * extent)
    folds = shapes.heights(across, up * 0.2, wavelength=extent, octaves=2, generator=generator)
    lean = up * generator.uniform(0, 0.15)
    back = (
        extent * generator.uniform(0.6, 2.5)
        + folds * extent * generator.choice([0, 0.06, 0.15])
        + lean
    )
    parts.append(shapes.surface(np.stack([across, back, up], axis=2), pick(generator)))
    for _ in range(generator.integers(2, 24)):
        spot = generator.uniform((-0.9, -0.7, 0), (0.9, 0.6, 0)) * extent
        thing = any_thing(generator, extent * generator.uniform(0.12, 0.8))
        parts.append(
            shapes.place(thing, spot, turn=shapes.rotation(generator.uniform(0, 2 * np.pi)))
        )
    position = generator.uniform((-0.5, -2.2, 0.15), (0.5, -1.1, 1.3)) * extent
    target = generator.uniform((-0.25, -0.2, 0.05), (0.25, 0.3, 0.4)) * extent
    view = aim(generator, position, target)
    return World(shapes.join(parts), view, sun(generator, view, 2.5 * extent), extent)


def room(generator: Generator) -> World:
    """Furnished room, craftsman's room or store, at eye height or lower."""
    x, y, z = generator.uniform((3, 3, 2.3), (8, 9, 3.6))
    upright, quarter = shapes.rotation(0, np.pi / 2), shapes.rotation(np.pi / 2, np.pi / 2)
    wall, cells = pick(generator), 24
    parts = [
        shapes.sheet(x, y, pick(generator), cells=cells),
        shapes.place(shapes.sheet(x, y, pick(generator), cells=cells), (0, 0, z)),
        shapes.place(shapes.sheet(x, z, wall, cells=cells), (0, y / 2, z / 2), turn=upright),
        shapes.place(shapes.sheet(x, z, wall, cells=cells), (0, -y / 2, z / 2), turn=upright),
        shapes.place(shapes.sheet(y, z, wall, cells=cells), (x / 2, 0, z / 2), turn=quarter),
        shapes.place(shapes.sheet(y, z, wall, cells=cells), (-x / 2, 0, z / 2), turn=quarter),
    ]
    position = generator.uniform((-0.35 * x, -0.48 * y, 0.4), (0.35 * x, -0.2 * y, 1.8))
    for _ in range(generator.integers(6, 30)):
        spot = generator.uniform((-0.45 * x, -0.3 * y, 0), (0.45 * x, 0.47 * y, 0))
        size = generator.uniform(0.2, 1.8)
        if np.hypot(*(spot - position)[:2]) < 0.5 * size + 0.3:
            continue
        turn = shapes.rotation(generator.choice([0, np.pi / 2, generator.uniform(0, 6)]))
        parts.append(shapes.place(any_thing(generator, size), spot, turn=turn))
    for _ in range(generator.integers(0, 12)):  # boards, pictures and boxes on the far wall
        plate = shapes.box(generator.uniform((0.1, 0.02, 0.1), (1.2, 0.3, 1.0)), pick(generator))
        spot = (generator.uniform(-0.45, 0.45) * x, y / 2 - 0.02, generator.uniform(0.1, z - 0.5))
        parts.append(shapes.place(plate, spot))
    target = np.array([generator.uniform(-0.25, 0.25) * x, 0.4 * y, generator.uniform(0.1, 1.4)])
    view = aim(generator, position, target)
    # the lamp hangs in the room: outside it the ceiling would put everything in shadow
    bulb = np.array([generator.uniform(-0.3, 0.3) * x, generator.uniform(-0.3, 0.3) * y, z - 0.1])
    return World(shapes.join(parts), view, lamp_at(bulb, target, spread=1.8), 1.5)


def clutter(generator: Generator) -> World:
    """Shapes floating at every depth before a bent backdrop: edges and occlusion without layout."""
    across, up = np.meshgrid(np.linspace(-12, 12, 60), np.linspace(-9, 9, 50))
    distance = generator.uniform(3.5, 8)
    bend = shapes.heights(
        across, up, wavelength=8, octaves=3, generator=generator
    ) * generator.uniform(0, 0.5)
    slope = across * generator.normal(0, 0.15) + up * generator.uniform(0, 0.6)
    backdrop = np.maximum(distance + bend + slope, 1.5)
    parts = [shapes.surface(np.stack([across, backdrop, up], axis=2), pick(generator))]
    for _ in range(generator.integers(5, 35)):
        y = distance * generator.uniform(0.22, 0.95)
        spot = np.array([generator.uniform(-0.7, 0.7) * y, y, generator.uniform(-0.6, 0.5) * y])
        turn = shapes.rotation(*generator.uniform(0, 2 * np.pi, 3))
        size = y * generator.uniform(0.1, 0.6)
        parts.append(shapes.place(any_thing(generator, size), spot, turn=turn))
    view = aim(
        generator, np.zeros(3), np.array([generator.normal(0, 0.1), 1.0, generator.normal(0, 0.1)])
    )
    bulb = generator.uniform((-4, -3, -1), (4, 0, 5))
    lamp = lamp_at(bulb, np.array([0, distance, 0]), spread=1.2)
    return World(shapes.join(parts), view, lamp, 0.5 * distance)


def landscape(generator: Generator) -> World:
    """Ground with hills, trees, rocks and houses under the sky, often with water."""
    eye = 10 ** generator.uniform(-0.3, 1.2)
    radius, angle = np.meshgrid(
        np.geomspace(0.4 * eye, 1500 * eye, 190), np.linspace(-1.25, 1.25, 130), indexing="ij"
    )
    x, y = radius * np.sin(angle), radius * np.cos(angle)
    seeds = generator.spawn(3)
    far = 10 ** generator.uniform(1.3, 2.5) * eye
    hills = far * generator.choice([0.02, 0.1, 0.3]) * np.clip(radius / far - 0.3, 0, 3)
    relief = shapes.heights(x, y, wavelength=far * 1.2, octaves=6, generator=seeds[0])
    near = shapes.heights(x, y, wavelength=8 * eye, octaves=4, generator=seeds[1]) * 0.12 * eye
    watery = generator.random() < 0.5
    sunk = generator.uniform(-0.25, 0.1) * eye if watery else 0.0
    ground = (
        sunk + hills * (relief + generator.uniform(-0.2, 0.7)) + near * np.clip(radius / eye, 0, 4)
    )
    plane = np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float32)
    # seen from above: arc lengths of a fan would stretch the texture along the rays
    terrain = shapes.surface(np.stack([x, y, ground], axis=2), pick(generator))
    parts = [replace(terrain, uv=plane)]
    makers: tuple[Callable[[Generator, float], Mesh], ...] = (tree, tree, house, plain_thing)
    prototypes = [makers[generator.integers(4)](generator, eye) for _ in range(5)]
    band = generator.uniform(2, 8)
    for _ in range(int(10 ** generator.uniform(0.3, 2.0))):
        i = int(np.searchsorted(radius[:, 0], eye * band * 10 ** generator.uniform(0, 1.4))) % 190
        j = int(generator.integers(130))
        if watery and ground[i, j] < 0 and generator.random() < 0.9:
            continue
        spot = (x[i, j], y[i, j], max(ground[i, j], 0.0 if watery else ground[i, j]) - 0.02 * eye)
        turn, scale = shapes.rotation(generator.uniform(0, 6)), 10 ** generator.uniform(-0.4, 0.8)
        parts.append(shapes.place(prototypes[generator.integers(5)], spot, turn=turn, scale=scale))
    water = None
    if watery:
        level = shapes.surface(np.stack([x, y, np.zeros_like(x)], axis=2), pick(generator))
        water = replace(level, uv=plane)
    if generator.random() < 0.35:  # grass or twigs close to the camera
        for _ in range(generator.integers(10, 60)):
            spot = generator.uniform((-1.2, 0.8, -1.0), (1.2, 2.5, -0.6)) * eye + (0, 0, eye)
            blade = shapes.leaf(
                eye * generator.uniform(0.2, 0.7), eye * 0.03, 3, lift=1.4, droop=1.0
            )
            parts.append(shapes.place(blade, spot, turn=shapes.rotation(generator.uniform(0, 6))))
    pitch = generator.uniform(-0.35, 0.22)
    view = aim(generator, np.array([0, 0, eye]), np.array([0, 1.0, eye + pitch]))
    lamp = sun(generator, view, 12 * eye)
    return World(shapes.join(parts), view, lamp, 4 * eye, outdoors=True, water=water)


WORLDS: tuple[tuple[Callable[[Generator], World], float], ...] = (
    (tabletop, 0.35),
    (room, 0.25),
    (clutter, 0.12),
    (landscape, 0.28),
)
