"""Presets of the build settings: a few come with the add-on, the artist adds others."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase

_FOLDER = "cine3d/import"
_HOME = str(Path(__file__).parents[1])  # holds the folder "presets"


class CINE3D_MT_build_presets(bpy.types.Menu):
    """Build settings to choose from"""

    bl_label = "Build Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class CINE3D_OT_add_build_preset(AddPresetBase, bpy.types.Operator):
    """Keep the build settings as a preset, or remove one"""

    bl_idname = "cine3d.add_build_preset"
    bl_label = "Add Build Preset"
    preset_menu = "CINE3D_MT_build_presets"
    preset_subdir = _FOLDER
    preset_defines = ["choices = bpy.context.scene.cine3d.chosen"]
    preset_values = ["choices.preset", "choices.size", "choices.frames", "choices.fps"]


def draw_presets(layout: bpy.types.UILayout) -> None:
    """The menu, with buttons that add and remove."""
    row = layout.row(align=True)
    row.menu(CINE3D_MT_build_presets.__name__, text=CINE3D_MT_build_presets.bl_label)
    row.operator("cine3d.add_build_preset", text="", icon="ADD")
    row.operator("cine3d.add_build_preset", text="", icon="REMOVE").remove_active = True


CLASSES = (CINE3D_MT_build_presets, CINE3D_OT_add_build_preset)


def register() -> None:
    """Show Blender where our presets lie."""
    bpy.utils.register_preset_path(_HOME)


def unregister() -> None:
    """Undo `register`."""
    bpy.utils.unregister_preset_path(_HOME)
