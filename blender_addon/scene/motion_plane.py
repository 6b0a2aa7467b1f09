"""Places on a photo, and the plane in the root's space where what directs it lies."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Vector

from . import coordinates

_MAX_PIECES = 8  # arrows that one curved stroke becomes
_STRAIGHT = 1.05  # a stroke at most this much longer than its chord is one arrow
_ARROW_DEPTH = 1.0  # the nearest surface of a photo lies at about this depth
# A stroke that is drawn while the 3D cursor is in the camera lies in the camera's own plane, as far
# aside as it would at depth 1 (4.2 to 5.2: Blender takes 1 for a depth of 0).
_IN_CAMERA = 1e-3


def _lens(root: bpy.types.Object) -> tuple[Sequence[float], Sequence[int]]:
    """Intrinsics and size of the photo in pixels.

    Raises:
        ValueError: the .blend has lost them.
    """
    lens, size = tuple(root.cine3d.intrinsics), tuple(root.cine3d.photo_size)
    if min(lens[:2]) <= 0 or min(size) < 1:
        raise ValueError(f"{root.name!r} has no photo size any more; import the photo again")
    return lens, size


def photo_position(root: bpy.types.Object, local: Vector) -> tuple[float, float]:
    """Where a point of the root's space lies on the photo, as shares of width and height."""
    x, y, z = np.linalg.inv(coordinates.CORE_TO_BLENDER)[:3, :3] @ np.array(local)
    (focal_x, focal_y, centre_x, centre_y), (width, height) = _lens(root)
    z = max(z, 1e-6)
    return (focal_x * x / z + centre_x) / width, (focal_y * y / z + centre_y) / height


def local_position(root: bpy.types.Object, x: float, y: float) -> Vector:
    """The point of the root's space at a place of the photo, at the depth where arrows lie."""
    (focal_x, focal_y, centre_x, centre_y), (width, height) = _lens(root)
    core = np.array([(x * width - centre_x) / focal_x, (y * height - centre_y) / focal_y, 1.0])
    return Vector(coordinates.points_to_blender(core * _ARROW_DEPTH))


def on_plane(local: Vector) -> Vector:
    """A point of the root's space that lies in the camera's own plane, moved onto the photo's."""
    if abs(local.y) > _IN_CAMERA:  # along which the photo's camera looks
        return local
    return Vector((local.x, _ARROW_DEPTH, local.z)) * _ARROW_DEPTH


def arrows_of_stroke(track: np.ndarray, speed: float) -> list[list[float]]:
    """One arrow of a straight stroke [n, 2], several along a curved one, each of its full length.

    Arrows that would reach beyond the photo are shortened at its border.
    """
    steps = np.linalg.norm(np.diff(track, axis=0), axis=1)
    length, chord = steps.sum(), np.linalg.norm(track[-1] - track[0])
    if length < 1e-6:
        return []
    pieces = 1 if length <= _STRAIGHT * chord else min(_MAX_PIECES, len(track) - 1)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / length
    knots = np.linspace(0, 1, pieces + 1)
    places = np.stack([np.interp(knots, along, track[:, axis]) for axis in (0, 1)], axis=1)
    arrows = []
    for tail, tip in zip(places[:-1], places[1:], strict=True):
        if np.all((tail > 0) & (tail < 1)):
            vector = (tip - tail) * pieces * speed
            arrows.append([*tail.tolist(), *(tail + vector * _room(tail, vector)).tolist()])
    return arrows


def _room(tail: np.ndarray, vector: np.ndarray) -> float:
    """Share of a vector, at most 1, that stays on the photo."""
    limits = np.where(vector > 0, 1 - tail, tail)
    with np.errstate(divide="ignore"):
        return float(min(1.0, np.min(limits / np.maximum(np.abs(vector), 1e-12))))


CLASSES = ()
