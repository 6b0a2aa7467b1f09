"""Blender cameras for the core, and the photo's camera for Blender."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Matrix, Vector

from . import coordinates


def frame_size(render: bpy.types.RenderSettings) -> tuple[int, int]:
    """Width and height of a whole frame in pixels, resolution percentage applied."""
    share = render.resolution_percentage / 100
    return int(render.resolution_x * share), int(render.resolution_y * share)


def loop_frame(scene: bpy.types.Scene, root: bpy.types.Object) -> float:
    """The frame of a photo's loop that a scene shows; between two where time is stretched.

    Args:
        scene: whose timeline counts.
        root: of the photo, evaluated where its properties may be animated.
    """
    if root.cine3d.use_time:
        return round(root.cine3d.time, 4)
    return round(scene.frame_current_final - root.cine3d.first_frame, 4)


def region_times(root: bpy.types.Object) -> list[list[float]]:
    """Number in the scene file and frame of the loop of each region that does not show the photo's.

    Args:
        root: of the photo, evaluated where its properties may be animated.
    """
    return [
        [region.number, round(region.time, 4)]
        for region in root.cine3d_direct.regions
        if region.use_time and region.number
    ]


def camera_record(
    camera: bpy.types.Object,  # evaluated
    depsgraph: bpy.types.Depsgraph,
    root_matrix: Matrix,
    *,
    matrix_world: Matrix | None = None,
    shift_x: float | None = None,
) -> tuple[dict[str, Any], float]:
    """What the worker needs of a Blender camera, and the scale of depths.

    Args:
        camera: an evaluated camera object.
        depsgraph: where it was evaluated; its scene says the resolution and pixel aspect.
        root_matrix: `matrix_world` of the photo's root object.
        matrix_world: another pose (one eye of a stereo pair).
        shift_x: another horizontal shift (one eye of a stereo pair).

    Raises:
        ValueError: the camera is not a perspective one or focused behind itself, or the root is
            scaled unevenly.
    """
    if camera.data.type != "PERSP":
        raise ValueError(
            f"camera {camera.name!r} is {camera.data.type.lower()}; set its type to Perspective"
        )
    render = depsgraph.scene.render
    width, height = frame_size(render)
    projection = camera.calc_matrix_camera(
        depsgraph,
        x=width,
        y=height,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    matrix = coordinates.intrinsics(np.array(projection), width, height)
    if shift_x is not None:
        matrix[0, 2] -= (shift_x - camera.data.shift_x) * _shift_unit_px(camera, render)
    pose, scale = coordinates.world_to_camera(
        np.array(camera.matrix_world if matrix_world is None else matrix_world),
        np.array(root_matrix),
    )
    record = {
        "K": matrix.tolist(),
        "world_to_camera": pose.tolist(),
        "width": width,
        "height": height,
    }
    return record | lens_record(camera, depsgraph.scene, matrix[0, 0], scale), scale


def lens_record(
    camera: bpy.types.Object,  # evaluated
    scene: bpy.types.Scene,
    focal_px: float,
    scale: float,
) -> dict[str, Any]:
    """The camera's depth of field as the worker takes it; nothing where it is switched off.

    Args:
        camera: an evaluated camera object.
        scene: says how large a unit is; a lens is measured in millimetres.
        focal_px: of the picture.
        scale: Blender's units in one of the core's.
    """
    data = camera.data
    if not data.dof.use_dof:
        return {}
    distance = data.dof.focus_distance
    if data.dof.focus_object is not None:
        place = camera.matrix_world.inverted() @ data.dof.focus_object.matrix_world.translation
        distance = -place.z
    if distance <= 0:
        raise ValueError(
            f"camera {camera.name!r} is focused on what is behind it; choose another focus object, "
            "or set the focus distance above 0"
        )
    units = scene.unit_settings
    metres = units.scale_length if units.system != "NONE" else 1.0
    aperture = data.lens / 1000 / metres / data.dof.aperture_fstop  # its diameter, Blender's units
    return {"lens": {"focus": distance / scale, "blur_px": aperture * focal_px / distance}}


def camera_frame(context: bpy.types.Context, camera: bpy.types.Object) -> list[Vector] | None:
    """The corners of a camera's picture in pixels of the region, from the lower left around."""
    corners = camera.data.view_frame(scene=context.scene)  # upper right, lower right, ll, ul
    # not the object's own scale, which means nothing to a camera
    location, rotation, _ = camera.matrix_world.decompose()
    world = [location + rotation @ corner for corner in corners]
    places = [location_3d_to_region_2d(context.region, context.region_data, p) for p in world]
    if any(place is None for place in places):
        return None
    upper_right, lower_right, lower_left, upper_left = places
    return [lower_left, lower_right, upper_right, upper_left]


def _shift_unit_px(camera: bpy.types.Object, render: bpy.types.RenderSettings) -> float:
    """Pixels that a horizontal shift of 1 moves the picture: the side that the sensor lies on."""
    width, height = frame_size(render)
    aspect = render.pixel_aspect_y / render.pixel_aspect_x
    fit = camera.data.sensor_fit
    if fit == "AUTO":
        return max(width, height * aspect)
    return width if fit == "HORIZONTAL" else height * aspect


def apply_core_camera(camera: bpy.types.Object, record: dict[str, Any]) -> None:
    """Set lens, shift, sensor and pose of a Blender camera from a camera of the core."""
    width, height = record["width"], record["height"]
    data = camera.data
    data.type = "PERSP"
    data.sensor_fit = "AUTO"
    lens, shift_x, shift_y = coordinates.lens_of_intrinsics(
        np.array(record["K"]), width, height, data.sensor_width
    )
    data.lens, data.shift_x, data.shift_y = lens, shift_x, shift_y
    pose = coordinates.camera_matrix_world(np.array(record["world_to_camera"]))
    camera.matrix_basis = Matrix(pose.tolist())  # relative to the photo's root, its parent
