"""The loop's own time: what its keys say is what the engine draws and where the points are."""

import bpy
import numpy as np
import pytest

from blender_addon.compat import get_modifier_input, set_modifier_input
from blender_addon.direct import direct_content, live, live_shader, live_view
from blender_addon.scene import cameras, photo_points, photo_scene, photos, timing
from tests.blender.river_photo import render_still
from tests.blender.synthetic_scene import NUM_FRAMES, show

pytestmark = pytest.mark.blender


@pytest.fixture
def root(scene):
    found = show(scene)[0]
    for obj in photo_points.point_objects(found):  # as vertices, whose places can be read
        set_modifier_input(photo_points.points_modifier(obj), "As Points", False)
    return found


def engine_frame(scene, frame):
    """What the engine asks the worker for at a frame of the timeline."""
    scene.frame_set(frame)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return photos.chosen_photo(depsgraph).frame_now(depsgraph)


def places(scene, root, frame, number=1):
    """Of the points that move once per loop, at a frame of the timeline."""
    scene.frame_set(frame)
    obj = photo_points.point_objects(root)[number]
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", out)
    return out


def retime(scene, frame, speed):
    scene.frame_set(frame)
    assert bpy.ops.cine3d.retime(speed=speed) == {"FINISHED"}


def test_without_keys_the_loop_runs_with_the_timeline(scene, root):
    assert [engine_frame(scene, frame) for frame in (1, 4, 30)] == [0, 3, 29]


def test_frozen_slow_and_fast_in_engine_and_points_alike(scene, root):
    before = {frame: places(scene, root, frame) for frame in range(1, NUM_FRAMES + 1)}
    retime(scene, 4, 0.0)
    retime(scene, 7, 0.5)
    retime(scene, 11, 2.0)
    expected = {1: 0, 3: 2, 4: 3, 6: 3, 7: 3, 8: 3.5, 9: 4, 11: 5, 12: 7, 60: 103}
    assert {frame: engine_frame(scene, frame) for frame in expected} == pytest.approx(expected)
    for frame in (3, 6, 9, 12):
        shown = before[round(expected[frame]) % NUM_FRAMES + 1]
        np.testing.assert_allclose(places(scene, root, frame), shown, atol=1e-5)
    assert not np.allclose(places(scene, root, 12), before[12], atol=1e-5)


def test_a_key_of_ones_own_counts(scene, root):
    root.cine3d.use_time = True
    for frame, value in ((1, 5.0), (11, 0.0)):
        root.cine3d.time = value
        root.keyframe_insert(timing.PATH, frame=frame)
    timing.time_curve(root).keyframe_points[0].interpolation = "LINEAR"
    assert engine_frame(scene, 3) == pytest.approx(4.0)
    shown = timing.loop_frames(scene, root, [1, 5, 11])
    assert [frame for frame, _ in shown] == pytest.approx([5, 3, 0])
    assert scene.frame_current == 3


def test_switched_off_the_points_follow_the_timeline_again(scene, root):
    before = places(scene, root, 6)
    retime(scene, 2, 0.0)
    assert not np.allclose(places(scene, root, 6), before, atol=1e-5)
    root.cine3d.use_time = False
    np.testing.assert_allclose(places(scene, root, 6), before, atol=1e-6)
    moving = photo_points.points_modifier(photo_points.point_objects(root)[1])
    assert get_modifier_input(moving, "First Frame") == root.cine3d.first_frame


def test_another_build_and_another_session_keep_the_time(scene, root, tmp_path):
    retime(scene, 4, 0.0)
    show(scene, seed=2, moving=((2, 100),))
    frozen = places(scene, root, 4)
    np.testing.assert_allclose(places(scene, root, 9), frozen, atol=1e-5)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    scene = bpy.context.scene
    root = next(obj for obj in scene.objects if obj.cine3d.is_root)
    assert engine_frame(scene, 9) == pytest.approx(3.0)
    assert cameras.loop_frame(scene, root) == pytest.approx(3.0)


@pytest.fixture
def directed(scene):
    """A photo whose second and third group of points are moved by two drawn regions."""
    root = show(scene, moving=((1, 300), (1, 200)), regions=(0, 1, 2))[0]
    for obj in photo_points.point_objects(root):
        set_modifier_input(photo_points.points_modifier(obj), "As Points", False)
    for name, left in (("River", 0.1), ("Bush", 0.6)):
        corners = [(left, 0.2), (left + 0.2, 0.2), (left + 0.2, 0.8)]
        root.cine3d_direct.new_region(name).set_outlines([corners])
    assert "drawing" in direct_content.sent_to_build(root)
    timing.number_built(root)
    root.cine3d_direct.active = 1
    return root


def times(scene, frame):
    """What the engine asks the worker for beside the photo's own frame."""
    scene.frame_set(frame)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return photos.chosen_photo(depsgraph).times_now(depsgraph)


def test_one_region_freezes_in_engine_view_and_points_while_the_rest_goes_on(scene, directed):
    river = {frame: places(scene, directed, frame, 1) for frame in (4, 9)}
    bush = {frame: places(scene, directed, frame, 2) for frame in (4, 9)}
    assert times(scene, 9) == []
    scene.frame_set(4)
    assert bpy.ops.cine3d.retime(speed=0.0, of_region=True) == {"FINISHED"}
    assert times(scene, 2) == [[2, 1.0]] and times(scene, 9) == [[2, 3.0]]
    assert engine_frame(scene, 9) == 8
    np.testing.assert_allclose(places(scene, directed, 9, 2), bush[4], atol=1e-5)
    np.testing.assert_allclose(places(scene, directed, 9, 1), river[9], atol=1e-6)
    assert not np.allclose(bush[4], bush[9], atol=1e-5)
    scene.frame_set(9)
    owner = np.array([[0, 1], [2, 255]], np.uint8)
    motion = live.Motion(directed.session_uid, (0, 1), 12, (), (), 0.0, {"owner": owner})
    when = live_shader.when_of(owner, live_view.times_of(directed, motion))
    assert when[..., 0].tolist() == [[-1, -1], [3, -1]]


def test_half_and_double_speed_of_a_region_are_ordinary_keys(scene, directed):
    for frame, speed in ((4, 0.5), (8, 2.0)):
        scene.frame_set(frame)
        assert bpy.ops.cine3d.retime(speed=speed, of_region=True) == {"FINISHED"}
    shown = dict(timing.loop_frames(scene, directed, [2, 6, 8, 10]))
    assert shown == {1: [[2, 1.0]], 5: [[2, 4.0]], 7: [[2, 5.0]], 9: [[2, 9.0]]}
    curve = timing.time_curve(directed, timing.REGION_PATH.format(1))
    assert len(curve.keyframe_points) == 4


def test_keys_go_with_their_region_through_the_list(scene, directed):
    scene.frame_set(4)
    assert bpy.ops.cine3d.retime(speed=0.0, of_region=True) == {"FINISHED"}
    frozen = places(scene, directed, 9, 2)
    assert bpy.ops.cine3d.region_move(up=True) == {"FINISHED"}
    assert [region.name for region in directed.cine3d_direct.regions] == ["Bush", "River"]
    assert times(scene, 9) == [[2, 3.0]]
    np.testing.assert_allclose(places(scene, directed, 11, 2), frozen, atol=1e-5)
    directed.cine3d_direct.active = 1
    assert bpy.ops.cine3d.region_remove() == {"FINISHED"}
    assert times(scene, 9) == [[2, 3.0]] and times(scene, 2) == [[2, 1.0]]
    assert bpy.ops.cine3d.region_remove() == {"FINISHED"}
    assert times(scene, 9) == [] and timing.fcurves_of(directed) == []


def test_a_region_that_is_not_built_has_no_time_yet(scene, directed):
    directed.cine3d_direct.new_region("Cloud").set_outlines([[(0.1, 0.1), (0.2, 0.1), (0.2, 0.2)]])
    with pytest.raises(RuntimeError, match="click Build Again"):
        bpy.ops.cine3d.retime(speed=0.0, of_region=True)
    assert times(scene, 3) == []


def test_a_file_keeps_the_time_of_a_region(scene, directed, tmp_path):
    scene.frame_set(4)
    assert bpy.ops.cine3d.retime(speed=0.0, of_region=True) == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    scene = bpy.context.scene
    root = next(obj for obj in scene.objects if obj.cine3d.is_root)
    assert times(scene, 9) == [[2, 3.0]]
    np.testing.assert_allclose(places(scene, root, 9, 2), places(scene, root, 11, 2), atol=1e-6)


def test_a_built_region_freezes_in_renders_and_in_the_points_alike(river, tmp_path):
    root = photo_scene.roots(river)[0]
    for left in (0.45, 0.75):
        right = left + 0.25
        region = root.cine3d_direct.new_region()
        region.set_outlines([[(left, 0.6), (right, 0.6), (right, 1.0), (left, 1.0)]])
        region.set_arrows([(left + 0.1, 0.8, left + 0.2, 0.8)])
    assert bpy.ops.cine3d.rebuild() == {"FINISHED"}
    assert [region.number for region in root.cine3d_direct.regions] == [1, 2]
    objects = photo_points.point_objects(root)
    number = [obj.cine3d_points.region for obj in objects].index(2)
    for obj in objects:
        set_modifier_input(photo_points.points_modifier(obj), "As Points", False)
    drawn = {frame: render_still(river, tmp_path / "a.png", frame) for frame in (4, 9)}
    points = {frame: places(river, root, frame, number) for frame in (4, 9)}
    river.frame_set(4)
    root.cine3d_direct.active = 1
    assert bpy.ops.cine3d.retime(speed=0.0, of_region=True) == {"FINISHED"}
    mixed = render_still(river, tmp_path / "b.png", 9)
    goes_on, frozen = (np.s_[65:85, 80:104], np.s_[65:85, 130:152])  # inside the two regions
    np.testing.assert_allclose(mixed[goes_on], drawn[9][goes_on], atol=1.5 / 255)
    np.testing.assert_allclose(mixed[frozen], drawn[4][frozen], atol=1.5 / 255)
    for part in (goes_on, frozen):
        assert np.abs(drawn[9][part] - drawn[4][part]).max() > 0.05
    np.testing.assert_allclose(places(river, root, 9, number), points[4], atol=1e-5)
    assert not np.allclose(points[9], points[4], atol=1e-3)
