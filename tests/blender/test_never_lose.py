"""What an artist made stays: through save, Save As, append, link, undo, another photo, a rename."""

import shutil

import bpy
import numpy as np
import pytest

from blender_addon.direct import masks
from blender_addon.scene import photo_points, photo_scene, scene_files
from blender_addon.worker import jobs
from tests.blender.river_photo import import_river, write_river
from tests.blender.synthetic_scene import show, worker_answer

pytestmark = pytest.mark.blender


def only_root():
    (root,) = photo_scene.roots(bpy.context.scene)
    return root


def render(path):
    bpy.context.scene.render.filepath = str(path)
    bpy.context.scene.render.image_settings.file_format = "PNG"
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}


def paint(image, rows):
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)
    pixels[rows, :, :3] = 1.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()


def test_no_operator_of_a_job_can_be_repeated_by_blender(addon):
    """Fault 1: Blender frees operators that it repeats while they still listen for events."""
    operators = [
        cls
        for module in addon._MODULES
        for cls in module.CLASSES
        if issubclass(cls, bpy.types.Operator)
    ]
    workers = [cls for cls in operators if issubclass(cls, jobs.WorkerOperator)]
    assert len(workers) >= 9
    assert all(not cls.bl_options for cls in workers)
    modal = [cls.bl_idname for cls in operators if hasattr(cls, "modal")]
    assert sorted(modal) == ["cine3d.direct", "cine3d.lens_line", "cine3d.watch"]
    assert all("REGISTER" not in cls.bl_options for cls in operators if hasattr(cls, "modal"))
    watch = next(cls for cls in operators if cls.bl_idname == "cine3d.watch")
    assert watch.bl_options == {"INTERNAL"} and not hasattr(watch, "execute")


def test_save_as_into_another_folder_keeps_picture_and_scene_file(river, river_files, tmp_path):
    """Fault 8."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a" / ".." / "first.blend"))
    before = scene_files.scene_file(only_root())
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "v2.blend"))
    assert scene_files.scene_file(only_root()).samefile(before)
    assert only_root().cine3d.scene_file.startswith("//")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other" / "v2.blend"))
    assert scene_files.scene_file(only_root()).samefile(before)
    assert scene_files.photo_file(only_root()).samefile(river_files.photo)


def test_saving_a_copy_leaves_the_paths_of_this_session(river, tmp_path):
    before = only_root().cine3d.scene_file
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "copy.blend"), copy=True)
    assert only_root().cine3d.scene_file == before
    expected = scene_files.scene_file(only_root())
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "copy.blend"))
    assert scene_files.scene_file(only_root()).samefile(expected)


@pytest.mark.parametrize("link", [False, True])
def test_an_appended_or_linked_photo_is_rendered(river_blend, scene, tmp_path, link):
    """Faults 8 and 9."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    with bpy.data.libraries.load(str(river_blend), link=link) as (source, target):
        target.collections = source.collections
    collection = target.collections[0]
    if link:
        instance = bpy.data.objects.new("Photo", None)
        instance.instance_type, instance.instance_collection = "COLLECTION", collection
        instance.location = (0, 0, 1)
        scene.collection.objects.link(instance)
        camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        camera.rotation_euler, camera.location = (np.pi / 2, 0, 0), (0, 0, 1)
        scene.collection.objects.link(camera)
        scene.camera = camera
    else:
        scene.collection.children.link(collection)
        scene.camera = photo_scene.photo_camera(only_root())
    scene.render.engine = "CINE3D"
    scene.render.resolution_x, scene.render.resolution_y = 160, 90
    render(tmp_path / "a.png")
    if not link:
        bpy.ops.wm.save_mainfile()
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
        render(tmp_path / "b.png")


def test_relink_of_a_library_override_survives_reopening(river_blend, scene, tmp_path):
    """Fault 9."""
    home = tmp_path / "assets"
    shutil.copytree(river_blend.parent, home)
    (tmp_path / "shots").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    with bpy.data.libraries.load(str(home / river_blend.name), link=True) as (source, target):
        target.collections = source.collections
    local = target.collections[0].override_hierarchy_create(scene, bpy.context.view_layer)
    assert local is not None
    root = only_root()
    assert scene_files.scene_file(root).parent == home / "cine3d"
    moved = shutil.move(scene_files.scene_file(root), tmp_path / "moved.cine3d")
    bpy.context.view_layer.objects.active = root
    assert bpy.ops.cine3d.relink(filepath=str(moved)) == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    assert scene_files.scene_file(only_root()).samefile(moved)


def test_a_painted_mask_is_there_after_saving_and_reopening(river, tmp_path):
    """Fault 10."""
    bpy.ops.cine3d.new_mask()
    mask = only_root().cine3d.choices.mask
    paint(mask, slice(0, 30))
    assert mask.is_dirty
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "painted.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "painted.blend"))
    reopened = masks.mask_array(only_root().cine3d.choices.mask)
    assert reopened[:30].min() == 255 and reopened[30:].max() == 0


def test_proposing_again_leaves_the_paint_of_before_to_undo(river):
    bpy.ops.cine3d.new_mask()
    painted = only_root().cine3d.choices.mask
    paint(painted, slice(0, 30))
    bpy.ops.cine3d.new_mask()
    assert only_root().cine3d.choices.mask != painted
    assert masks.mask_array(painted)[:30].min() == 255


def test_two_photos_share_neither_mask_nor_arrows_nor_annotations(scene, river_files, tmp_path):
    """Fault 11."""
    first = import_river(scene, river_files)
    assert first.cine3d.choices.mask is not None and scene.cine3d.mask is None
    other = write_river(tmp_path, seed=1)
    assert bpy.ops.cine3d.import_photo(filepath=str(other.photo)) == {"FINISHED"}
    second = next(root for root in photo_scene.roots(scene) if root != first)
    assert second.cine3d.choices.mask is None
    assert second.cine3d.choices.depth_source == "SHIPPED"
    first.cine3d.choices.speed = 3.0
    assert second.cine3d.choices.speed == 1.0
    assert first.cine3d.choices.use_annotations and not second.cine3d.choices.use_annotations
    second.cine3d.choices.use_annotations = True
    assert not first.cine3d.choices.use_annotations


def test_undo_of_a_build_finds_the_scene_file_of_before(river, tmp_path):
    """Fault 13: both halves, the points and the file that the engine draws."""
    root = only_root()
    before = root.cine3d.scene_sha256
    bpy.ops.ed.undo_push(message="Before")
    root.cine3d.choices.frames = 8
    assert bpy.ops.cine3d.rebuild() == {"FINISHED"}
    assert root.cine3d.scene_sha256 != before
    newer = scene_files.scene_file(root)
    bpy.ops.ed.undo()
    root = only_root()
    assert root.cine3d.scene_sha256 == before
    older = scene_files.scene_file(root)
    assert older != newer and before[:8] in older.name
    render(tmp_path / "old.png")
    bpy.ops.ed.redo()
    assert scene_files.scene_file(only_root()) == newer


def test_saving_tidies_up_and_undo_still_finds_its_build(river_blend, tmp_path):
    home = tmp_path / "own"
    shutil.copytree(river_blend.parent, home)
    bpy.ops.wm.open_mainfile(filepath=str(home / river_blend.name))
    old = scene_files.scene_file(only_root())
    bpy.ops.ed.undo_push(message="Before")
    for frames in (8, 6):
        only_root().cine3d.choices.frames = frames
        assert bpy.ops.cine3d.rebuild() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    assert [p.name for p in (home / "cine3d").iterdir()] == [
        scene_files.scene_file(only_root()).name
    ]
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert scene_files.scene_file(only_root()).name == old.name


def test_another_blend_in_the_folder_keeps_its_build(river_blend, tmp_path):
    home = tmp_path / "own"
    shutil.copytree(river_blend.parent, home)
    shutil.copy(home / river_blend.name, home / "v1.blend")
    bpy.ops.wm.open_mainfile(filepath=str(home / river_blend.name))
    old = scene_files.scene_file(only_root())
    only_root().cine3d.choices.frames = 8
    bpy.ops.cine3d.rebuild()
    bpy.ops.wm.save_mainfile()
    assert old.is_file()


def test_names_mean_nothing(scene):
    """Fault 20."""
    root, _, _ = show(scene)
    for obj in scene.objects:
        obj.name = f"renamed {obj.name[::-1]}"
    photo_points.point_objects(root)[0].modifiers[0].name = "Mine"
    assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
    assert root.cine3d.picture.size[0] == root.cine3d.choices.mask.size[0] == 160
    again, _, _ = show(scene, seed=3)
    assert again == root and len(photo_points.point_objects(root)) == 3
    backgrounds = photo_scene.photo_camera(root).data.background_images
    assert len(backgrounds) == 1


def test_building_again_keeps_what_was_done_to_the_points(scene):
    root, _, _ = show(scene)
    static = photo_points.point_objects(root)[0]
    static.hide_render = True
    static.modifiers.new("Mine", "WELD")
    show(scene, seed=2)
    assert photo_points.point_objects(root)[0] == static
    assert static.hide_render and len(static.modifiers) == 2


def test_the_panel_says_which_edits_the_engine_ignores(scene):
    """Fault 15."""
    from blender_addon.ui import panels

    root, _, _ = show(scene)
    assert not photo_points.edits_of(root)
    static = photo_points.point_objects(root)[0]
    static.hide_render = True
    assert "Not rendered: hidden points" in panels.advice(scene, root)
    static.hide_render = False
    mesh = bpy.data.meshes.new("half")
    mesh.vertices.add(10)
    static.data = mesh
    assert any("deleted" in line for line in panels.advice(scene, root))
    bpy.ops.mesh.primitive_monkey_add()
    assert "Not rendered: 1 other object(s)" in panels.advice(scene, root)


def test_a_deleted_camera_comes_back_as_the_scenes_camera(scene):
    """Fault 33."""
    root, _, _ = show(scene)
    bpy.data.objects.remove(scene.camera)
    show(scene, seed=1, options=photo_scene.NOTHING_ELSE)
    assert scene.camera == photo_scene.photo_camera(root)


def test_a_deleted_empty_leaves_nothing_that_doubles(scene):
    root, _, _ = show(scene)
    camera = scene.camera
    bpy.data.objects.remove(root)
    root, _, _ = show(scene)
    assert photo_scene.photo_camera(root) == camera
    points = [o for o in scene.objects if photo_points.points_modifier(o)]
    assert sorted(points, key=str) == sorted(photo_points.point_objects(root), key=str)


def test_a_file_of_an_earlier_state_gets_what_it_lacks(scene, tmp_path):
    root, _, _ = show(scene)
    image = root.cine3d.picture
    image.name = "lake Photo"
    scene.cine3d.speed, scene.cine3d.mask = 2.0, bpy.data.images.new("Mask", 8, 8)
    for name in ("camera", "picture", "motion", "layout", "num_points"):
        root.cine3d.property_unset(name)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    settings = only_root().cine3d
    assert settings.picture.name == "lake Photo" and settings.camera is not None
    assert settings.choices.speed == 2.0 and settings.choices.mask.name == "Mask"
    assert settings.num_points == 900


def test_an_older_scene_file_is_told_in_one_sentence(scene, tmp_path, capfd):
    value, arrays = worker_answer()
    path = tmp_path / "lake.cine3d"
    path.write_bytes(b"from another time")
    photo_scene.show_photo(scene, path, path, value, arrays, photo_scene.SceneOptions())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    assert "points of lake play, but the engine cannot draw them" in capfd.readouterr().out


def test_opening_another_file_frees_the_way_for_the_next_import(scene):
    """Fault 32."""
    worker = jobs.worker()
    plan = jobs.Plan("Build", "ping", {"seconds": 30}, lambda *_: jobs.Told("done"))
    task = jobs.begin(plan)
    assert jobs.running()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not jobs.running() and bpy.ops.cine3d.import_photo.poll()
    assert task.job.done.wait(3)
    assert worker.wait(worker.submit("ping", {"echo": 1}))[0]["echo"] == 1


def test_a_photo_with_alpha_is_told(scene, tmp_path):
    """Fault 31."""
    image = bpy.data.images.new("hole", 160, 90, alpha=True)
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, (90, 160, 4)).astype(np.float32)
    pixels[10:20, :, 3] = 0.0
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(tmp_path / "hole.png"), "PNG"
    image.save()
    scene.cine3d.preset = "draft"
    depth = write_river(tmp_path).depth
    scene.cine3d.depth_source, scene.cine3d.depth_path = "FILE", str(depth)
    told = []
    import blender_addon.ui.import_photo as module

    original = module.jobs.Told
    module.jobs.Told = lambda text, *kind: (told.append(text), original(text, *kind))[1]
    try:
        bpy.ops.cine3d.import_photo(filepath=str(tmp_path / "hole.png"))
    finally:
        module.jobs.Told = original
    assert any("transparent areas become opaque" in text for text in told)


@pytest.mark.parametrize("shading", ["RENDERED", "WIREFRAME"])
def test_a_file_is_opened_as_it_was_shown(river, tmp_path, shading):
    """Blender itself opens what was Rendered in Solid, where the points are grey."""
    for space in view_spaces():
        space.region_3d.view_perspective, space.shading.type = "CAMERA", shading
    assert view_spaces(), "this Blender has no 3D view without a window"
    path = tmp_path / "shown.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert {space.shading.type for space in view_spaces()} == {shading}


def view_spaces():
    return [
        area.spaces.active
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]
