"""Cine3D: one still photo becomes a moving, camera-navigable 3D scene in Blender."""

from __future__ import annotations

import atexit
import sys

import bpy

from . import preferences
from .direct import (
    direct_panel,
    direct_properties,
    lens_tool,
    live,
    live_view,
    masks,
    motion_drawing,
    overlay,
    retime,
    tool,
)
from .names import IS_EXTENSION
from .render import camera_moves, coverage, engine, render_loop
from .scene import farm_guard, first_look, old_files, playback, properties, relink, scene_files
from .ui import build_presets, commands, export, import_photo, manual, panels
from .worker import check, jobs, set_up, shelf, system_info

# In the order of registration; a module may need the classes of those before it.
_MODULES = (
    properties,
    direct_properties,
    set_up,
    preferences,
    jobs,
    check,
    shelf,
    scene_files,
    old_files,
    first_look,
    relink,
    masks,
    motion_drawing,
    build_presets,
    import_photo,
    engine,
    farm_guard,
    panels,
    direct_panel,
    retime,
    live,
    tool,
    lens_tool,
    overlay,
    live_view,
    playback,
    camera_moves,
    coverage,
    render_loop,
    export,
    commands,
    system_info,
    manual,
)


def register() -> None:
    """Register all classes and menu entries; fails loudly."""
    for module in _MODULES:
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
        if hasattr(module, "register"):
            module.register()
    # Blender disables add-ons when it ends; as a Python module it does not, and then 4.2 crashes
    # and 4.5 hangs for ever over an engine or a command that is still registered.
    atexit.register(unregister)


def unregister() -> None:
    """Undo `register` in reverse."""
    atexit.unregister(unregister)
    for module in reversed(_MODULES):
        if hasattr(module, "unregister"):
            module.unregister()
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
    if IS_EXTENSION:
        _forget_core()


def _forget_core() -> None:
    """Let the next import of the core read its files again.

    Blender forgets an extension's own modules when it installs another version, but not those of
    its wheels: the new add-on would run the old core.
    """
    for name in [name for name in sys.modules if name.split(".")[0] == "cine3d_core"]:
        del sys.modules[name]
