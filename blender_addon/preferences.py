"""Preferences: which Python does the work, on what device, and whether it is fit for it."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from . import setup_worker

_DEVICES = (
    ("auto", "Automatic", "A graphics card where there is a usable one"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
)


_DEFAULTS = SimpleNamespace(python_path="", device="auto", memory_mb=0, status="")


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
    status: StringProperty(options={"SKIP_SAVE"})

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python_path", placeholder=worker_python())
        layout.prop(self, "device")
        layout.prop(self, "memory_mb")
        row = layout.row()
        row.operator("cine3d.set_up")
        row.operator("cine3d.check")
        row.operator("cine3d.copy_system_info")
        setup_worker.draw_progress(layout)
        for line in self.status.splitlines():
            layout.label(text=line)


def get() -> CINE3D_AddonPreferences | SimpleNamespace:
    """The add-on's preferences; what Blender starts with `--addons` has none, so the defaults."""
    entry = bpy.context.preferences.addons.get(__package__)
    return _DEFAULTS if entry is None else entry.preferences


def worker_python() -> str:
    """The Python that does the work: chosen, given by the environment, or made by Set Up."""
    chosen = bpy.path.abspath(get().python_path) or os.environ.get("CINE3D_WORKER_PYTHON")
    if chosen:
        return chosen
    made = setup_worker.environment_python()
    return str(made) if made.is_file() else sys.executable


CLASSES = (CINE3D_AddonPreferences,)
