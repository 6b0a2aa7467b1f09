"""The engine: what it delivers, and that nothing fails quietly."""

import subprocess
import sys

import bpy
import numpy as np
import pytest
from mathutils import Vector

from blender_addon.scene import photo_scene
from blender_addon.worker import jobs
from tests.blender.river_photo import HEIGHT, WIDTH, read_png, render_still

pytestmark = pytest.mark.blender


class PassProbe:
    """Reads the passes where the engine writes them: Blender hides a background's results."""

    def __init__(self, monkeypatch):
        from blender_addon.render import engine

        self.seen, fill = {}, engine.fill_passes

        def watch(passes, arrays):
            fill(passes, arrays)
            for render_pass in passes:
                shape = (*arrays["combined"].shape[:2], render_pass.channels)
                values = np.empty(int(np.prod(shape)), np.float32)
                render_pass.rect.foreach_get(values)
                self.seen[render_pass.name] = values.reshape(shape)[::-1]

        monkeypatch.setattr(engine, "fill_passes", watch)


@pytest.fixture
def probe(monkeypatch):
    return PassProbe(monkeypatch)


def test_the_still_at_frame_1_looks_like_the_photo(river, river_files, tmp_path):
    rendered = render_still(river, tmp_path / "still.png")
    photo = read_png(river_files.photo)
    assert np.abs(rendered - photo).max() <= 1.5 / 255


def test_the_frame_after_the_loop_is_the_first_bit_for_bit(river, tmp_path):
    first = render_still(river, tmp_path / "a.png", 1)
    middle = render_still(river, tmp_path / "b.png", 6)
    again = render_still(river, tmp_path / "c.png", 13)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - middle).max() > 0.02


def test_all_passes_arrive(river, tmp_path, probe):
    layer = river.view_layers[0]
    layer.use_pass_z = layer.use_pass_vector = layer.cine3d.use_pass_moving = True
    bpy.ops.cine3d.camera_move(move="published-side")
    render_still(river, tmp_path / "still.png", 6)
    assert set(probe.seen) == {"Combined", "Depth", "Vector", "Moving"}
    depth, vector = probe.seen["Depth"][..., 0], probe.seen["Vector"]
    assert depth.min() > 0.5 and np.median(depth) < 100
    assert depth[HEIGHT // 2, int(0.3 * WIDTH)] < depth[2, 2]  # the post is nearer than the sky
    assert np.abs(vector).max() > 0.1
    moving = probe.seen["Moving"][..., 0]
    assert moving[-5:, -40:].mean() > 0.9 and moving[:20].mean() < 0.1


def within(area, pixels):
    """The part of an area [H, W] bool that lies so far from its edge; the picture's is none."""
    for _ in range(pixels):
        wide = np.pad(area, 1, mode="edge")
        area = area & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return area


@pytest.mark.parametrize("frame", [1, 4, 6])
def test_the_moving_pass_is_a_matte_of_the_water(river, river_files, tmp_path, probe, frame):
    """Fault 28: dashes and a fringe along what stands in the water, and hard edges."""
    river.view_layers[0].cine3d.use_pass_moving = True
    render_still(river, tmp_path / "still.png", frame)
    moving = probe.seen["Moving"][..., 0]
    water = read_png(river_files.mask)[..., 0] > 0.5
    assert moving[within(water, 2)].min() > 0.95  # no dashes
    assert moving[within(~water, 2)].max() < 0.05  # no fringe
    soft = (moving > 0.1) & (moving < 0.9)
    edge = ~within(water, 1) & ~within(~water, 1)
    assert soft[edge].mean() > 0.5 and soft.mean() < 0.1


def test_vectors_are_those_of_cycles(river, tmp_path, probe):
    river.view_layers[0].use_pass_vector = True
    camera = river.camera
    for frame, x in ((5, -0.01), (6, 0.0), (7, 0.01)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    render_still(river, tmp_path / "still.png", 6)
    sky = probe.seen["Vector"][5, WIDTH // 2]
    # The camera goes right: what is seen was farther right before and will be farther left.
    # Cycles gives the way to the previous place, and the way back from the next.
    assert sky[0] > 0 and sky[0] == pytest.approx(sky[2], rel=0.05)


def test_depth_is_in_blenders_units_when_the_photo_is_scaled(river, tmp_path, probe):
    river.view_layers[0].use_pass_z = True
    first = render_still(river, tmp_path / "a.png")
    depth = probe.seen["Depth"].copy()
    root = photo_scene.roots(river)[0]
    root.scale, root.location = (2, 2, 2), (5, 1, 0)
    second = render_still(river, tmp_path / "b.png")
    np.testing.assert_allclose(probe.seen["Depth"], depth * 2, rtol=1e-3)
    assert np.abs(first - second).max() <= 1.5 / 255


def test_a_region_is_the_same_pixels_cut_out(river, tmp_path):
    whole = render_still(river, tmp_path / "whole.png", 4)
    render = river.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = 0.25, 0.75
    render.border_min_y, render.border_max_y = 0.1, 0.6
    part = render_still(river, tmp_path / "part.png", 4)
    left, bottom, top = int(0.25 * WIDTH), int(0.1 * HEIGHT), int(np.float32(0.6) * HEIGHT)
    expected = whole[HEIGHT - top : HEIGHT - bottom, left : int(0.75 * WIDTH)]
    np.testing.assert_array_equal(part, expected)
    render.use_crop_to_border = False
    framed = render_still(river, tmp_path / "framed.png", 4)
    assert framed.shape == whole.shape
    inside = framed[HEIGHT - top : HEIGHT - bottom, left : int(0.75 * WIDTH)]
    np.testing.assert_array_equal(inside, expected)


def test_resolution_percentage_and_portrait_are_obeyed(river, tmp_path):
    river.render.resolution_percentage = 50
    assert render_still(river, tmp_path / "half.png").shape == (45, 80, 3)
    river.render.resolution_percentage = 100
    river.render.resolution_x, river.render.resolution_y = 60, 100
    assert render_still(river, tmp_path / "tall.png").shape == (100, 60, 3)


def test_transparent_film_shows_what_no_point_covers(river, tmp_path, probe):
    river.camera.location.x = 3.0
    render_still(river, tmp_path / "a.png")
    assert probe.seen["Combined"][..., 3].min() == 1.0
    river.render.film_transparent = True
    render_still(river, tmp_path / "b.png")
    assert probe.seen["Combined"][..., 3].min() == 0.0


@pytest.mark.parametrize("percent", [25, 12])
def test_a_small_transparent_frame_is_as_solid_as_the_photo(river, tmp_path, probe, percent):
    """Fault 12: a frame much smaller than the photo was see-through, with a grid in it."""
    river.render.film_transparent, river.render.resolution_percentage = True, percent
    for frame in (1, 6):
        render_still(river, tmp_path / "small.png", frame)
        alpha = probe.seen["Combined"][..., 3]
        assert alpha.mean() >= 0.99  # it was 0.93 and 0.47
        assert alpha.min() >= 0.85  # beside the post, where its few pixels end


@pytest.mark.parametrize("mode", ["PARALLEL", "OFFAXIS"])
def test_each_stereo_eye_sees_what_a_camera_in_its_place_sees(river, tmp_path, mode):
    data, half, convergence = river.camera.data, 0.05, 3.0
    data.stereo.interocular_distance, data.stereo.pivot = 2 * half, "CENTER"
    data.stereo.convergence_mode, data.stereo.convergence_distance = mode, convergence
    river.render.use_multiview = True
    river.render.image_settings.views_format = "INDIVIDUAL"
    river.render.image_settings.file_format = "PNG"
    river.render.filepath = str(tmp_path / "eye.png")
    bpy.ops.render.render(write_still=True)
    river.render.use_multiview = False
    shift = data.shift_x
    for eye, x in (("L", -half), ("R", half)):
        river.camera.location.x = x
        if mode == "OFFAXIS":  # what lies at the distance of convergence stays in place
            data.shift_x = shift - x * data.lens / data.sensor_width / convergence
        alone = render_still(river, tmp_path / "alone.png")
        difference = np.abs(read_png(tmp_path / f"eye_{eye}.png") - alone)
        # Off axis the shift goes into the projection by two ways, each rounded on its own.
        assert difference.max() <= (1.01 / 255 if mode == "OFFAXIS" else 0)


def test_an_animation_equals_its_frames_rendered_alone(river, tmp_path):
    bpy.ops.cine3d.camera_move(move="published-circle")
    river.frame_start, river.frame_end = 3, 5
    river.render.filepath = str(tmp_path / "clip_")
    river.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(animation=True)
    for frame in (5, 3):
        alone = render_still(river, tmp_path / "alone.png", frame)
        np.testing.assert_array_equal(read_png(tmp_path / f"clip_{frame:04d}.png"), alone)


def set_multilayer_output(settings: bpy.types.ImageFormatSettings) -> None:
    """Let a scene write EXR files with all passes; 5.0 wants the kind of media first."""
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"


def test_exr_holds_depth_and_vector(river, tmp_path):
    layer = river.view_layers[0]
    layer.use_pass_z = layer.use_pass_vector = True
    set_multilayer_output(river.render.image_settings)
    river.render.filepath = str(tmp_path / "all.exr")
    bpy.ops.render.render(write_still=True)
    content = (tmp_path / "all.exr").read_bytes()
    assert all(name in content for name in (b"Depth", b"Vector", b"Combined"))


def test_the_picture_says_what_drew_it(river, tmp_path):
    render_still(river, tmp_path / "still.png")
    content = (tmp_path / "still.png").read_bytes()
    root = photo_scene.roots(river)[0]
    assert b"Cine3D" in content and root.cine3d.scene_sha256.encode() in content


def test_an_orthographic_camera_makes_the_render_fail_in_words(river, tmp_path):
    river.camera.data.type = "ORTHO"
    with pytest.raises(RuntimeError, match="Perspective"):
        render_still(river, tmp_path / "still.png")
    assert not (tmp_path / "still.png").exists()


def test_a_missing_scene_file_makes_the_render_fail_in_words(river, tmp_path):
    photo_scene.roots(river)[0].cine3d.scene_file = "/nowhere/lost.cine3d"
    with pytest.raises(RuntimeError, match="Relink"):
        render_still(river, tmp_path / "still.png")


def test_a_scene_without_a_photo_makes_the_render_fail_in_words(scene, tmp_path):
    scene.render.engine = "CINE3D"
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    with pytest.raises(RuntimeError, match="File > Import"):
        render_still(scene, tmp_path / "still.png")


def test_a_photo_counts_unless_it_or_its_collection_is_disabled_in_renders(river, tmp_path):
    root = photo_scene.roots(river)[0]
    second = root.copy()
    other = bpy.data.collections.new("Other")
    river.collection.children.link(other)
    other.objects.link(second)
    render_still(river, tmp_path / "a.png")
    other.hide_render = True
    render_still(river, tmp_path / "b.png")
    root.hide_render = True
    with pytest.raises(RuntimeError, match="no photo"):
        render_still(river, tmp_path / "c.png")


def test_frames_of_a_scene_file_built_elsewhere_come_with_a_warning(river, tmp_path, capfd):
    render_still(river, tmp_path / "a.png")
    assert "newer scene file" not in capfd.readouterr().out
    photo_scene.roots(river)[0].cine3d.scene_sha256 = "0" * 64
    render_still(river, tmp_path / "b.png")
    assert "newer scene file" in capfd.readouterr().out


def test_depth_of_field_blurs_what_is_out_of_focus_and_nothing_else(river, tmp_path):
    """Fault 36: the post is at distance 1, the sky far behind it."""
    sharp = render_still(river, tmp_path / "sharp.png")
    lens = river.camera.data.dof
    lens.use_dof, lens.focus_distance, lens.aperture_fstop = True, 1.0, 0.2
    near = render_still(river, tmp_path / "near.png")
    sky = np.s_[4:20, 60:150]
    assert near[sky].std(axis=(0, 1)).max() < 0.3 * sharp[sky].std(axis=(0, 1)).min()
    post = np.s_[32:58, 46:50]
    assert np.abs(near[post] - sharp[post]).max() < 0.03
    lens.aperture_fstop = 128.0
    np.testing.assert_array_equal(render_still(river, tmp_path / "small.png"), sharp)


def test_a_focus_object_says_what_is_sharp(river):
    from blender_addon.scene import cameras

    camera, lens = river.camera, river.camera.data.dof
    target = bpy.data.objects.new("Target", None)
    river.collection.objects.link(target)
    target.location = camera.matrix_world @ Vector((0.3, 0.2, -2.5))
    lens.use_dof, lens.focus_object, lens.aperture_fstop = True, target, 2.0
    bpy.context.view_layer.update()
    (record,) = cameras.lens_record(camera, river, 1000.0, 1.0).values()
    assert record["focus"] == pytest.approx(2.5, abs=1e-5)
    expected = camera.data.lens / 1000 / 2.0 * 1000.0 / 2.5  # aperture x focal length / distance
    assert record["blur_px"] == pytest.approx(expected, rel=1e-5)
    target.location = camera.matrix_world @ Vector((0, 0, 1))
    bpy.context.view_layer.update()
    with pytest.raises(ValueError, match="behind it"):
        cameras.lens_record(camera, river, 1000.0, 1.0)


def test_blenders_panels_appear_where_the_engine_uses_them(scene):
    scene.render.engine = "CINE3D"
    shown = {
        panel.__name__: "CINE3D" in panel.COMPAT_ENGINES
        for panel in bpy.types.Panel.__subclasses__()
        if hasattr(panel, "COMPAT_ENGINES")
    }
    used = ["format", "frame_range", "output", "encoding", "stereoscopy", "color_management"]
    assert all(shown[f"RENDER_PT_{name}"] for name in used)
    assert bpy.types.RENDER_PT_format.poll(bpy.context)
    assert shown["DATA_PT_lens"] and shown["DATA_PT_context_camera"]
    assert shown["DATA_PT_camera_dof"] and shown["DATA_PT_camera_dof_aperture"]
    assert not shown["DATA_PT_light"] and shown["RENDER_PT_time_stretching"]
    assert not shown["RENDER_PT_opengl_film"]


def test_a_fault_of_ours_makes_the_render_fail(river, tmp_path, monkeypatch):
    from blender_addon.render import engine

    def broken(*_args):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(engine, "render_region", broken)
    with pytest.raises(RuntimeError, match="on purpose"):
        render_still(river, tmp_path / "still.png")


def test_a_worker_killed_in_mid_frame_is_told_and_the_next_frame_works(
    river, tmp_path, monkeypatch
):
    worker = jobs.worker()
    submit = worker.submit

    def submit_and_kill(name, arguments=None, arrays=None):
        job = submit("ping", {"seconds": 30})
        worker._process.popen.kill()
        return job

    monkeypatch.setattr(worker, "submit", submit_and_kill)
    with pytest.raises(RuntimeError, match="stopped unexpectedly"):
        render_still(river, tmp_path / "a.png")
    monkeypatch.undo()
    render_still(river, tmp_path / "b.png")


@pytest.mark.parametrize("ending", ["", "import sys; sys.exit(3)"])
def test_blender_ends_with_the_engine_registered_and_the_worker_at_work(repository, ending):
    program = f"""
import bpy
bpy.context.preferences.addons.new().module = "blender_addon"
import blender_addon
blender_addon.register()
from blender_addon import jobs
worker = jobs.worker()
worker.wait(worker.submit("ping"))
worker.submit("ping", {{"seconds": 60}})
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, timeout=60, capture_output=True
    )
    assert done.returncode == (3 if ending else 0), done.stderr.decode()[-2000:]
