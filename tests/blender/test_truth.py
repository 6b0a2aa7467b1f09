"""Synthetic truth: exact depth, flow, regions and loops, on scenes small enough to check."""

import json
from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
pytestmark = pytest.mark.blender

from blender_addon.development import build  # noqa: E402
from blender_addon.development.truth import fluids, png, solids, surfaces, textures, truth, views  # noqa: E402
from blender_addon.development.truth.blender_scene import BlenderScene, Geometry  # noqa: E402
from cine3d_core.moves import published_translation  # noqa: E402

WIDTH, HEIGHT, FOCAL = 64, 36, 60.0
SOURCE = np.eye(4)


def wall(depth, *, left=-40.0, right=40.0, scroll=(0.0, 0.0), seed=0):
    """A wall across the view; one period of its texture is 32 pixels wide."""
    x = np.linspace(left, right, 9)[None]
    y = np.linspace(30, -30, 9)[:, None]
    positions = np.stack(np.broadcast_arrays(x, y, np.float64(depth)), -1)
    uv = positions[..., :2] * (1, -1) * FOCAL / (32 * depth)
    texture = textures.smoothed(np.random.default_rng(seed).uniform(0, 1, (32, 32, 3)), 2.0)
    texture = (texture - texture.min()) / np.ptp(texture)
    kind = "water" if any(scroll) else "static"
    return surfaces.grid_surface(positions, uv, texture, kind=kind, scroll=scroll)


def open_scene(parts, samples=16):
    return BlenderScene(
        parts, focal_px=FOCAL, width=WIDTH, height=HEIGHT, samples=samples, threads=1
    )


def picture(scene, path, frame):
    scene.save_picture(path, SOURCE, frame)
    return np.rint(textures.read_photo(path) * 255).astype(int)


def test_a_texture_moves_by_its_flow_and_the_loop_closes_bit_for_bit(tmp_path):
    moving = wall(2.0, scroll=(2 / 32, 0.0))  # two pixels per frame
    scene = open_scene([moving])
    first, later, closed = (
        picture(scene, tmp_path / f"{frame}.png", frame) for frame in (0, 3, 16)
    )
    assert (first == closed).all()
    # Every pixel has its own pattern of rays, hence the small rest.
    assert np.abs(first[:, :-6] - later[:, 6:]).mean() < 0.1 * np.abs(first - later).mean()
    points = views.points_of(scene.geometry(SOURCE).depth, views.intrinsics(FOCAL, WIDTH, HEIGHT))
    flow = views.flow_of(points, scene.velocity(SOURCE), FOCAL)
    np.testing.assert_allclose(flow[0], 2.0, atol=1e-3)
    np.testing.assert_allclose(flow[1], 0.0, atol=1e-3)


def test_depth_is_that_of_the_pixel_centre():
    ground = fluids_ground(level=-1.0)
    depth = open_scene([ground, wall(50.0)]).geometry(SOURCE).depth
    below = np.arange(HEIGHT) + 0.5 - HEIGHT / 2
    expected = np.where(below > 0, FOCAL / np.maximum(below, 1e-6), 50.0)
    np.testing.assert_allclose(depth[:, 20], np.minimum(expected, 50.0), rtol=1e-4)


def fluids_ground(level):
    x, z = solids.fan(0.5, 80.0, 12, 12, spread=3.0)
    positions = np.stack([x, np.full_like(x, level), z], -1)
    return surfaces.grid_surface(positions, positions[..., ::2], np.ones((4, 4, 3)))


def test_a_step_aside_uncovers_what_the_near_wall_hid():
    near, far = wall(1.0, right=0.0), wall(4.0)
    scene = open_scene([near, far])
    camera = views.intrinsics(FOCAL, WIDTH, HEIGHT)
    still = scene.geometry(SOURCE)
    moving = np.array([False, True])
    same = views.regions_of(still, SOURCE, still, camera, moving)
    assert set(np.unique(same)) == {views.STATIC, views.FLUID}
    pose = views.pose_at((-0.2, 0.0, 0.0))  # the near edge moves 12 pixels left, the far wall 3
    labels = views.regions_of(scene.geometry(pose), pose, still, camera, moving)
    row = labels[HEIGHT // 2]
    assert (row[:20] == views.STATIC).all()
    assert (row[20:28] == views.DISOCCLUDED).all()
    assert (row[29:61] == views.FLUID).all()
    assert (row[61:] == views.OUTSIDE).all()


def test_velocity_of_a_triangle_undoes_its_texture_map():
    rng = np.random.default_rng(4)
    surface = replace(
        wall(1.0, scroll=(0.02, -0.01)),
        vertices=rng.normal(size=(81, 3)),
        uv=rng.normal(size=(81, 2)),
    )
    velocity = surfaces.triangle_velocity(surface)
    corners = surface.vertices[surface.triangles]
    uv = surface.uv[surface.triangles]
    for corner, place, speed in zip(corners, uv, velocity, strict=True):
        affine = np.linalg.lstsq(np.c_[place, np.ones(3)], corner, rcond=None)[0]
        np.testing.assert_allclose((0.02, -0.01) @ affine[:2], speed, rtol=1e-6, atol=1e-8)


def test_streamlines_keep_out_of_the_rocks_and_arrive():
    rock = fluids.Obstacle(3.0, 0.1, 0.5)
    start = np.linspace(-2, 2, 41)
    along, across = fluids.streamlines([rock], start, speed=0.05, length=6.0)
    assert along[-1].min() >= 6.0
    away = np.hypot(along - rock.along, across - rock.across)
    assert away.min() > 0.9 * rock.radius
    straight, flat = fluids.streamlines([], start, speed=0.05, length=1.0)
    np.testing.assert_allclose(straight[10], 0.5)
    np.testing.assert_allclose(flat[10], start)


def test_tiles_repeat_without_a_seam():
    rng = np.random.default_rng(2)
    photo = textures.resized(rng.uniform(0, 1, (30, 40, 3)), 96, 128)
    for tile in (textures.seamless(photo), textures.water_tile(rng, photo, shape=(64, 128))):
        for axis in (0, 1):
            steps = np.abs(np.diff(tile, axis=axis)).mean()
            seam = np.abs(np.take(tile, 0, axis) - np.take(tile, -1, axis)).mean()
            assert seam < 2.5 * steps


def test_the_splits_share_no_seed_photograph_or_layout():
    test, train = truth.TEST, truth.TRAIN
    names = [{name for crops in s.crops.values() for name, _ in crops} for s in (test, train)]
    assert not names[0] & names[1]
    assert not set(test.layouts) & set(train.layouts)
    assert train.first_seed + train.scenes <= test.first_seed
    assert test.scenes >= 10


def test_all_test_photographs_are_here_and_credited(repository):
    folder = repository / "tests" / "truth_textures"
    credits = (folder / "CREDITS.md").read_text(encoding="utf-8")
    for name in {name for crops in truth.TEST.crops.values() for name, _ in crops}:
        assert (folder / f"{name}.jpg").is_file()
        assert f"`{name}.jpg`" in credits


def test_the_published_views_are_those_of_the_core():
    for view in views.published_views(60):
        expected = np.eye(4)
        expected[:3, 3] = published_translation(view.trajectory, view.frame, 60)
        np.testing.assert_array_equal(view.world_to_camera, expected)


def test_label_pictures_come_back_as_written(tmp_path):
    labels = np.random.default_rng(1).integers(0, 256, (7, 11))
    png.write_labels(tmp_path / "labels.png", labels)
    read = textures.read_photo(tmp_path / "labels.png")[..., 0]
    np.testing.assert_array_equal(np.rint(read * 255), labels)


def test_the_extension_does_not_carry_the_truth(tmp_path):
    build.stage(tmp_path)
    assert (tmp_path / "__init__.py").is_file() and not (tmp_path / "truth").exists()


def small_lake(site):
    """Water to the horizon and one rock, in the only photograph there is."""
    solids.sky(site, "any")
    fluids.water_plane(site, -1.0, "any", heading_deg=-70, speed=0.03)
    solids.rock(site, (0.3, -1.0, 4.0), (0.5, 0.4, 0.5), "any", water_level=-1.0)
    return 6.0, 0.9


def test_a_scene_is_written_as_documented_and_the_same_again(tmp_path):
    image = bpy.data.images.new("made", 48, 32)
    noise = np.random.default_rng(3).uniform(0, 1, 48 * 32 * 4)
    image.pixels.foreach_set(noise.astype(np.float32))
    image.file_format, image.filepath_raw = "JPEG", str(tmp_path / "made.jpg")
    image.save()
    crops = {"any": (("made", (0.0, 0.0, 1.0, 1.0)),)}
    split = replace(truth.TRAIN, crops=crops, layouts=(small_lake,), samples=1, source_frames=1)
    first, second = (
        truth.write_scene(
            tmp_path / name, split, 0, textures=tmp_path, size=(WIDTH, HEIGHT), threads=1
        )
        for name in "ab"
    )
    record = json.loads((first / "scene.json").read_text())
    assert record["textures"] == ["made"] and record["family"] == "small-lake"
    flow, moving = np.load(first / "flow.npy"), np.load(first / "velocity3d.npy").any(0)
    assert flow.shape == (2, HEIGHT, WIDTH) and (flow.any(0) <= moving).all() and moving.any()
    assert 0.8 < np.load(first / "depth.npy").min() < 1.2
    written = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(written) == 6 + 1 + 2 * 8 + 1
    for path in written:
        assert (first / path).read_bytes() == (second / path).read_bytes(), path


def test_geometry_is_a_record_of_arrays():
    still = Geometry(np.ones((2, 2)), np.zeros((2, 2), int))
    camera = views.intrinsics(2.0, 2, 2)
    labels = views.regions_of(still, SOURCE, still, camera, np.array([False]))
    assert (labels == views.STATIC).all()
