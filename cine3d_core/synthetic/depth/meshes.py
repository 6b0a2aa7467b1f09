"""Meshes for synthetic depth scenes: every shape is a grid of points bent in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Mesh:
    """Triangles with smooth normals; metres, z up."""

    points: FloatArray  # [V, 3]
    normals: FloatArray  # [V, 3] unit
    uv: FloatArray  # [V, 2] metres along the surface
    faces: NDArray[np.int32]  # [F, 3]
    material: NDArray[np.int32]  # [F]


def surface(points: NDArray[np.floating], material: int) -> Mesh:
    """Mesh of a bent grid [m, n, 3]; texture coordinates are mean arc lengths in metres."""
    rows, columns = points.shape[:2]
    down = np.gradient(points, axis=0)
    across = np.gradient(points, axis=1)
    normals = np.cross(down, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    steps_v = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    steps_u = np.linalg.norm(np.diff(points, axis=1), axis=2).mean(axis=0)
    v = np.concatenate(([0.0], np.cumsum(steps_v)))
    u = np.concatenate(([0.0], np.cumsum(steps_u)))
    uv = np.stack(np.meshgrid(u, v), axis=2)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate(
        [np.stack(corner, axis=2).reshape(-1, 3) for corner in ((a, c, b), (b, c, d))]
    )
    return Mesh(
        points.reshape(-1, 3).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        uv.reshape(-1, 2).astype(np.float32),
        faces,
        np.full(len(faces), material, np.int32),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many."""
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate(
            [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts, strict=True)]
        ),
        np.concatenate([mesh.material for mesh in meshes]),
    )


def rotation(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Rotation about z by yaw after x by pitch after y by roll, radians."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def place(
    mesh: Mesh,
    offset: Sequence[float] | NDArray[np.floating] = (0.0, 0.0, 0.0),
    *,
    turn: NDArray[np.floating] | None = None,
    scale: float = 1.0,
) -> Mesh:
    """The mesh scaled, turned and moved."""
    turn = np.eye(3) if turn is None else turn
    points = (mesh.points * scale) @ turn.T + np.asarray(offset)
    normals = mesh.normals @ turn.T
    return Mesh(
        points.astype(np.float32),
        normals.astype(np.float32),
        mesh.uv * np.float32(scale),
        mesh.faces,
        mesh.material,
    )


def sheet(width: float, depth: float, material: int, *, cells: int = 2) -> Mesh:
    """Horizontal rectangle around the origin."""
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, cells + 1), np.linspace(-depth / 2, depth / 2, cells + 1)
    )
    return surface(np.stack([x, y, np.zeros_like(x)], axis=2), material)


def box(size: Sequence[float] | NDArray[np.floating], material: int) -> Mesh:
    """Box of size (x, y, z) standing on z = 0."""
    x, y, z = (float(side) for side in size)
    quarter = np.pi / 2
    sides = [
        place(sheet(x, y, material, cells=1), (0, 0, z)),
        place(sheet(x, y, material, cells=1)),
        place(sheet(x, z, material, cells=1), (0, y / 2, z / 2), turn=rotation(0, quarter)),
        place(sheet(x, z, material, cells=1), (0, -y / 2, z / 2), turn=rotation(0, quarter)),
        place(
            sheet(y, z, material, cells=1), (x / 2, 0, z / 2), turn=rotation(quarter, quarter)
        ),
        place(
            sheet(y, z, material, cells=1), (-x / 2, 0, z / 2), turn=rotation(quarter, quarter)
        ),
    ]
    return join(sides)


def lathe(
    profile: NDArray[np.floating], material: int
) -> Mesh:  # profile [n, 2]: radius, height
    """Surface of revolution about z."""
    segments = 20
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    radius, height = profile[:, :1], profile[:, 1:]
    points = np.stack(
        [
            radius * np.cos(angle),
            radius * np.sin(angle),
            np.broadcast_to(height, (len(profile), segments + 1)),
        ],
        axis=2,
    )
    return surface(points, material)


def cylinder(radius: float, height: float, material: int, *, top: float = 1.0) -> Mesh:
    """Capped cylinder on z = 0; `top` scales the upper radius (0: a cone)."""
    ends = [
        (1e-4, 0),
        (radius, 0),
        (radius, 0),
        (radius * top, height),
        (radius * top, height),
        (1e-4, height),
    ]
    pieces = [lathe(np.array(ends[i : i + 2]), material) for i in (0, 2, 4)]
    return join(pieces)


def blob(radius: float, material: int, *, bumps: float, generator: np.random.Generator) -> Mesh:
    """Sphere around the origin whose radius varies by about the share `bumps`."""
    polar, azimuth = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, 13), np.linspace(0, 2 * np.pi, 19), indexing="ij"
    )
    swell = np.ones_like(polar)
    for _ in range(5 if bumps > 0 else 0):
        waves_around, waves_down = generator.integers(1, 6), generator.uniform(1, 6)
        phase = generator.uniform(0, 2 * np.pi, 2)
        swell += (
            bumps
            / 2
            * np.sin(waves_around * azimuth + phase[0])
            * np.sin(waves_down * polar + phase[1])
        )
    direction = np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), -np.cos(polar)], axis=2
    )
    return surface(direction * (radius * swell)[:, :, None], material)


def tube(
    path: NDArray[np.floating], radius: float, material: int, *, segments: int = 7
) -> Mesh:  # path [n, 3]
    """Round rod along a path."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    # any helper axis not parallel to the path gives a frame; twist does not show on a round rod
    helper = np.eye(3)[np.argmin(np.abs(along).max(axis=0))]
    side = np.cross(along, helper)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = np.cross(along, side)
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    ring = (
        side[:, None] * np.cos(angle)[None, :, None] + other[:, None] * np.sin(angle)[None, :, None]
    )
    return surface(path[:, None] + radius * ring, material)


def rod(start: ArrayLike, end: ArrayLike, radius: float, material: int) -> Mesh:
    """Straight rod between two points."""
    return tube(np.linspace(np.asarray(start, float), np.asarray(end, float), 3), radius, material)


def ring(radius: float, thickness: float, material: int) -> Mesh:
    """Torus standing upright in the x-z plane around the origin."""
    angle = np.linspace(0, 2 * np.pi, 25)
    circle = np.stack(
        [radius * np.cos(angle), np.zeros_like(angle), radius * np.sin(angle)], axis=1
    )
    return tube(circle, thickness, material, segments=9)


def leaf(
    length: float, width: float, material: int, *, lift: float, droop: float
) -> Mesh:  # lift, droop in radians
    """Pointed strip from the origin along +x that starts at `lift` and bends by `droop`."""
    along = np.linspace(0, 1, 9)
    angle = lift - droop * along
    step = length / 8
    x = np.concatenate(([0.0], np.cumsum(np.cos(angle[:-1]) * step)))
    z = np.concatenate(([0.0], np.cumsum(np.sin(angle[:-1]) * step)))
    half = width / 2 * np.sqrt(np.maximum(np.sin(np.pi * (0.08 + 0.92 * along)), 0))
    across = np.array([-1.0, 0.0, 1.0])
    points = np.stack(
        [
            np.broadcast_to(x[:, None], (9, 3)),
            half[:, None] * across,
            z[:, None] + 0.35 * half[:, None] * np.abs(across),  # a channel along the middle
        ],
        axis=2,
    )
    return surface(points, material)


def heights(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    *,
    wavelength: float,
    octaves: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:  # same shape as x
    """Smooth random relief of about unit height; wavelengths in metres."""
    total = np.zeros(np.shape(x))
    for octave in range(octaves):
        for _ in range(3):
            heading, phase = generator.uniform(0, 2 * np.pi, 2)
            waves = 2 * np.pi / (wavelength * generator.uniform(0.7, 1.4) / 2**octave)
            total += np.sin(waves * (x * np.cos(heading) + y * np.sin(heading)) + phase) / 2**octave
    return total / 3
