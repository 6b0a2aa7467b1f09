"""The engine draws what `cine3d render` draws with the same camera, and costs little more."""

import json
import os
import subprocess
import sys

import bpy
import numpy as np
import pytest

from blender_addon.scene import cameras, photo_scene, scene_files
from tests.blender.river_photo import read_png

pytestmark = pytest.mark.blender

WORKER_PYTHON = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
COMPARE = """
import sys, OpenEXR, numpy as np
ours, theirs = (OpenEXR.File(path, separate_channels=True).channels() for path in sys.argv[1:])
for name in "RGB":
    a, b = ours[name].pixels.astype(np.float32), theirs[name].pixels.astype(np.float32)
    assert a.shape == b.shape, (a.shape, b.shape)
    print(name, np.abs(a - b).max())
    assert np.array_equal(a, b), name
"""


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_the_engine_and_the_command_line_draw_the_same_frame(river, repository, tmp_path, kind):
    root = photo_scene.roots(river)[0]
    river.camera.location = (0.05, 0.1, 0.02)
    river.camera.data.shift_x = 0.05
    river.frame_set(5)
    settings = river.render.image_settings
    settings.file_format = "PNG" if kind == "png" else "OPEN_EXR"
    if kind == "exr":
        settings.color_depth = "16"  # what the command line writes
    river.render.filepath = str(tmp_path / f"engine.{kind}")
    bpy.ops.render.render(write_still=True)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    camera = river.camera.evaluated_get(depsgraph)
    record, _ = cameras.camera_record(camera, depsgraph, root.matrix_world)
    path = {"version": 1, "width": record["width"], "height": record["height"]}
    (tmp_path / "path.json").write_text(json.dumps({**path, "frames": [record] * 5}))
    command = [WORKER_PYTHON, "-m", "cine3d_core.cli", "render", str(scene_files.scene_file(root))]
    command += ["-o", str(tmp_path / "cli"), "--camera", str(tmp_path / "path.json")]
    run(*command, "--frames", "4", "--format", kind, cwd=repository)
    theirs = tmp_path / "cli" / f"frame_0004.{kind}"
    if kind == "exr":
        run(WORKER_PYTHON, "-c", COMPARE, str(tmp_path / "engine.exr"), str(theirs), cwd=repository)
    else:
        difference = np.abs(read_png(tmp_path / "engine.png") - read_png(theirs))
        assert difference.max() <= 1.01 / 255
