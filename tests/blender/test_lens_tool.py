"""Lines drawn over a photo level it and set its field of view."""

import math

import bpy
import numpy as np
import pytest
from mathutils import Euler, Vector

from blender_addon.direct import lens_tool
from blender_addon.scene import coordinates
from tests.blender.synthetic_scene import show

pytestmark = pytest.mark.blender


@pytest.fixture
def root(scene):
    return show(scene, width=160, height=80)[0]


def down_in_world(root, down):
    local = Vector(coordinates.points_to_blender(np.array([down], np.float64))[0])
    return root.matrix_basis.to_3x3() @ local


@pytest.mark.parametrize("down", [(0.0, 1.0, 0.0), (0.0, 0.9, -0.3), (0.2, 0.9, 0.25)])
def test_a_photo_is_levelled_and_keeps_heading_place_and_size(root, down):
    root.location, root.scale = (1, 2, 3), (2, 2, 2)
    root.rotation_euler = Euler((0.1, -0.2, 0.7))
    bpy.context.view_layer.update()
    ahead = root.matrix_basis.to_3x3() @ Vector((0, 1, 0))
    lens_tool.level(root, np.array(down) / np.linalg.norm(down))
    bpy.context.view_layer.update()
    plumb = down_in_world(root, down).normalized()
    np.testing.assert_allclose(plumb, (0, 0, -1), atol=1e-5)
    after = root.matrix_basis.to_3x3() @ Vector((0, 1, 0))
    assert math.atan2(after.x, after.y) == pytest.approx(math.atan2(ahead.x, ahead.y), abs=1e-5)
    np.testing.assert_allclose(root.location, (1, 2, 3), atol=1e-6)
    np.testing.assert_allclose(root.scale, (2, 2, 2), atol=1e-5)


def test_a_horizon_below_the_middle_tilts_the_photo_up(root):
    lens_tool.add_line(root, "HORIZON", (0.0, 0.75, 1.0, 0.75))
    told = lens_tool.apply(root)
    expected = math.degrees(math.atan2(0.25 * 80, root.cine3d.intrinsics[1]))
    assert told == f"tilt {expected:.1f} degrees"
    ahead = root.matrix_basis.to_3x3() @ Vector((0, 1, 0))
    assert math.degrees(math.asin(ahead.z)) == pytest.approx(expected, abs=1e-3)
    assert root.cine3d.choices.fov == 0


def test_two_pairs_of_edges_set_the_field_of_view(root):
    # the two directions vanish 80 px to either side of the middle: the lens is 80 px long
    for line in ((0.2, 0.2, 1, 0.5), (0.2, 0.8, 1, 0.5), (0.8, 0.2, 0, 0.5)):
        lens_tool.add_line(root, "LEVEL", line)
        lens_tool.apply(root)
    assert root.cine3d.choices.fov == 0
    lens_tool.add_line(root, "LEVEL", (0.8, 0.8, 0, 0.5))
    assert "90.0 degrees" in lens_tool.apply(root)
    assert root.cine3d.choices.fov == pytest.approx(90, abs=1e-3)


def test_a_fifth_edge_begins_anew(root):
    for number in range(5):
        lens_tool.add_line(root, "LEVEL", (0.0, number / 10, 1.0, 0.5))
    assert lens_tool.drawn_lines(root) == [("LEVEL", (0.0, 0.4, 1.0, 0.5))]


def test_lines_are_kept_in_the_file_and_cleared_by_their_button(root, tmp_path):
    lens_tool.add_line(root, "UPRIGHT", (0.1, 0.1, 0.1, 0.9))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    root = next(obj for obj in bpy.context.scene.objects if obj.cine3d.is_root)
    assert lens_tool.drawn_lines(root) == [("UPRIGHT", (0.1, 0.1, 0.1, 0.9))]
    assert bpy.ops.cine3d.lens_clear() == {"FINISHED"}
    assert lens_tool.drawn_lines(root) == []
