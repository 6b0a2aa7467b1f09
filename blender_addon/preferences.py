"""Preferences: which Python does the work, on what device, and whether it is fit for it."""

from __future__ import annotations

import os
import sys
import textwrap
from types import SimpleNamespace

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from . import setup_worker

_DEVICES = (
    ("auto", "Automatic", "A graphics card where there is a usable one"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
)
_LINE = 90  # characters of a line of the status


_DEFAULTS = SimpleNamespace(
    python_path="", device="auto", memory_mb=0, status="", play_after_import=True
)


class CINE3D_AddonPreferences(bpy.types.AddonPreferences):
    """See the module."""

    bl_idname = __package__

    python_path: StringProperty(
        name="Python",
        description="Python with PyTorch that does the work; empty takes what Set Up has made",
        subtype="FILE_PATH",
    )
    device: EnumProperty(name="Device", description="What computes", items=_DEVICES)
    memory_mb: IntProperty(
        name="Memory Limit",
        description="Megabytes of memory the worker may use, 0 for no limit (Linux only)",
        default=0,
        min=0,
        max=1 << 20,
    )
    play_after_import: BoolProperty(
        name="Play After Import",
        description="Start playing when a photo has been imported",
        default=True,
    )
    status: StringProperty(options={"SKIP_SAVE"})

    def draw(self, context):
        layout = self.layout
        _draw_state(layout.box(), context, self.status)
        layout.use_property_split = True
        layout.prop(self, "python_path", placeholder=worker_python())
        layout.prop(self, "device")
        layout.prop(self, "memory_mb")
        layout.prop(self, "play_after_import")
        layout.operator("cine3d.copy_system_info")


def _draw_state(layout: bpy.types.UILayout, context, status: str) -> None:
    """What is the matter first, and beside it the button that helps."""
    from . import jobs  # which needs this module

    text, good = state(status)
    row = layout.row()
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, _LINE)]
    column = row.column(align=True)
    for number, line in enumerate(lines):
        column.label(text=line, icon=("CHECKMARK" if good else "ERROR") if not number else "BLANK1")
    column = row.column(align=True)
    column.ui_units_x = 6
    if is_set_up():
        column.operator("cine3d.check")
    column.operator("cine3d.set_up", text="Set Up Again" if is_set_up() else "Set Up")
    if not bpy.app.online_access and not is_set_up():
        layout.label(text="Set Up downloads; allow it first:")
        if not bpy.app.online_access_override:
            layout.prop(context.preferences.system, "use_online_access")
        else:
            layout.label(text="Blender was started with --offline-mode; start it without")
    setup_worker.draw_progress(layout)
    jobs.draw_progress(layout)


def state(status: str) -> tuple[str, bool]:
    """Words for the state of the worker, and whether all is well.

    Args:
        status: what Set Up or Check said last.
    """
    if status:
        return status, status.startswith("Works")
    if is_set_up():
        return "Set up; Check tells whether everything works.", True
    return "Not set up yet: Cine3D needs a second Python with PyTorch for the heavy work.", False


def get() -> CINE3D_AddonPreferences | SimpleNamespace:
    """The add-on's preferences; what Blender starts with `--addons` has none, so the defaults."""
    entry = bpy.context.preferences.addons.get(__package__)
    return _DEFAULTS if entry is None else entry.preferences


def _chosen_python() -> str:
    return bpy.path.abspath(get().python_path) or os.environ.get("CINE3D_WORKER_PYTHON", "")


def worker_python() -> str:
    """The Python that does the work: chosen, given by the environment, or made by Set Up."""
    if chosen := _chosen_python():
        return chosen
    return str(setup_worker.environment_python()) if setup_worker.is_complete() else sys.executable


def is_set_up() -> bool:
    """Whether somebody has chosen or made a Python for the work; Check says whether it works."""
    chosen = _chosen_python()
    return os.path.isfile(chosen) if chosen else setup_worker.is_complete()


class CINE3D_OT_show_preferences(bpy.types.Operator):
    """Show the add-on's preferences, where it is set up"""

    bl_idname = "cine3d.show_preferences"
    bl_label = "Cine3D Preferences"
    bl_options = {"INTERNAL"}

    def execute(self, context):
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


CLASSES = (CINE3D_AddonPreferences, CINE3D_OT_show_preferences)
