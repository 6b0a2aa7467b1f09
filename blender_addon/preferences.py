"""Preferences: which Python does the work, on what device, and whether it is fit for it."""

from __future__ import annotations

import textwrap

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .names import ADDON
from .worker import jobs, python, set_up, shelf

_DEVICES = (
    ("auto", "Automatic", "A graphics card, if a usable one is found"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
)
_LINE = 90  # characters of a line of the status


class CINE3D_AddonPreferences(bpy.types.AddonPreferences):
    """See the module."""

    bl_idname = ADDON

    python_path: StringProperty(
        name="Python",
        description="Python with PyTorch for building and rendering. "
        "Leave empty to use the one from Set Up",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device", description="Processor used for building and rendering", items=_DEVICES
    )
    memory_mb: IntProperty(
        name="Memory Limit",
        description="Megabytes of memory the worker may use, 0 for no limit (Linux only)",
        default=0,
        min=0,
        max=1 << 20,
    )
    cpu_allowed: BoolProperty(
        name="Draw on the CPU If the Card Fails",
        description="Frames that the graphics card cannot draw are drawn by the processor, more "
        "slowly. Otherwise rendering stops with an error",
        default=False,
    )
    play_after_import: BoolProperty(
        name="Play After Import",
        description="Start playing when a photo has been imported",
        default=True,
    )
    status: StringProperty(options={"SKIP_SAVE"})

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        _draw_state(layout.box(), context, self.status)
        layout.use_property_split = True
        layout.prop(self, "python_path", placeholder=python.executable())
        layout.prop(self, "device")
        column = layout.column()
        column.enabled = self.device != "cpu"
        column.prop(self, "cpu_allowed")
        layout.prop(self, "memory_mb")
        layout.prop(self, "play_after_import")
        if python.is_set_up():
            shelf.draw_list(layout.box())
        layout.operator("cine3d.copy_system_info")


def _draw_state(layout: bpy.types.UILayout, context: bpy.types.Context, status: str) -> None:
    """What is the matter first, and beside it the button that helps."""
    text, good = state(status)
    row = layout.row()
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, _LINE)]
    column = row.column(align=True)
    for number, line in enumerate(lines):
        column.label(text=line, icon=("CHECKMARK" if good else "ERROR") if not number else "BLANK1")
    column = row.column(align=True)
    column.ui_units_x = 6
    if python.is_set_up():
        column.operator("cine3d.check")
    column.operator("cine3d.set_up", text="Set Up Again" if python.is_set_up() else "Set Up")
    if not bpy.app.online_access and not python.is_set_up():
        layout.label(text="Set Up downloads; allow it first:")
        if not bpy.app.online_access_override:
            layout.prop(context.preferences.system, "use_online_access")
        else:
            layout.label(text="Blender was started with --offline-mode; start it without")
    set_up.draw_progress(layout)
    jobs.draw_progress(layout)


def state(status: str) -> tuple[str, bool]:
    """Words for the state of the worker, and whether all is well.

    Args:
        status: what Set Up or Check said last.
    """
    if status:
        return status, status.startswith("Works")
    if python.is_set_up():
        return "Set up. Press Check to see whether everything works.", True
    return "Not set up yet: Cine3D needs a second Python with PyTorch for the heavy work.", False


class CINE3D_OT_show_preferences(bpy.types.Operator):
    """Show the add-on's preferences, where it is set up"""

    bl_idname = "cine3d.show_preferences"
    bl_label = "Cine3D Preferences"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context):
        bpy.ops.preferences.addon_show(module=ADDON)
        return {"FINISHED"}


CLASSES = (CINE3D_AddonPreferences, CINE3D_OT_show_preferences)
