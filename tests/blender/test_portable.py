"""A .blend on another machine: it plays without the add-on, and says when the engine is missing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

from blender_addon.scene import farm_guard, photo_scene, scene_files

pytestmark = pytest.mark.blender

# Runs without the add-on: plays in any order, renders small stills, says what it saw.
PROGRAM = """
import bpy, json, sys
import numpy as np
blend, engine, out, *frames = sys.argv[1:]
bpy.ops.wm.read_factory_settings()
bpy.ops.wm.open_mainfile(filepath=blend)
scene = bpy.context.scene
if engine:
    scene.render.engine = engine
scene.render.resolution_x, scene.render.resolution_y = 64, 36
scene.render.image_settings.file_format = "PNG"
if scene.render.engine == "CYCLES":
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
if hasattr(scene, "eevee"):
    scene.eevee.taa_render_samples = 1
    for name in ("use_shadows", "use_raytracing"):
        if hasattr(scene.eevee, name):
            setattr(scene.eevee, name, False)
means = {}
for frame in map(int, frames):
    scene.frame_set(frame)
    scene.render.filepath = f"{out}/{frame}.png"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.array(image.pixels[:]).reshape(-1, 4)
    means[frame] = [pixels[:, :3].mean(axis=0).tolist(), float(pixels[:, :3].std())]
    means[f"{frame}-sum"] = float((pixels[:, 0] * np.arange(len(pixels))).sum())
print("ANSWER", json.dumps(means))
"""


def render_without_addon(blend, engine, folder, frames):
    command = [sys.executable, "-c", PROGRAM, str(blend), engine, str(folder), *map(str, frames)]
    done = subprocess.run(command, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("ANSWER"))
    return json.loads(line.removeprefix("ANSWER"))


def saved(scene, path):
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
def test_points_play_and_render_without_the_addon(river, tmp_path, engine):
    blend = saved(river, tmp_path / "moved.blend")
    seen = render_without_addon(blend, engine, tmp_path, (7, 1))
    assert seen["1"][1] > 0.02  # not one flat colour
    if engine == "CYCLES":  # Workbench shows points in one colour
        assert seen["1-sum"] != seen["7-sum"]
        assert seen["1"][0][2] > 0.2


def test_a_missing_engine_shows_in_magenta(river, tmp_path):
    assert river.render.engine == "CINE3D"
    blend = saved(river, tmp_path / "farm.blend")
    red, green, blue = render_without_addon(blend, "", tmp_path, [1])["1"][0]
    assert red > 0.5 and blue > 0.5 and green < 0.2
    assert river[farm_guard.PROPERTY] == 0  # no guard while the add-on is there


def test_a_file_saved_for_eevee_shows_its_points_without_the_addon(river, tmp_path):
    river.render.engine = "BLENDER_WORKBENCH"
    fallback = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"
    blend = saved(river, tmp_path / "eevee.blend")
    red, green, blue = render_without_addon(blend, fallback, tmp_path, [1])["1"][0]
    assert green > 0.15


def test_a_moved_scene_file_is_found_beside_the_blend_or_by_relink(river, tmp_path):
    root = photo_scene.roots(river)[0]
    original = scene_files.scene_file(root)
    root.cine3d.scene_file = "/gone/lost.cine3d"
    with pytest.raises(ValueError, match="Relink"):
        scene_files.scene_file(root)
    elsewhere = shutil.copy(original, tmp_path / "renamed.cine3d")
    assert bpy.ops.cine3d.relink(filepath=str(elsewhere)) == {"FINISHED"}
    assert scene_files.scene_file(root).samefile(elsewhere)
    with pytest.raises(RuntimeError, match="scene file"):
        bpy.ops.cine3d.relink(filepath=__file__)


def test_the_render_command_enables_the_addon_and_checks_for_it(river):
    command = farm_guard.render_command(river, Path("/tmp/a b.blend"), "blender")
    assert "--addons blender_addon" in command and "'/tmp/a b.blend'" in command
    assert command.index("--python-exit-code") < command.index("--python-expr")
    assert command.endswith("--render-anim")
