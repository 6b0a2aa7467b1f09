"""`blender --command cine3d`: what the command does and how it ends."""

import json
import shutil

import bpy
import pytest

from blender_addon.scene import photo_points, photo_scene
from blender_addon.ui import commands
from tests.blender.river_photo import read_png

pytestmark = pytest.mark.blender


@pytest.fixture
def own_blend(river_blend, tmp_path):
    return shutil.copy(river_blend, tmp_path / "own.blend")


def test_import_render_and_export_from_a_shell(scene, river_files, tmp_path, river_blend):
    blend, points = tmp_path / "lake.blend", tmp_path / "lake.ply"
    arguments = ["import", str(river_files.photo), "-o", str(blend), "--mask"]
    arguments += [str(river_files.mask), "--frames", "8", "--preset", "draft"]
    assert commands.main(arguments) == commands.OK
    arguments = ["render", str(blend), "-o", str(tmp_path / "clip_"), "--frames", "2:3"]
    assert commands.main(arguments) == commands.OK
    assert read_png(tmp_path / "clip_0003.png").shape == (90, 160, 3)
    arguments = ["export", str(blend), "-o", str(points), "--frame", "3"]
    assert commands.main(arguments) == commands.OK
    assert points.stat().st_size > 100_000


def test_arrows_and_outlines_come_from_a_file(scene, river_files, tmp_path):
    hints = tmp_path / "arrows.json"
    outline = [[0, 50], [160, 50], [160, 90], [0, 90]]
    arrow = {"start": [120, 70], "end": [160, 70]}
    hints.write_text(json.dumps({"hints": [arrow], "mask": [outline]}))
    blend = tmp_path / "directed.blend"
    arguments = ["import", str(river_files.photo), "-o", str(blend), "--preset", "draft"]
    assert commands.main([*arguments, "--hints", str(hints)]) == commands.OK
    (root,) = photo_scene.roots(bpy.context.scene)
    moving = [obj for obj in photo_points.point_objects(root) if obj.cine3d_points.cycles > 0]
    assert sum(len(obj.data.vertices) for obj in moving) > 1000


def test_a_video_is_written(scene, own_blend, tmp_path):
    video = tmp_path / "clip.mp4"
    arguments = ["render", str(own_blend), "-o", str(video), "--frames", "1:4"]
    assert commands.main(arguments) == commands.OK
    assert video.stat().st_size > 1000


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["import", "/nowhere/photo.jpg", "-o", "{tmp}/a.blend"],
        ["render", "/nowhere/scene.blend", "-o", "{tmp}/a_"],
        ["export", "{blend}", "-o", "{tmp}/a.xyz"],
    ],
)
def test_wrong_input_ends_with_code_2(scene, own_blend, tmp_path, arguments):
    filled = [argument.format(tmp=tmp_path, blend=own_blend) for argument in arguments]
    assert commands.main(filled) == commands.WRONG_INPUT


def test_a_file_without_a_photo_is_refused(scene, tmp_path, capsys):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    arguments = ["render", str(tmp_path / "empty.blend"), "-o", str(tmp_path / "a_")]
    assert commands.main(arguments) == commands.WRONG_INPUT
    assert "no Cine3D photo" in capsys.readouterr().err
