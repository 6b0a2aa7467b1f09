"""Made-up streets and rooms of known lenses, drawn as painted boxes in perspective."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

HEIGHT, WIDTH = 480, 640


@dataclass(frozen=True)
class Place:
    """A picture and the lens that took it."""

    colour: np.ndarray  # [H, W, 3] float32
    fov_deg: float  # across the long side


def make_place(seed: int) -> Place:
    """A street (even seeds) or a room (odd seeds), seen from a corner, a little tilted."""
    generator = np.random.default_rng(seed)
    fov = generator.uniform(42, 78)
    focal = WIDTH / 2 / math.tan(math.radians(fov) / 2)
    yaw = math.radians(generator.uniform(22, 62)) * generator.choice([-1, 1])
    pitch = math.radians(generator.uniform(-9, 9))
    rotation = _turn(pitch, 0) @ _turn(yaw, 1)
    picture = np.full((HEIGHT, WIDTH, 3), generator.uniform(0.55, 0.9, 3), np.float32)
    boxes = _street(generator) if seed % 2 == 0 else _room(generator)
    for face in sorted(boxes, key=lambda f: -np.linalg.norm(f[0].mean(0) @ rotation.T)):
        _paint(picture, face, rotation, focal, generator)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    noise = generator.normal(scale=0.02, size=picture.shape)
    return Place((picture + noise).clip(0, 1).astype(np.float32), fov)


def _turn(angle: float, axis: int) -> np.ndarray:
    rotation = np.eye(3)
    a, b = [i for i in range(3) if i != axis]
    rotation[a, a] = rotation[b, b] = math.cos(angle)
    rotation[a, b], rotation[b, a] = -math.sin(angle), math.sin(angle)
    return rotation


def _street(generator: np.random.Generator) -> list:
    """Houses along both sides of two crossing streets; y down, the eye 1.7 above the ground."""
    faces = []
    for x, z in ((-9, 9), (9, 9), (-9, -9), (9, -9), (-27, 9), (27, 9), (9, 27), (-9, 27)):
        high, half = generator.uniform(6, 16), generator.uniform(4.5, 6.0)
        low, top = np.array([x - half, -high, z - half]), np.array([x + half, 1.7, z + half])
        faces += _box(low, top, (5, 4))
    return faces


def _room(generator: np.random.Generator) -> list:
    """A room around the eye with furniture along its walls."""
    size = generator.uniform(3, 5, 2)
    low, top = np.array([-size[0], -1.4, -size[1]]), np.array([size[0], 1.3, size[1]])
    faces = _box(low, top, (4, 3))
    for _ in range(6):
        half = generator.uniform(0.3, 0.8, 3)
        place = np.array([generator.uniform(-1, 1) * size[0], 1.3 - half[1],
                          generator.uniform(-1, 1) * size[1]])  # fmt: skip
        if np.linalg.norm(place[[0, 2]]) > 1.8:
            faces += _box(place - half, place + half, (2, 2))
    return faces


def _box(low: np.ndarray, top: np.ndarray, panes: tuple[int, int]) -> list:
    """Its four walls, each a quad and its number of windows."""
    (x0, y0, z0), (x1, y1, z1) = low, top
    rings = [((x0, z0), (x1, z0)), ((x1, z0), (x1, z1)), ((x1, z1), (x0, z1)), ((x0, z1), (x0, z0))]
    return [
        (np.array([(ax, y0, az), (bx, y0, bz), (bx, y1, bz), (ax, y1, az)]), panes)
        for (ax, az), (bx, bz) in rings
    ]


def _paint(picture, face, rotation, focal: float, generator) -> None:
    quad, (columns, rows) = face
    colour = generator.uniform(0.2, 0.9, 3)
    _fill(picture, quad, rotation, focal, colour)
    for row in range(rows):
        for column in range(columns):
            u = (np.array([0.2, 0.8]) + column) / columns
            v = (np.array([0.25, 0.75]) + row) / rows
            corners = [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])]
            pane = np.array([
                quad[0] + a * (quad[1] - quad[0]) + b * (quad[3] - quad[0]) for a, b in corners
            ])  # fmt: skip
            _fill(picture, pane, rotation, focal, colour * generator.uniform(0.3, 0.6))


def _fill(picture, corners, rotation, focal: float, colour) -> None:
    seen = _before(corners @ rotation.T, 0.05)
    if len(seen) < 3:
        return
    pixels = seen[:, :2] / seen[:, 2:] * focal + (WIDTH / 2, HEIGHT / 2)
    fixed = np.round((pixels.clip(-20000, 20000) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(picture, [fixed], colour.tolist(), cv2.LINE_AA, shift=4)


def _before(corners: np.ndarray, near: float) -> np.ndarray:
    """The part of a polygon that lies before the eye."""
    kept = []
    for one, other in zip(corners, np.roll(corners, -1, 0), strict=True):
        if one[2] >= near:
            kept.append(one)
        if (one[2] >= near) != (other[2] >= near):
            kept.append(one + (near - one[2]) / (other[2] - one[2]) * (other - one))
    return np.array(kept)
