"""Which photos a frame shows, also through linked collections, and several of them by depth."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from . import cameras, photo_scene


@dataclass(frozen=True)
class Photo:
    """A photo as a scene has it: its root, which may be linked, and where it stands."""

    root: bpy.types.Object  # original, not evaluated
    matrix: Matrix  # when it was found
    is_instance: bool  # of a collection: then the root itself stands elsewhere

    def matrix_now(self, depsgraph: bpy.types.Depsgraph) -> Matrix:
        """Where it stands at the frame that the depsgraph has by now."""
        if not self.is_instance:
            return self.root.evaluated_get(depsgraph).matrix_world
        found = [p.matrix for p in _visible(depsgraph) if p.is_instance and p.root == self.root]
        return min(found, key=lambda other: _distance(other, self.matrix), default=self.matrix)

    def frame_now(self, depsgraph: bpy.types.Depsgraph) -> float:
        """The frame of its loop that is shown at the frame that the depsgraph has by now."""
        return cameras.loop_frame(depsgraph.scene, self.root.evaluated_get(depsgraph))

    def times_now(self, depsgraph: bpy.types.Depsgraph) -> list[list[float]]:
        """The frames that single regions show, see `cameras.region_times`."""
        return cameras.region_times(self.root.evaluated_get(depsgraph))


def _distance(first: Matrix, second: Matrix) -> float:
    return (first.translation - second.translation).length


def _visible(depsgraph: bpy.types.Depsgraph) -> list[Photo]:
    """Photos that neither an object nor a collection above it hides."""
    return [
        Photo(instance.object.original, instance.matrix_world.copy(), instance.is_instance)
        for instance in depsgraph.object_instances
        if instance.object.cine3d.is_root
    ]


def chosen_photos(depsgraph: bpy.types.Depsgraph) -> list[Photo]:
    """The photos that a frame shows: that of the scene's camera, else all.

    Raises:
        ValueError: there is none.
    """
    found = _visible(depsgraph)
    if not found:
        raise ValueError("there is no photo in the scene; use File > Import first")
    if len(found) == 1:
        return found
    camera = depsgraph.scene.camera
    owner = photo_scene.root_of(camera.original if camera is not None else None)
    own = [photo for photo in found if photo.root == owner and not photo.is_instance]
    return own or found


def chosen_photo(depsgraph: bpy.types.Depsgraph) -> Photo:
    """The one photo that the 3D view shows.

    Raises:
        ValueError: there is none.
    """
    return chosen_photos(depsgraph)[0]


def by_depth(drawn: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Passes of several photos as one picture: in every pixel the near one over the far ones.

    Args:
        drawn: for each photo `combined` [H, W, 4] premultiplied, `depth` [H, W, 1] in Blender units
            and the other passes. A single photo's passes are given back as they are.
    """
    if len(drawn) == 1:
        return drawn[0]
    depths = np.stack([arrays["depth"][..., 0] for arrays in drawn])
    order = np.argsort(depths, axis=0, kind="stable")[..., None]  # [n, H, W, 1] near to far
    out = {}
    for name in drawn[0]:
        planes = np.take_along_axis(np.stack([arrays[name] for arrays in drawn]), order, axis=0)
        out[name] = planes[0]
        if name == "combined":
            for plane in planes[1:]:
                out[name] = out[name] + (1 - out[name][..., 3:]) * plane
    return out


CLASSES = ()
