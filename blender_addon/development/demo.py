"""The extension as a stranger would meet it.

    python -m blender_addon.development.demo PHOTO FOLDER

Builds the zip, installs it into a throw-away profile, imports the photo, keys a camera move,
renders the loop with the engine and leaves a .blend, an MP4 and a PLY. Needs `bpy`; the worker's
Python is named by CINE3D_WORKER_PYTHON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import build

_ADDON = "bl_ext.user_default.cine3d"

# Runs in a Blender whose profile is new: nothing of this repository is on its path.
_PROGRAM = f"""
import sys
import bpy
zip_file, photo, hints, folder, width = sys.argv[1:6]
bpy.ops.extensions.package_install_files(
    filepath=zip_file, repo="user_default", enable_on_install=True)
bpy.context.preferences.filepaths.save_version = 0
command = sys.modules["{_ADDON}.ui.commands"].main
directed = ["--hints", hints] if hints else []
blend = folder + "/sample.blend"
assert command(["import", photo, "-o", blend, *directed]) == 0
bpy.ops.wm.open_mainfile(filepath=blend)
scene = bpy.context.scene
bpy.ops.cine3d.camera_move(move="orbit")
scene.render.resolution_percentage = round(100 * int(width) / scene.render.resolution_x)
bpy.ops.wm.save_as_mainfile(filepath=blend)
assert command(["render", blend, "-o", folder + "/sample-blender.mp4"]) == 0
assert command(["export", blend, "-o", folder + "/sample-blender.ply", "--frame", "1"]) == 0
bpy.ops.preferences.addon_disable(module="{_ADDON}")
"""


def main() -> int:
    """Run the demonstration; gives Blender's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hints", type=Path, help="arrows and outlines of what moves")
    parser.add_argument("--width", type=int, default=640, help="of the video")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    extension = build.build(chosen.folder.resolve())
    with tempfile.TemporaryDirectory() as profile:
        environment = {**os.environ, "BLENDER_USER_RESOURCES": profile}
        environment.pop("PYTHONPATH", None)
        hints = str(chosen.hints.resolve()) if chosen.hints else ""
        places = [str(extension), str(chosen.photo.resolve()), hints, str(chosen.folder.resolve())]
        program = [sys.executable, "-c", _PROGRAM, *places, str(chosen.width)]
        return subprocess.run(program, cwd=profile, env=environment, timeout=1800).returncode


if __name__ == "__main__":
    sys.exit(main())
