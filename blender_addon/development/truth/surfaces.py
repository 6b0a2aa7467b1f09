"""A surface of a synthetic scene: triangles, a photo texture, and how the texture travels.

A texture that scrolls steadily over fixed triangles is a steady flow: a triangle maps texture
coordinates to space by one affine map, so the velocity of what is seen on it is exact. A texture
that repeats after `scroll * num_frames` closes the loop exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["static", "sky", "water", "smoke"]
KINDS: tuple[Kind, ...] = ("static", "sky", "water", "smoke")  # index = label in classes.png


@dataclass(frozen=True)
class Surface:
    """Textured triangles; x right, y down, z forward, the source camera at the origin."""

    vertices: np.ndarray  # [V, 3]
    triangles: np.ndarray  # [F, 3] int
    uv: np.ndarray  # [V, 2] v counts texture rows from the top, both repeat after 1
    overlay: np.ndarray  # [V, 4] linear colour laid over the texture, and its share
    opacity: np.ndarray  # [V] in [0, 1], times the texture's alpha
    texture: np.ndarray  # [h, w, 4] sRGB and alpha in [0, 1]
    scroll: tuple[float, float]  # uv per frame by which the texture travels
    kind: Kind

    @property
    def moving(self) -> bool:
        """Whether the texture travels."""
        return self.scroll != (0.0, 0.0)


def triangle_velocity(surface: Surface) -> np.ndarray:
    """World units per frame of what is seen on each triangle, [F, 3].

    With edges E = J [du; dv] of the triangle, the velocity is J @ scroll.
    """
    if not surface.moving:
        return np.zeros((len(surface.triangles), 3))
    corners = surface.vertices[surface.triangles]
    coordinates = surface.uv[surface.triangles]
    edges = (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)  # [F, 3, 2]
    edges_uv = (coordinates[:, 1:] - coordinates[:, :1]).transpose(0, 2, 1)  # [F, 2, 2]
    weights = np.linalg.solve(edges_uv, np.asarray(surface.scroll)[None, :, None])
    return (edges @ weights)[..., 0]


def grid_surface(
    positions: np.ndarray,  # [R, C, 3] x right, height up, z forward
    uv: np.ndarray,  # [R, C, 2]
    texture: np.ndarray,  # [h, w, 3 or 4]
    *,
    kind: Kind = "static",
    scroll: tuple[float, float] = (0.0, 0.0),
    overlay: np.ndarray | None = None,  # [R, C, 4]
    opacity: np.ndarray | None = None,  # [R, C]
) -> Surface:
    """A surface from a grid of points, two triangles to a cell."""
    rows, columns = positions.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    corners = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    if overlay is None:
        overlay = np.zeros((rows, columns, 4))
    if opacity is None:
        opacity = np.ones((rows, columns))
    return Surface(
        vertices=positions.reshape(-1, 3) * (1.0, -1.0, 1.0),
        triangles=corners.reshape(-1, 3),
        uv=uv.reshape(-1, 2),
        overlay=overlay.reshape(-1, 4),
        opacity=opacity.reshape(-1),
        texture=with_alpha(texture),
        scroll=scroll,
        kind=kind,
    )


def with_alpha(texture: np.ndarray) -> np.ndarray:
    """The texture with a channel for alpha, opaque if it had none."""
    if texture.shape[2] == 4:
        return texture
    return np.concatenate([texture, np.ones((*texture.shape[:2], 1))], axis=2)


def laid_over(
    overlay: np.ndarray,  # [..., 4]
    colour: tuple[float, float, float] | np.ndarray,  # linear
    share: np.ndarray,  # [...] in [0, 1]
) -> np.ndarray:
    """The overlay with one more layer of colour on top."""
    below = overlay[..., 3] * (1 - share)
    total = below + share
    colours = overlay[..., :3] * below[..., None] + np.asarray(colour) * share[..., None]
    colours = colours / np.maximum(total, 1e-9)[..., None]
    return np.concatenate([colours, total[..., None]], axis=-1)


def lit(positions: np.ndarray, sun: np.ndarray, *, depth: float = 0.75) -> np.ndarray:
    """Darkness of a grid of points [R, C, 3] under a sun direction, [R, C] in [0, depth]."""
    normal = np.cross(np.gradient(positions, axis=0), np.gradient(positions, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    normal *= np.where(normal[..., 1:2] < 0, -1.0, 1.0)  # the ground is seen from above
    return depth * (1 - np.clip(0.35 + 0.75 * normal @ (sun / np.linalg.norm(sun)), 0, 1))
