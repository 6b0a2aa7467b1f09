"""A machine without this add-on must not deliver wrong frames quietly.

Blender renders a file whose engine is missing with EEVEE and ends with exit code 0 (4.2 to 5.2).
So a file that was saved for the Cine3D engine says so in a property of its scene, and a driver
that needs no Python turns the points magenta when such a file is rendered with EEVEE, the engine
that Blender falls back to. To get EEVEE's points without the add-on, set the scene's custom
property "cine3d_engine" to 0; Cycles and Workbench are not affected. While the add-on is enabled
the property is 0.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..compat import modifier_input_path
from ..names import ADDON
from . import handlers, point_nodes

PROPERTY = "cine3d_engine"
_FALLBACK = 0  # index of EEVEE among the engines, also what a missing engine reads as


def guard(obj: bpy.types.Object, modifier: bpy.types.NodesModifier) -> None:
    """Drive a modifier's guard by the scene's engine and property."""
    curve = obj.driver_add(modifier_input_path(modifier, point_nodes.GUARD))
    driver = curve.driver
    driver.type = "SCRIPTED"
    for name, path in (("engine", "render.engine"), ("wanted", f'["{PROPERTY}"]')):
        variable = driver.variables.new()
        variable.name, variable.type = name, "CONTEXT_PROP"
        variable.targets[0].context_property = "ACTIVE_SCENE"
        variable.targets[0].data_path = path
    driver.expression = f"wanted * (engine == {_FALLBACK})"


def release(obj: bpy.types.Object, modifier: bpy.types.NodesModifier) -> None:
    """Take the driver off a modifier, which may be about to get another group."""
    data, start = obj.animation_data, f'modifiers["{modifier.name}"]'
    for curve in list(data.drivers) if data is not None else ():
        if curve.data_path.startswith(start):
            data.drivers.remove(curve)


def _set_property(value_of: Callable[[bpy.types.Scene], bool]) -> None:
    for scene in bpy.data.scenes:
        if scene.library is None and any(obj.cine3d.is_root for obj in scene.objects):
            scene[PROPERTY] = int(value_of(scene))


@persistent
def _before_saving(*_args) -> None:
    _set_property(lambda scene: scene.render.engine == "CINE3D")


@persistent
def _after_saving_or_loading(*_args) -> None:
    _set_property(lambda scene: False)


def render_command(scene: bpy.types.Scene, blend: Path, binary: str) -> str:
    """A command that renders the file's animation, or fails where the engine is missing."""
    check = (
        "import bpy, sys; "
        "bpy.context.scene.render.engine == 'CINE3D' or sys.exit('the Cine3D engine is missing')"
    )
    words = [
        binary,
        "--background",
        "--python-exit-code",
        "1",
        "--addons",
        ADDON,
        str(blend),
        "--scene",
        scene.name,
        "--python-expr",
        check,
        "--render-anim",
    ]
    return shlex.join(words)


class CINE3D_OT_copy_render_command(bpy.types.Operator):
    """Copy a command line that renders this file and fails where the add-on is missing"""

    bl_idname = "cine3d.copy_render_command"
    bl_label = "Copy Render Command"

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if not bpy.data.filepath:
            cls.poll_message_set("Save the file first")
            return False
        return True

    def execute(self, context: bpy.types.Context):
        binary = bpy.app.binary_path or "blender"
        command = render_command(context.scene, Path(bpy.data.filepath), binary)
        context.window_manager.clipboard = command
        self.report({"INFO"}, command)
        return {"FINISHED"}


CLASSES = (CINE3D_OT_copy_render_command,)
_HANDLERS = (
    ("save_pre", _before_saving),
    ("save_post", _after_saving_or_loading),
    ("save_post_fail", _after_saving_or_loading),
    ("load_post", _after_saving_or_loading),
)


def register() -> None:
    """Watch saving and loading."""
    handlers.add(_HANDLERS)


def unregister() -> None:
    """Stop watching."""
    handlers.remove(_HANDLERS)
