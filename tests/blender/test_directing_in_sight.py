"""What an artist sees while directing: arrows, mask, preview and the view they are seen in."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from blender_addon.direct import masks, overlay
from blender_addon.scene import photo_pictures, photo_scene
from tests.blender.synthetic_scene import show, worker_answer

pytestmark = pytest.mark.blender


def test_arrows_are_drawn_over_every_shading():
    """Fault 19: by the add-on itself, from tail to tip, with a head at the tip."""
    track = [Vector((10.0, 20.0)), Vector((60.0, 20.0)), Vector((110.0, 20.0))]
    way, head = overlay.arrow_lines(track)
    assert way == track and head[1] == track[-1]
    assert all(point.x < track[-1].x for point in (head[0], head[2]))
    assert head[0].y != head[2].y


def test_a_click_without_a_way_has_no_head():
    here = Vector((5.0, 5.0))
    assert overlay.arrow_lines([here, here.copy()]) == [[here, here]]


def test_building_again_takes_the_old_preview_away(scene):
    """Fault 21: it showed the motion of the former build over the new points."""
    root, _, _ = show(scene)
    photo_pictures.show_overlay(root, root.cine3d.camera, worker_answer()[1]["photo"])
    assert photo_pictures.overlay_shown(root)
    show(scene, seed=1)
    assert not photo_pictures.overlay_shown(root)


def test_a_preview_is_seen_through_the_photos_camera_alone(scene):
    """Fault 22: it belongs to that camera, whichever the scene's is."""
    root, _, _ = show(scene)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    scene.camera = other
    photo_pictures.show_overlay(root, photo_scene.photo_camera(root), worker_answer()[1]["photo"])
    assert photo_pictures.overlay_shown(root)
    assert not other.data.background_images


def test_a_new_mask_is_ready_to_paint_in_white(scene):
    """Faults 23 and 24: the brush is white at first, and black takes the paint away."""
    root, _, _ = show(scene)
    assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
    mask = root.cine3d.choices.mask
    assert not np.array(mask.pixels[:]).reshape(-1, 4)[:, :3].any()
    tools = scene.tool_settings  # from 5.0 on each mode has settings of its own
    holder = tools if hasattr(tools, "unified_paint_settings") else tools.image_paint
    unified = holder.unified_paint_settings
    assert tuple(unified.color) == (1.0, 1.0, 1.0)
    assert tuple(unified.secondary_color) == (0.0, 0.0, 0.0)


def test_a_mask_is_shown_over_the_photo_it_belongs_to(scene):
    """Faults 20 and 23: by pointer, not by name, and no other picture is tinted."""
    lake, _, _ = show(scene)
    value, arrays = worker_answer(seed=3)
    value["photo_sha256"] = "d" * 64
    sea = photo_scene.show_photo(
        scene, Path("/photos/sea.jpg"), Path("/photos/sea.cine3d"), value, arrays,
        photo_scene.NOTHING_ELSE,
    )  # fmt: skip
    of_lake, of_sea = masks.new_mask(lake), masks.new_mask(sea)
    lake.cine3d.choices.mask, sea.cine3d.choices.mask = of_lake, of_sea
    of_lake.name, of_sea.name = "one", "another"
    assert overlay.photo_of_mask(scene, of_lake) == lake
    assert overlay.photo_of_mask(scene, of_sea) == sea
    assert overlay.photo_of_mask(scene, lake.cine3d.picture) is None
    assert tuple(of_lake.size) == tuple(lake.cine3d.picture.size)


def test_nothing_that_flows_makes_no_mask_and_says_so(scene):
    """What becomes of the worker's answer; what the network finds in a photo is its own matter."""
    root, _, _ = show(scene)
    assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
    before, images = root.cine3d.choices.mask, len(bpy.data.images)
    plan = masks.CINE3D_OT_propose_mask.plan(None, bpy.context)
    width, height = root.cine3d.photo_size
    nothing = {"moving": np.zeros((height, width), np.float32)}
    told = plan.deliver(bpy.context, {"description": "nothing that flows was found"}, nothing)
    assert told.kind == "WARNING" and "no mask was made" in told.text
    assert root.cine3d.choices.mask == before and len(bpy.data.images) == images
    plan.deliver(bpy.context, {"description": "found"}, {"moving": nothing["moving"] + 1})
    assert root.cine3d.choices.mask != before
