"""Random objects of synthetic depth scenes: furniture, plants, machines, trees, houses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cine3d_core.synthetic.depth import meshes as shapes
from cine3d_core.synthetic.depth.meshes import Mesh

Generator = np.random.Generator

MATERIALS = 20  # looks drawn per scene


def pick(generator: Generator) -> int:
    """Material of the next thing."""
    return int(generator.integers(MATERIALS))


def plain_thing(generator: Generator, size: float) -> Mesh:
    """Box, cylinder, cone, sphere, lump or turned piece up to `size` metres, on z = 0."""
    material = pick(generator)
    wide, tall = size * generator.uniform(0.25, 1, 2)
    kind = generator.integers(6)
    if kind == 0:
        return shapes.box((wide, size * generator.uniform(0.2, 1), tall), material)
    if kind == 1:
        return shapes.cylinder(wide / 2, tall, material, top=generator.choice([1, 1, 0.7, 1.3]))
    if kind == 2:
        return shapes.cylinder(wide / 2, tall, material, top=0.02)
    if kind == 3:
        ball = shapes.blob(wide / 2, material, bumps=0.0, generator=generator)
        return shapes.place(ball, (0, 0, wide / 2))
    if kind == 4:
        lump = shapes.blob(wide / 2, material, bumps=0.35, generator=generator)
        return shapes.place(lump, (0, 0, wide * 0.4), turn=shapes.rotation(generator.uniform(0, 6)))
    height = np.linspace(0, tall, 14)
    radius = (
        wide
        / 2
        * (0.65 + 0.35 * np.sin(height / tall * generator.uniform(2, 9) + generator.uniform(0, 6)))
    )
    return shapes.lathe(np.stack([radius, height], axis=1), material)


def plant(generator: Generator, size: float) -> Mesh:
    """Pot with a rosette, a tuft or leafy stems."""
    pot_height, pot_radius = (
        size * generator.uniform(0.1, 0.35),
        size * generator.uniform(0.12, 0.25),
    )
    parts = [shapes.cylinder(pot_radius * 0.8, pot_height, pick(generator), top=1.25)]
    green = pick(generator)
    length, width = size * generator.uniform(0.3, 0.9), size * generator.uniform(0.02, 0.16)
    droop = generator.uniform(-0.8, 2.2)
    for _ in range(generator.integers(8, 45)):
        leaf = shapes.leaf(
            length * generator.uniform(0.5, 1),
            width * generator.uniform(0.6, 1.2),
            green if generator.random() < 0.8 else pick(generator),
            lift=generator.uniform(0.1, 1.5),
            droop=droop * generator.uniform(0.3, 1),
        )
        base = (0, 0, pot_height + generator.uniform(0, 0.4) * size * (generator.random() < 0.5))
        parts.append(
            shapes.place(leaf, base, turn=shapes.rotation(generator.uniform(0, 2 * np.pi)))
        )
    return shapes.join(parts)


def furniture(generator: Generator, size: float) -> Mesh:
    """Table, chair or shelf of boards and legs."""
    wood, width, depth = (
        pick(generator),
        size * generator.uniform(0.5, 1),
        size * generator.uniform(0.3, 0.8),
    )
    height, board, leg = (
        size * generator.uniform(0.4, 1),
        size * 0.03,
        size * generator.uniform(0.01, 0.03),
    )
    boards = [height] if generator.random() < 0.6 else list(np.linspace(height * 0.2, height, 4))
    parts = [shapes.place(shapes.box((width, depth, board), wood), (0, 0, z)) for z in boards]
    top = height * generator.choice([1.0, 1.8])
    for x, y in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        corner = (x * (width / 2 - leg), y * (depth / 2 - leg))
        parts.append(shapes.rod((*corner, 0), (*corner, top if y > 0 else height), leg, wood))
    for z in boards:
        for _ in range(generator.integers(0, 5)):
            spot = (
                generator.uniform(-0.4, 0.4) * width,
                generator.uniform(-0.4, 0.4) * depth,
                z + board,
            )
            parts.append(shapes.place(plain_thing(generator, size * 0.25), spot))
    return shapes.join(parts)


def vehicle(generator: Generator, size: float) -> Mesh:
    """Wheels, rods and lumps in a row: a cart, a bicycle, a machine."""
    radius, material = size * generator.uniform(0.15, 0.25), pick(generator)
    parts = []
    for x in (-0.35 * size, 0.35 * size):
        wheel = shapes.ring(radius, radius * generator.uniform(0.06, 0.22), material)
        parts.append(shapes.place(wheel, (x, 0, radius)))
        for angle in np.arange(0, np.pi, np.pi / generator.integers(3, 6)):
            spoke = radius * np.array([np.cos(angle), 0, np.sin(angle)])
            hub = np.array([x, 0, radius])
            parts.append(shapes.rod(hub - spoke, hub + spoke, radius * 0.03, material))
    for _ in range(generator.integers(5, 14)):
        ends = generator.uniform((-0.45, -0.12, 0.15), (0.45, 0.12, 0.6), (2, 3)) * size
        parts.append(
            shapes.rod(ends[0], ends[1], size * generator.uniform(0.008, 0.03), pick(generator))
        )
    for _ in range(generator.integers(2, 7)):
        spot = generator.uniform((-0.35, -0.08, 0.15), (0.35, 0.08, 0.5)) * size
        parts.append(
            shapes.place(plain_thing(generator, size * generator.uniform(0.1, 0.35)), spot)
        )
    return shapes.join(parts)


def any_thing(generator: Generator, size: float) -> Mesh:
    """One object about `size` metres large, standing on z = 0 at the origin."""
    kinds: tuple[Callable[[Generator, float], Mesh], ...] = (plain_thing, plant, furniture, vehicle)
    return kinds[generator.choice(4, p=(0.6, 0.16, 0.12, 0.12))](generator, size)


def tree(generator: Generator, size: float) -> Mesh:
    """Trunk under lumps or cones of leaves."""
    trunk = shapes.cylinder(size * 0.03, size * 0.5, pick(generator), top=0.6)
    leaves, parts = pick(generator), [trunk]
    if generator.random() < 0.4:
        for step in range(4):
            cone = shapes.cylinder(size * (0.22 - 0.045 * step), size * 0.35, leaves, top=0.02)
            parts.append(shapes.place(cone, (0, 0, size * (0.12 + 0.18 * step))))
        return shapes.join(parts)
    for _ in range(generator.integers(3, 8)):
        lump = shapes.blob(
            size * generator.uniform(0.12, 0.25), leaves, bumps=0.5, generator=generator
        )
        parts.append(
            shapes.place(lump, generator.uniform((-0.2, -0.2, 0.45), (0.2, 0.2, 0.85)) * size)
        )
    return shapes.join(parts)


def house(generator: Generator, size: float) -> Mesh:
    """Box with a saddle roof or a flat one."""
    x, y, z = size * generator.uniform((0.6, 0.6, 0.4), (1.4, 1.4, 1.6))
    parts = [shapes.box((x, y, z), pick(generator))]
    if generator.random() < 0.6:
        ridge = z + y * generator.uniform(0.2, 0.5)
        for side in (-1, 1):
            rim = np.array(
                [[-x / 2, side * y * 0.55, z * 0.97], [x / 2, side * y * 0.55, z * 0.97]]
            )
            top = np.array([[-x / 2, 0, ridge], [x / 2, 0, ridge]])
            parts.append(shapes.surface(np.stack([rim, top]), pick(generator)))
    return shapes.join(parts)
