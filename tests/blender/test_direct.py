"""Regions and strokes that direct a photo: kept, undone, appended, and the same in a file."""

import json
import math

import bpy
import numpy as np
import pytest

from blender_addon.direct import direct_content
from blender_addon.scene import photo_scene
from cine3d_core.motion_kinds import KINDS
from tests.blender.synthetic_scene import show

pytestmark = pytest.mark.blender

SQUARE = [(0.25, 0.5), (0.5, 0.5), (0.5, 0.75), (0.25, 0.75)]


def directed(root):
    """A photo with a region of each kind, a frozen one, and every kind of stroke."""
    direct = root.cine3d_direct
    for mode in KINDS:
        region = direct.new_region(mode)
        region.mode, region.speed, region.cycles = mode, 0.5, 3
        region.set_outlines([SQUARE])
        region.set_arrows([(0.3, 0.6, 0.4, 0.6)])
    region.amplitude, region.wavelength = 0.5, 12.5
    tower = direct.new_region("tower")
    tower.rests, tower.place, tower.fluid = True, "FLUID", "sky"
    for label in ("FREEZE", "MOVES", "RESTS"):
        stroke = direct.strokes.add()
        stroke.label, stroke.width = label, 0.05
        stroke.set_points([(0.1, 0.2), (0.3, 0.4)])
    return direct


def test_everything_drawn_comes_back_from_its_content(scene):
    root, _, _ = show(scene)
    directed(root)
    before = direct_content.content(root)
    assert {"regions", "freeze", "strokes"} <= set(before)
    direct_content.take(root, direct_content.sent(root)["drawing"])
    assert direct_content.content(root) == before


def test_the_photo_itself_is_a_region_without_being_one_in_the_file(scene):
    root, _, _ = show(scene)
    size = [root.cine3d.photo_size[1], root.cine3d.photo_size[0]]
    hints = [{"start": [4.0, 5.0], "end": [9.0, 5.0]}]
    text = json.dumps({"content": {"hints": hints, "mask": []}, "size": size})
    assert direct_content.take(root, np.frombuffer(text.encode(), np.uint8)) == 1
    assert direct_content.content(root) == {"hints": hints, "mask": []}
    assert root.cine3d_direct.base().name == direct_content.BASE_NAME


def test_a_photo_that_nobody_directs_sends_nothing(scene):
    root, _, _ = show(scene)
    assert direct_content.sent(root) == {}
    root.cine3d_direct.new_region()  # with nothing in it
    assert direct_content.sent(root) == {}


def test_a_direction_is_that_of_the_first_arrow_and_turns_all(scene):
    root, _, _ = show(scene, width=160, height=80)
    region = root.cine3d_direct.new_region()
    region.set_arrows([(0.5, 0.5, 0.6, 0.5), (0.2, 0.5, 0.2, 0.3)])
    assert region.direction == pytest.approx(0.0)
    region.direction = math.pi / 2
    assert region.direction == pytest.approx(math.pi / 2, abs=1e-5)
    first, second = region.arrow_list()
    np.testing.assert_allclose(first, (0.5, 0.5, 0.5, 0.3), atol=1e-5)
    np.testing.assert_allclose(second, (0.2, 0.5, 0.1, 0.5), atol=1e-5)
    region.set_arrows([])
    region.set_outlines([SQUARE])
    region.direction = math.pi
    ((tail_x, tail_y, tip_x, tip_y),) = region.arrow_list()
    assert (tail_x, tail_y) == (0.375, 0.625) and tip_x < tail_x and tip_y == pytest.approx(tail_y)


def test_buttons_add_move_and_remove_regions(scene):
    root, _, _ = show(scene)
    direct = root.cine3d_direct
    for mode in ("flow", "sway"):
        bpy.ops.cine3d.region_add(mode=mode)
    assert [region.mode for region in direct.regions] == ["flow", "sway"] and direct.active == 1
    assert tuple(direct.regions[0].colour) != tuple(direct.regions[1].colour)
    bpy.ops.cine3d.region_move(up=True)
    assert [region.mode for region in direct.regions] == ["sway", "flow"] and direct.active == 0
    bpy.ops.cine3d.region_remove()
    assert [region.mode for region in direct.regions] == ["flow"] and direct.active == 0
    bpy.ops.cine3d.region_remove()
    assert not bpy.ops.cine3d.region_remove.poll()


def test_undo_save_and_append_keep_what_was_drawn(scene, tmp_path):
    root, _, _ = show(scene)
    directed(root)
    before = direct_content.content(root)
    bpy.ops.ed.undo_push(message="Directed")
    root.cine3d_direct.clear()
    bpy.ops.ed.undo_push(message="Cleared")
    bpy.ops.ed.undo()
    root = photo_scene.roots(bpy.context.scene)[0]
    assert direct_content.content(root) == before
    path = tmp_path / "directed.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    name = root.name
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert direct_content.content(photo_scene.roots(bpy.context.scene)[0]) == before
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(path)) as (_, wanted):
        wanted.objects = [name]
    assert direct_content.content(bpy.data.objects[name]) == before


def test_a_linked_photo_is_directed_by_its_override(scene, tmp_path):
    root, _, _ = show(scene)
    directed(root)
    before = direct_content.content(root)
    path, name = tmp_path / "directed.blend", root.name
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = [name]
    linked = bpy.data.objects[name]
    assert direct_content.content(linked) == before
    own = linked.override_create()
    own.cine3d_direct.regions[0].speed = 2.0
    assert (
        own.cine3d_direct.regions[0].speed == 2.0 and linked.cine3d_direct.regions[0].speed == 0.5
    )
