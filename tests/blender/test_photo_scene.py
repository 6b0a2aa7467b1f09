"""A photo's objects: what is made, how it moves, and what a second import changes."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.compat import fcurves_of, get_modifier_input, set_modifier_input
from blender_addon.direct import masks, motion_drawing
from blender_addon.render import coverage
from blender_addon.scene import cameras, motion_plane, photo_points, photo_scene, point_nodes
from cine3d_core.moves import CAMERA_MOVES, Framing, move_phase, move_pose
from tests.blender.synthetic_scene import NUM_FRAMES, expected_points, show

pytestmark = pytest.mark.blender


def evaluated_positions(obj):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    mesh = obj.evaluated_get(depsgraph).data
    out = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", out)
    weight = np.ones(len(mesh.vertices), np.float32)
    if "weight" in mesh.attributes:
        mesh.attributes["weight"].data.foreach_get("value", weight)
    return out.reshape(-1, 3), weight


def sorted_rows(rows):
    return rows[np.lexsort(np.round(rows, 4).T)]


def test_a_photo_becomes_one_collection_with_camera_and_points(scene):
    root, value, arrays = show(scene)
    collection = root.users_collection[0]
    assert collection.name == root.name == "lake"
    names = {obj.name for obj in collection.objects}
    assert names == {"lake", "lake Static", "lake Moving 1", "lake Moving 3", "lake Camera"}
    assert scene.camera.name == "lake Camera"
    assert (scene.render.resolution_x, scene.render.resolution_y) == (160, 90)
    assert (scene.frame_start, scene.frame_end) == (1, NUM_FRAMES)
    assert scene.render.engine == "CINE3D"
    assert scene.view_settings.view_transform == "Standard"
    image = scene.camera.data.background_images[0].image
    assert image.packed_file is not None and tuple(image.size) == (160, 90)


def test_nothing_is_set_that_was_not_asked_for(scene):
    before = (scene.render.engine, scene.frame_end, scene.render.resolution_x)
    options = photo_scene.SceneOptions(*[False] * 5)
    show(scene, options=options)
    assert (scene.render.engine, scene.frame_end, scene.render.resolution_x) == before
    assert scene.camera is None


@pytest.mark.parametrize("size", [(160, 90), (90, 160)])
def test_the_matched_camera_is_the_photos_camera(scene, size):
    root, value, _ = show(scene, width=size[0], height=size[1])
    depsgraph = bpy.context.evaluated_depsgraph_get()
    camera = scene.camera.evaluated_get(depsgraph)
    record, _ = cameras.camera_record(camera, depsgraph, root.matrix_world)
    np.testing.assert_allclose(record["K"], value["camera"]["K"], atol=0.01)
    np.testing.assert_allclose(record["world_to_camera"], np.eye(4), atol=1e-6)


def test_points_are_a_function_of_the_frame_number(scene):
    root, value, arrays = show(scene)
    objects = photo_points.point_objects(root)
    for obj in objects:
        set_modifier_input(photo_points.points_modifier(obj), "As Points", False)
    for frame in (7, 2, 12, 1, 5, NUM_FRAMES + 2, -3):
        scene.frame_set(frame)
        for number, obj in enumerate(objects):
            got, got_weight = evaluated_positions(obj)
            want, weight = expected_points(value, arrays, number, frame)
            got_rows = np.column_stack([got, got_weight])
            want_rows = np.column_stack([want, weight])
            np.testing.assert_allclose(sorted_rows(got_rows), sorted_rows(want_rows), atol=2e-3)


def test_the_frame_after_the_loop_is_its_first(scene):
    root, _, _ = show(scene)
    for obj in photo_points.point_objects(root):
        set_modifier_input(photo_points.points_modifier(obj), "As Points", False)
        scene.frame_set(1)
        first, _ = evaluated_positions(obj)
        scene.frame_set(1 + NUM_FRAMES)
        np.testing.assert_array_equal(evaluated_positions(obj)[0], first)


def test_density_keeps_its_share_of_the_points_and_the_same_ones(scene):
    root, _, _ = show(scene, num_static=4000)
    obj = photo_points.point_objects(root)[0]
    modifier = photo_points.points_modifier(obj)
    set_modifier_input(modifier, "As Points", False)
    set_modifier_input(modifier, "Viewport Density", 0.25)
    set_modifier_input(modifier, "Render Density", 0.25)
    scene.frame_set(1)
    some, _ = evaluated_positions(obj)
    assert 0.2 < len(some) / 4000 < 0.3
    scene.frame_set(5)
    np.testing.assert_array_equal(evaluated_positions(obj)[0], some)


def test_importing_again_updates_points_and_keeps_the_artists_work(scene):
    root, _, _ = show(scene)
    scene.camera.location.x = 0.1
    scene.camera.keyframe_insert("location", frame=1)
    root.location = (1, 2, 3)
    looks = {"Point Size": 2.0, "Viewport Density": 0.5, "Render Density": 0.25}
    photo_points.set_look(root, looks)
    again, _, arrays = show(scene, num_static=100, seed=1)
    assert again == root and tuple(root.location) == (1, 2, 3)
    assert len(photo_scene.roots(scene)) == 1
    objects = photo_points.point_objects(root)
    assert len(objects) == 3 and len(objects[0].data.vertices) == 100
    modifier = photo_points.points_modifier(objects[0])
    assert {name: get_modifier_input(modifier, name) for name in looks} == looks
    assert scene.camera.location.x == pytest.approx(0.1)
    assert not [mesh for mesh in bpy.data.meshes if mesh.users == 0]


def test_the_background_shows_the_new_picture_after_importing_again(scene):
    root, _, arrays = show(scene, seed=4)
    image = root.cine3d.picture
    before = np.array(image.pixels[:])
    show(scene, seed=5)
    assert root.cine3d.picture == image
    assert np.abs(np.array(image.pixels[:]) - before).max() > 0.1
    show(scene, seed=6, width=80, height=50)
    assert tuple(image.size) == (80, 50)


def test_another_photo_becomes_another_collection(scene):
    first, value, arrays = show(scene)
    value["photo_sha256"] = "d" * 64
    options = photo_scene.SceneOptions()
    path = Path("/photos/sea.jpg")
    second = photo_scene.show_photo(scene, path, path, value, arrays, options)
    assert second != first and len(photo_scene.roots(scene)) == 2


def test_set_timeline_starts_the_loop_at_the_first_frame(scene):
    root, _, _ = show(scene)
    scene.frame_start = 101
    bpy.ops.cine3d.set_timeline()
    assert scene.frame_end == 100 + NUM_FRAMES and root.cine3d.first_frame == 101
    modifier = photo_points.points_modifier(photo_points.point_objects(root)[1])
    assert get_modifier_input(modifier, "First Frame") == 101


@pytest.mark.parametrize("move", [name for name in CAMERA_MOVES if name != "still"])
def test_a_camera_move_is_a_handful_of_ordinary_keys(scene, move):
    show(scene)
    bpy.ops.cine3d.camera_move(move=move)
    curves = [*fcurves_of(scene.camera), *fcurves_of(scene.camera.data)]
    keys = {point.co.x for curve in curves for point in curve.keyframe_points}
    assert 2 <= len(keys) <= 33 and min(keys) == 1
    if move_phase(move, NUM_FRAMES, NUM_FRAMES) == 0:
        scene.frame_set(1)
        first = scene.camera.matrix_world.copy()
        scene.frame_set(1 + NUM_FRAMES)
        np.testing.assert_allclose(scene.camera.matrix_world, first, atol=1e-5)


@pytest.mark.parametrize("move", [name for name in CAMERA_MOVES if name != "still"])
def test_a_camera_move_is_that_of_the_command_line(scene, move):
    root, value, _ = show(scene)
    bpy.ops.cine3d.camera_move(move=move, strength=0.8)
    assert list(root.cine3d.framing) == pytest.approx([1.0, 0.1, 0.7])
    width, height = root.cine3d.photo_size
    focal = value["camera"]["K"][0][0]
    framing = Framing(width, height, focal, *root.cine3d.framing)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for frame in (1, 1 + NUM_FRAMES // 2, NUM_FRAMES):  # keys lie on the first two of these
        scene.frame_set(frame)
        camera = scene.camera.evaluated_get(depsgraph)
        record, _ = cameras.camera_record(camera, depsgraph, root.matrix_world)
        pose = move_pose(move, move_phase(move, frame - 1, NUM_FRAMES), framing, strength=0.8)
        found = np.array(record["world_to_camera"])[:3, 3]
        np.testing.assert_allclose(found, pose.translation, atol=2e-3)
        wanted = np.array(value["camera"]["K"])
        wanted[:2, :2] *= pose.zoom
        wanted[:2, 2] += np.multiply(pose.shift, (width, height))
        np.testing.assert_allclose(record["K"], wanted, atol=0.02 * width / 10)


@pytest.mark.parametrize("move", ["orbit", "slide", "published-circle"])
def test_a_damaged_file_with_a_loop_of_no_frames_takes_a_camera_move(scene, move):
    root, _, _ = show(scene)
    root.cine3d.num_frames = 0
    assert bpy.ops.cine3d.camera_move(move=move) == {"FINISHED"}


def test_the_published_zoom_goes_forward_as_far_as_published(scene):
    show(scene)
    bpy.ops.cine3d.camera_move(move="published-zoom-in")
    scene.frame_set(NUM_FRAMES)
    np.testing.assert_allclose(scene.camera.matrix_world.translation, (0, 0.24, 0), atol=1e-5)


def test_the_safe_volume_is_six_tips_around_the_camera(scene):
    root, _, _ = show(scene)
    tips = np.vstack([sign * np.eye(3)[axis] * 0.1 for axis in range(3) for sign in (-1, 1)])
    for _ in range(2):
        volume = coverage.show_safe_volume(root, tips)
    assert len(volume.data.vertices) == 6 and len(volume.data.edges) == 12
    assert volume.hide_render and volume.parent == root


def test_an_arrow_comes_back_where_it_was_put(scene):
    root, _, _ = show(scene)
    root.location, root.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    bpy.ops.cine3d.add_arrow(start=(0.25, 0.5), end=(0.5, 0.75))
    bpy.context.view_layer.update()
    arrows = motion_drawing.hints(bpy.context, root)
    np.testing.assert_allclose(arrows, [[0.25, 0.5, 0.5, 0.75]], atol=1e-5)
    bpy.context.object.cine3d_arrow.speed = 0.5
    root.cine3d.choices.speed = 0.5
    arrows = motion_drawing.hints(bpy.context, root)
    np.testing.assert_allclose(arrows, [[0.25, 0.5, 0.3125, 0.5625]], atol=1e-5)


def test_arrows_that_sway_or_choose_their_cycles_are_regions(scene):
    root, _, _ = show(scene)
    for mode, cycles, speed in (("flow", 0, 1.0), ("flow", 3, 0.5), ("sway", 2, 0.5)):
        bpy.ops.cine3d.add_arrow(start=(0.25, 0.5), end=(0.5, 0.5))
        settings = bpy.context.object.cine3d_arrow
        settings.mode, settings.cycles, settings.speed = mode, cycles, speed
    bpy.context.view_layer.update()
    assert len(motion_drawing.hints(bpy.context, root)) == 1
    flow, sway = motion_drawing.regions(bpy.context, root)
    assert (flow["mode"], flow["cycles"], "speed" in flow) == ("flow", 3, False)
    np.testing.assert_allclose(flow["hints"], [[0.25, 0.5, 0.375, 0.5]], atol=1e-5)
    assert (sway["mode"], sway["cycles"], sway["speed"]) == ("sway", 2, 0.5)
    np.testing.assert_allclose(sway["hints"], [[0.25, 0.5, 0.5, 0.5]], atol=1e-5)


def test_a_bent_stroke_becomes_arrows_along_it():
    angles = np.linspace(0, np.pi / 2, 20)
    track = 0.5 + 0.2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    arrows = np.array(motion_plane.arrows_of_stroke(track, 1.0))
    lengths = np.linalg.norm(arrows[:, 2:] - arrows[:, :2], axis=1)
    assert len(arrows) == 8
    np.testing.assert_allclose(lengths, 0.2 * np.pi / 2, rtol=0.02)
    assert arrows[0, 3] > arrows[0, 1] and arrows[-1, 2] < arrows[-1, 0]


def test_arrows_end_at_the_border_of_the_photo():
    (arrow,) = motion_plane.arrows_of_stroke(np.array([[0.5, 0.5], [0.9, 0.5]]), 3.0)
    np.testing.assert_allclose(arrow, [0.5, 0.5, 1.0, 0.5])


def test_a_new_mask_is_empty_until_something_is_painted_white(scene):
    root, _, _ = show(scene)
    bpy.ops.cine3d.new_mask()
    image = root.cine3d.choices.mask
    with pytest.raises(ValueError, match="empty"):
        masks.mask_array(image)
    pixels = np.array(image.pixels[:], np.float32).reshape(90, 160, 4)
    pixels[:30, :, :3] = 1.0
    image.pixels.foreach_set(pixels.ravel())
    mask = masks.mask_array(image)
    assert mask[:30].min() == 255 and mask[30:].max() == 0


def test_the_nodes_are_made_once(scene):
    show(scene)
    show(scene, seed=2)
    groups = [group for group in bpy.data.node_groups if group.name.startswith("Cine3D")]
    assert len(groups) == 2
    assert point_nodes.points_material() == bpy.data.materials[point_nodes.MATERIAL]
