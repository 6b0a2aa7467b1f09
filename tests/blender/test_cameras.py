"""Blender's cameras and ours agree to a twentieth of a pixel."""

import itertools

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Matrix, Vector

from blender_addon.scene import cameras, coordinates

pytestmark = pytest.mark.blender

SIZES = [(1280, 720, 100), (720, 1280, 100), (640, 640, 50), (1000, 700, 33)]
ASPECTS = [(1.0, 1.0), (2.0, 1.0), (1.0, 1.5)]
FITS = ["AUTO", "HORIZONTAL", "VERTICAL"]


def make_camera(scene, *, fit="AUTO", shift=(0.0, 0.0), lens=35.0):
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.lens, data.sensor_height = fit, lens, 30.0
    data.shift_x, data.shift_y = shift
    camera = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(camera)
    camera.location = (0.3, -1.0, 0.2)
    camera.rotation_euler = Euler((1.4, 0.1, -0.2))
    scene.camera = camera
    return camera


def project_with_record(record, point_blender, root):
    """Pixel of a Blender world point through the core's conventions."""
    local = np.linalg.inv(np.array(root)) @ np.array([*point_blender, 1.0])
    core_point = np.linalg.inv(coordinates.CORE_TO_BLENDER) @ local
    scale = root.to_scale()[0]
    in_camera = np.array(record["world_to_camera"]) @ core_point
    pixel = np.array(record["K"]) @ in_camera[:3]
    return pixel[:2] / pixel[2], in_camera[2] * scale


@pytest.mark.parametrize("size,aspect,fit", [*itertools.product(SIZES, ASPECTS, FITS)])
def test_a_point_lands_on_the_same_pixel(scene, size, aspect, fit):
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = size
    render.pixel_aspect_x, render.pixel_aspect_y = aspect
    camera = make_camera(scene, fit=fit, shift=(0.13, -0.07))
    root = Matrix.LocRotScale(Vector((0.2, 0.1, -0.3)), Euler((0.3, 0.2, 0.1)), Vector((2, 2, 2)))
    depsgraph = bpy.context.evaluated_depsgraph_get()
    record, _ = cameras.camera_record(camera.evaluated_get(depsgraph), depsgraph, root)
    width, height = cameras.frame_size(render)
    for point in (Vector((0.1, 4.0, 0.3)), Vector((-1.0, 6.0, -0.5)), Vector((1.0, 3.0, 1.0))):
        view = world_to_camera_view(scene, camera, point)
        pixel, depth = project_with_record(record, point, root)
        np.testing.assert_allclose(pixel, [view.x * width, (1 - view.y) * height], atol=0.05)
        assert depth == pytest.approx(view.z, rel=1e-4)


@pytest.mark.parametrize("width,height", [(1280, 720), (720, 1280), (500, 500)])
def test_a_photo_camera_survives_the_way_to_blender_and_back(scene, width, height):
    scene.render.resolution_x, scene.render.resolution_y = width, height
    camera = make_camera(scene)
    pose = np.array(Matrix.LocRotScale(Vector((0.1, 0.2, 0.3)), Euler((0.1, 0.2, 0.3)), None))
    matrix = [[1100.0, 0, width / 2 + 31], [0, 1100.0, height / 2 - 17], [0, 0, 1]]
    cameras.apply_core_camera(
        camera,
        {"K": matrix, "world_to_camera": pose, "width": width, "height": height},
    )
    depsgraph = bpy.context.evaluated_depsgraph_get()
    record, scale = cameras.camera_record(
        camera.evaluated_get(depsgraph), depsgraph, Matrix.Identity(4)
    )
    np.testing.assert_allclose(record["K"], matrix, atol=1e-2)
    np.testing.assert_allclose(record["world_to_camera"], pose, atol=1e-5)
    assert scale == pytest.approx(1.0)


def test_an_orthographic_camera_is_refused_in_words(scene):
    camera = make_camera(scene)
    camera.data.type = "ORTHO"
    depsgraph = bpy.context.evaluated_depsgraph_get()
    with pytest.raises(ValueError, match="Perspective"):
        cameras.camera_record(camera.evaluated_get(depsgraph), depsgraph, Matrix.Identity(4))


def test_an_unevenly_scaled_photo_is_refused_in_words():
    with pytest.raises(ValueError, match="unevenly"):
        coordinates.world_to_camera(np.eye(4), np.diag([1.0, 2.0, 1.0, 1.0]))
