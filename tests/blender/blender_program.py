"""Blender's command line on `bpy`, as far as the documentation uses it.

The `bpy` wheel is Blender without its program. This reads the arguments in their order, as Blender
does: `python -m tests.blender.blender_program --background FILE ... --render-anim`, or `--command
NAME ...` for a command that an add-on has registered. The add-on is the repository's.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback
from collections.abc import Sequence

import bpy

import blender_addon
from blender_addon.ui import commands


def run(words: Sequence[str]) -> int:
    """Obey the arguments one after the other; gives the exit code."""
    code_of_errors, rest = 0, list(words)
    while rest:
        option = rest.pop(0)
        scene = bpy.context.scene
        try:
            match option:
                case "--background":
                    bpy.ops.wm.open_mainfile(filepath=os.path.abspath(rest.pop(0)))
                case "--command":
                    assert rest.pop(0) == "cine3d", "no other add-on has registered a command"
                    return commands.main(rest)
                case "--python-exit-code":
                    code_of_errors = int(rest.pop(0))
                case "--python-expr":
                    exec(rest.pop(0), {"__name__": "__main__"})
                case "--render-output":
                    scene.render.filepath = rest.pop(0)
                case "--frame-start":
                    scene.frame_start = int(rest.pop(0))
                case "--frame-end":
                    scene.frame_end = int(rest.pop(0))
                case "--render-anim":
                    bpy.ops.render.render(animation=True)
                case _:
                    raise AssertionError(f"Blender's option {option} is not known here")
        except Exception:
            traceback.print_exc()
            if code_of_errors:
                return code_of_errors
    return 0


def main() -> int:
    """Run with the add-on registered, and unregister it: Blender 4.5 would hang otherwise."""
    faulthandler.dump_traceback_later(600, exit=True, file=sys.__stderr__)
    blender_addon.register()
    addons = bpy.context.preferences.addons
    addons.new().module = "blender_addon"
    python = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
    addons["blender_addon"].preferences.python_path = python
    try:
        return run(sys.argv[1:])
    finally:
        blender_addon.unregister()


if __name__ == "__main__":
    sys.exit(main())
