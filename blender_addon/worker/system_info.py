"""Copy System Info: what a bug report needs, without names of people and their folders."""

from __future__ import annotations

import getpass
import platform
import re
from pathlib import Path

import bpy

from cine3d_core import __version__
from cine3d_core.imaging.driver import driver_says

from . import jobs, python
from .client import LOG_NAME

LOG_LINES = 40


def system_info() -> str:
    """Versions, hardware, settings and the end of the worker's log, as text."""
    chosen = python.preferences()
    facts = {
        "Cine3D": __version__,
        "Blender": f"{bpy.app.version_string}, {_text(bpy.app.build_branch)} "
        f"{_text(bpy.app.build_hash)}, {'background' if bpy.app.background else 'window'}",
        "System": platform.platform(),
        "Processor": platform.processor() or platform.machine(),
        "Graphics": _graphics(),
        "NVIDIA card": ", driver ".join(driver_says() or ()) or "none",
        "Blender's Python": platform.python_version(),
        "Worker's Python": python.executable(),
        "Device": chosen.device,
        "Memory limit": f"{chosen.memory_mb} MB" if chosen.memory_mb else "none",
        "Last check": chosen.status or "none; press Check",
    }
    lines = [f"{name}: {value}" for name, value in facts.items()]
    return without_names("\n".join([*lines, "", "End of the worker's log:", *_log_tail()]))


def without_names(text: str) -> str:
    """The text with the home folder as ~ and the person's name, as a word, as USER."""
    text = text.replace(str(Path.home()), "~")
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may know no names
        return text
    return re.sub(rf"(?<![\w~]){re.escape(name)}(?!\w)", "USER", text) if len(name) > 2 else text


def _graphics() -> str:
    import gpu  # raises where there is no window to draw in

    try:
        return f"{gpu.platform.renderer_get()}, {gpu.platform.version_get()}"
    except SystemError:
        return "unknown in background mode"


def _log_tail() -> list[str]:
    folder = jobs.log_folder()
    try:
        text = (folder / LOG_NAME).read_text(encoding="utf-8", errors="replace") if folder else ""
    except OSError:
        text = ""
    return text.splitlines()[-LOG_LINES:] or ["(nothing yet)"]


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class CINE3D_OT_copy_system_info(bpy.types.Operator):
    """Copy versions, hardware and the end of the log for a bug report; names are left out"""

    bl_idname = "cine3d.copy_system_info"
    bl_label = "Copy System Info"

    def execute(self, context: bpy.types.Context):
        text = system_info()
        context.window_manager.clipboard = text
        if bpy.app.background:  # where there is no clipboard
            print(text)
        self.report({"INFO"}, f"{len(text.splitlines())} lines copied; paste them into your report")
        return {"FINISHED"}


CLASSES = (CINE3D_OT_copy_system_info,)
