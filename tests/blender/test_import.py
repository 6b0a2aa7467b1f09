"""Importing a photo: what comes out, what is refused, and that Blender lives on."""

import os
import threading
import time

import bpy
import numpy as np
import pytest

from blender_addon.scene import build_choices, photo_points, photo_scene, scene_files
from blender_addon.worker import jobs
from cine3d_core.files.scene.arrays import read_scene_info
from tests.blender.river_photo import WIDTH, import_river, write_png, write_river

pytestmark = pytest.mark.blender


def test_a_photo_is_imported_with_points_that_move(river):
    root = photo_scene.roots(river)[0]
    static, *moving = photo_points.point_objects(root)
    assert len(static.data.vertices) > 5000 and moving
    assert river.render.resolution_x == WIDTH
    assert root.cine3d.scene_file.startswith("//cine3d/river-")


def test_a_scene_file_that_was_built_before_can_be_shown(river, river_files):
    scene_file = scene_files.scene_file(photo_scene.roots(river)[0])
    counts = [
        len(obj.data.vertices) for obj in photo_points.point_objects(photo_scene.roots(river)[0])
    ]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.ops.cine3d.import_scene(filepath=str(scene_file)) == {"FINISHED"}
    root = photo_scene.roots(bpy.context.scene)[0]
    assert [len(obj.data.vertices) for obj in photo_points.point_objects(root)] == counts


def test_paths_in_a_saved_blend_are_relative_to_it(scene, river_files, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    root = import_river(scene, river_files)
    bpy.ops.wm.save_mainfile()
    stored = root.cine3d.scene_file.replace("\\", "/")
    assert stored == f"//cine3d/river-{root.cine3d.scene_sha256[:8]}.cine3d"
    assert [path.name for path in (tmp_path / "cine3d").iterdir()] == [stored.split("/")[-1]]


def test_photos_of_one_name_from_two_folders_keep_their_own_scenes(scene, river_files, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    first = import_river(scene, river_files)
    (tmp_path / "other").mkdir()
    other = write_river(tmp_path / "other", seed=1)
    for _ in range(2):  # the second time it is known
        bpy.ops.cine3d.import_photo(filepath=str(other.photo))
    second = next(root for root in photo_scene.roots(scene) if root != first)
    assert len(photo_scene.roots(scene)) == 2
    bpy.ops.wm.save_mainfile()
    for root in (first, second):
        path = scene_files.scene_file(root)
        assert path.parent == tmp_path / "cine3d"
        assert read_scene_info(path)["photo_sha256"] == root.cine3d.photo_sha256


def test_a_place_that_cannot_be_written_keeps_the_build_and_is_told(
    scene, river_files, tmp_path, capfd
):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    (tmp_path / "cine3d").write_text("a file where the folder would be")
    root = import_river(scene, river_files)
    bpy.ops.wm.save_mainfile()
    assert "cannot be written" in capfd.readouterr().out
    assert scene_files.scene_file(root).parent == scene_files.builds_folder()


def test_showing_the_scene_file_of_a_known_photo_keeps_the_photo(river):
    root = photo_scene.roots(river)[0]
    bpy.ops.cine3d.import_scene(filepath=str(scene_files.scene_file(root)))
    assert photo_scene.roots(river) == [root] and root.cine3d.photo.endswith("river.png")


def test_a_photo_is_known_again_by_its_relative_path(river, river_files):
    root = photo_scene.roots(river)[0]
    root.cine3d.photo = scene_files.stored_path(river_files.photo)
    assert root.cine3d.photo.startswith("//..")
    assert photo_scene.root_of_photo(river, river_files.photo) == root


@pytest.fixture
def panorama(tmp_path):
    """A picture whose camera says that it shows all directions."""
    generator = np.random.default_rng(0)
    image = np.kron(generator.uniform(0.3, 0.7, (16, 32, 3)), np.ones((4, 4, 1)))
    path = tmp_path / "round.png"
    image[:4] = image[-4:] = 0.5  # zenith and nadir are one direction each
    image[:, -1] = image[:, 0]
    write_png(path, image.astype(np.float32))
    return path


def test_a_panorama_is_imported_once_a_view_of_it_is_chosen(scene, panorama):
    scene.cine3d.size, scene.cine3d.preset = 64, "draft"
    with pytest.raises(RuntimeError, match="choose a view of it under Panorama"):
        bpy.ops.cine3d.import_photo(filepath=str(panorama))
    assert not photo_scene.roots(scene)
    scene.cine3d.panorama, scene.cine3d.view_yaw, scene.cine3d.view_across = "VIEW", -30, 90
    assert bpy.ops.cine3d.import_photo(filepath=str(panorama)) == {"FINISHED"}
    (root,) = photo_scene.roots(scene)
    width, height = root.cine3d.photo_size
    assert width / height == pytest.approx(1.5, abs=0.05)  # the view's shape, not the panorama's
    assert root.cine3d.intrinsics[0] == pytest.approx(width / 2, rel=0.05)  # 90 degrees across
    assert root.cine3d.choices.view_yaw == -30  # kept for Build Again
    assert scene.cine3d.panorama == "NONE"  # the next photo is taken for no panorama
    root.cine3d.choices.panorama = "FLAT"
    assert bpy.ops.cine3d.rebuild() == {"FINISHED"}
    width, height = root.cine3d.photo_size
    assert width > 1.9 * height


def test_building_again_what_has_become_a_panorama_shows_the_fields(scene, panorama):
    scene.cine3d.size, scene.cine3d.preset = 64, "draft"
    scene.cine3d.panorama = "FLAT"
    assert bpy.ops.cine3d.import_photo(filepath=str(panorama)) == {"FINISHED"}
    (root,) = photo_scene.roots(scene)
    root.cine3d.choices.panorama = "NONE"
    with pytest.raises(RuntimeError, match="choose a view"):
        bpy.ops.cine3d.rebuild()
    assert root.cine3d.choices.panorama == "VIEW"


def test_what_cannot_be_imported_is_refused_in_words(scene, tmp_path):
    with pytest.raises(RuntimeError, match="no picture"):
        bpy.ops.cine3d.import_photo(filepath=str(tmp_path / "none.jpg"))
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    with pytest.raises(RuntimeError, match="text.jpg"):
        bpy.ops.cine3d.import_photo(filepath=str(text))
    assert not photo_scene.roots(scene)
    assert not list(tmp_path.glob("*.cine3d"))


def test_an_empty_mask_is_refused_in_words(scene, river_files):
    scene.cine3d.mask = bpy.data.images.new("Mask", 32, 32)
    with pytest.raises(RuntimeError, match="mask 'Mask' is empty"):
        bpy.ops.cine3d.import_photo(filepath=str(river_files.photo))


def test_arrows_decide_where_the_river_flows(river):
    root = photo_scene.roots(river)[0]
    for start, end in (((0.6, 0.8), (0.9, 0.8)), ((0.9, 0.8), (0.6, 0.8))):
        for obj in [obj for obj in river.objects if obj.cine3d_arrow.is_arrow]:
            bpy.data.objects.remove(obj)
        bpy.ops.cine3d.add_arrow(start=start, end=end)
        bpy.context.view_layer.update()
        assert bpy.ops.cine3d.rebuild() == {"FINISHED"}
        obj = photo_points.point_objects(root)[1]
        flow = [value.vector.x for value in obj.data.attributes["fwd_1"].data]
        assert (sum(flow) > 0) == (end[0] > start[0])


def test_undo_takes_back_an_arrow_and_a_build(river):
    bpy.ops.ed.undo_push(message="Start")
    bpy.ops.cine3d.add_arrow()
    bpy.ops.ed.undo_push(message="Arrow")
    bpy.context.view_layer.update()
    assert bpy.ops.cine3d.rebuild() == {"FINISHED"}  # which makes its own step
    for arrows in (1, 0):
        bpy.ops.ed.undo()
        scene = bpy.context.scene
        assert sum(obj.cine3d_arrow.is_arrow for obj in scene.objects) == arrows
        (root,) = photo_scene.roots(scene)
        assert all(obj.data.vertices for obj in photo_points.point_objects(root))


def test_preview_motion_and_proposed_mask_need_no_build(river):
    root = photo_scene.roots(river)[0]
    bpy.ops.cine3d.add_arrow()
    bpy.context.view_layer.update()
    assert bpy.ops.cine3d.preview_motion() == {"FINISHED"}
    shown = {b.image.name: b.show_background_image for b in river.camera.data.background_images}
    assert shown[f"{root.name} Motion"]
    assert bpy.ops.cine3d.hide_motion() == {"FINISHED"}
    shown = {b.image.name: b.show_background_image for b in river.camera.data.background_images}
    assert not shown[f"{root.name} Motion"]


def test_a_proposed_mask_takes_the_place_of_the_painted_one(scene, repository):
    scene.cine3d.size, scene.cine3d.frames = WIDTH, 8
    photo = repository / "tests" / "bridge" / "photo.jpg"
    assert bpy.ops.cine3d.import_photo(filepath=str(photo)) == {"FINISHED"}
    root = photo_scene.roots(scene)[0]
    assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
    painted = root.cine3d.choices.mask
    assert bpy.ops.cine3d.propose_mask() == {"FINISHED"}
    proposed = root.cine3d.choices.mask
    assert proposed != painted and tuple(proposed.size) == tuple(root.cine3d.photo_size)
    width, height = proposed.size
    pixels = np.array(proposed.pixels[:], np.float32).reshape(height, width, 4)
    white = (pixels[..., :3] == 1.0).all(axis=-1)
    black = (pixels[..., :3] == 0.0).all(axis=-1)
    assert (white | black).all() and 0.02 < white.mean() < 0.98


def test_the_camera_path_is_checked_for_holes(river, capfd):
    assert bpy.ops.cine3d.check_path() == {"FINISHED"}
    assert "path is safe" in capfd.readouterr().out
    river.camera.location.x = 2.0
    assert bpy.ops.cine3d.check_path() == {"FINISHED"}
    assert "is not covered" in capfd.readouterr().out
    assert bpy.ops.cine3d.safe_volume() == {"FINISHED"}


def test_a_worker_killed_in_mid_build_is_told_and_the_next_build_works(scene, river_files):
    worker = jobs.worker()
    worker.wait(worker.submit("ping"))

    def kill_when_busy():
        while jobs.current is None or jobs.current.fraction < 0.02:
            time.sleep(0.002)
        os.kill(worker.pid, 9)

    jobs.current = None
    threading.Thread(target=kill_when_busy, daemon=True).start()
    with pytest.raises(RuntimeError, match="stopped unexpectedly"):
        import_river(scene, river_files)
    assert not photo_scene.roots(scene)
    assert import_river(scene, river_files)


def test_a_build_can_be_cancelled_within_a_second(scene, river_files):
    scene.cine3d.depth_source, scene.cine3d.depth_path = "FILE", str(river_files.depth)
    worker = jobs.worker()
    arguments = {
        "photo": str(river_files.photo),
        "scene_file": str(river_files.photo.with_name("cancelled.cine3d")),
        "settings": build_choices.build_settings(scene.cine3d),
    }
    for seconds in (0.0, 0.3, 1.0):
        job = worker.submit("build", arguments)
        job.done.wait(seconds)
        start = time.monotonic()
        worker.cancel(job)
        assert job.done.wait(1.5)
        assert time.monotonic() - start < 1.0 + 0.3  # the load of other processes is allowed for


def test_the_check_says_what_works(scene):
    assert bpy.ops.cine3d.check() == {"FINISHED"}
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    assert preferences.status.startswith("Works: PyTorch")


def test_the_check_says_what_is_missing(scene, tmp_path):
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.python_path = str(tmp_path / "python")
    with pytest.raises(RuntimeError, match="cannot be started"):
        bpy.ops.cine3d.check()
    assert preferences.status.startswith("Does not work")
