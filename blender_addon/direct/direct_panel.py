"""The list of regions in the sidebar, and what its buttons do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from cine3d_core.motion_kinds import KINDS

from ..scene import build_choices, photo_scene, scene_files, timing
from ..scene.photo_operator import PhotoWorkerOperator
from ..worker import jobs
from . import direct_content, masks
from .direct_properties import CINE3D_PG_direct, CINE3D_PG_region

_MODE_ICONS = {"flow": "FORCE_WIND", "sway": "FORCE_HARMONIC", "shimmer": "MOD_OCEAN"}


class CINE3D_UL_regions(bpy.types.UIList):
    """One line for each region: colour, name, how it moves, frozen, shown"""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: CINE3D_PG_direct,
        item: CINE3D_PG_region,
        icon: int,
        active_data: CINE3D_PG_direct,
        active_property: str,
        index: int,
    ):
        row = layout.row(align=True)
        chip = row.row()
        chip.ui_units_x = 0.8
        chip.prop(item, "colour", text="")
        row.prop(item, "name", text="", emboss=False, placeholder=f"Region {index + 1}")
        row.label(text="", icon="PINNED" if item.rests else _MODE_ICONS.get(item.mode, "DOT"))
        row.prop(item, "rests", text="", icon="FREEZE", emboss=False)
        shown = "HIDE_OFF" if item.visible else "HIDE_ON"
        row.prop(item, "visible", text="", icon=shown, emboss=False)


class CINE3D_PT_regions(bpy.types.Panel):
    """Motion of each region"""

    bl_label = "Regions"
    bl_order = 2
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Cine3D"

    @classmethod
    def poll(cls, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        return root is not None and root.library is None

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        direct = photo_scene.active_root(context).cine3d_direct
        row = layout.row()
        row.template_list(
            "CINE3D_UL_regions", "", direct, "regions", direct, "active", rows=4, type="DEFAULT"
        )
        column = row.column(align=True)
        column.operator("cine3d.region_add", text="", icon="ADD")
        column.operator("cine3d.region_remove", text="", icon="REMOVE")
        column.separator()
        column.operator("cine3d.region_move", text="", icon="TRIA_UP").up = True
        column.operator("cine3d.region_move", text="", icon="TRIA_DOWN").up = False
        region = direct.active_region()
        if region is not None:
            draw_region(layout, region)
        if direct.strokes:
            row = layout.row(align=True)
            row.label(text=f"{len(direct.strokes)} strokes and pins")
            row.operator("cine3d.strokes_clear", text="", icon="X")
        row = layout.row(align=True)
        row.operator("cine3d.directions_import", text="Load")
        row.operator("cine3d.directions_export", text="Save")


def draw_region(layout: bpy.types.UILayout, region: bpy.types.PropertyGroup) -> None:
    """What can be chosen for one region."""
    if region.is_base:
        layout.label(text="The whole photo; strokes correct it")
        return
    column = layout.column()
    column.prop(region, "place")
    if region.place == "FLUID":
        column.prop(region, "fluid")
    elif region.place == "PICTURE":
        column.prop(region, "picture")
    column.prop(region, "rests")
    moving = layout.column()
    moving.active = not region.rests
    moving.prop(region, "mode")
    moving.prop(region, "direction")
    moving.prop(region, "speed")
    moving.prop(region, "cycles")
    for key in KINDS[region.mode].keys:
        moving.prop(region, key)
    if region.arrows:
        row = layout.row(align=True)
        row.label(text=f"{len(region.arrow_list())} arrows")
        row.operator("cine3d.region_clear_arrows", text="", icon="X")


class CINE3D_OT_region_add(masks.NeedsPhoto, bpy.types.Operator):
    """Add a region. Draw on it with the tool Cine3D Motion, or choose a kind found in the photo"""

    bl_idname = "cine3d.region_add"
    bl_label = "Add Region"
    bl_options = {"REGISTER", "UNDO"}

    mode: EnumProperty(
        name="Motion",
        description="How the region moves",
        items=[(kind.name, kind.label, kind.description) for kind in KINDS.values()],
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context):
        region = photo_scene.active_root(context).cine3d_direct.new_region()
        region.mode = self.mode
        return {"FINISHED"}


class _NeedsRegion(masks.NeedsPhoto):
    """Operators on the active region."""

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if not super().poll(context):
            return False
        if photo_scene.active_root(context).cine3d_direct.active_region() is None:
            cls.poll_message_set("There is no region; add one first")
            return False
        return True


class CINE3D_OT_region_remove(_NeedsRegion, bpy.types.Operator):
    """Remove the active region"""

    bl_idname = "cine3d.region_remove"
    bl_label = "Remove Region"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        direct, gone = root.cine3d_direct, root.cine3d_direct.active
        direct.regions.remove(gone)
        left = len(direct.regions)
        timing.move_keys(root, {n + (n >= gone): n for n in range(left)})
        direct.active = max(0, min(gone, left - 1))
        return {"FINISHED"}


class CINE3D_OT_region_move(_NeedsRegion, bpy.types.Operator):
    """Move the active region in the list; lower ones lie over those above them"""

    bl_idname = "cine3d.region_move"
    bl_label = "Move Region"
    bl_options = {"REGISTER", "UNDO"}

    up: BoolProperty(name="Up", description="Towards the start of the list", default=True)

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        direct, start = root.cine3d_direct, root.cine3d_direct.active
        target = start + (-1 if self.up else 1)
        if not 0 <= target < len(direct.regions):
            return {"CANCELLED"}
        direct.regions.move(start, target)
        places = {n: n for n in range(len(direct.regions))}
        timing.move_keys(root, places | {start: target, target: start})
        direct.active = target
        return {"FINISHED"}


class CINE3D_OT_region_clear_arrows(_NeedsRegion, bpy.types.Operator):
    """Remove the arrows of the active region"""

    bl_idname = "cine3d.region_clear_arrows"
    bl_label = "Clear Arrows"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        photo_scene.active_root(context).cine3d_direct.active_region().set_arrows([])
        return {"FINISHED"}


class CINE3D_OT_strokes_clear(masks.NeedsPhoto, bpy.types.Operator):
    """Remove all strokes and pins"""

    bl_idname = "cine3d.strokes_clear"
    bl_label = "Clear Strokes"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        photo_scene.active_root(context).cine3d_direct.strokes.clear()
        return {"FINISHED"}


class _WithFile(masks.NeedsPhoto, PhotoWorkerOperator):
    """Operators that hand a file of directions to the worker."""

    def arguments(self, root: bpy.types.Object) -> dict[str, object]:
        """What both directions of the way need."""
        return {
            "photo": str(scene_files.photo_file(root)),
            "settings": build_choices.build_settings(root.cine3d.choices),
            "path": str(Path(bpy.path.abspath(self.filepath))),
        }


class CINE3D_OT_directions_import(_WithFile, bpy.types.Operator, ImportHelper):
    """Replace regions and strokes with those of a Cine3D or labelme file"""

    bl_idname = "cine3d.directions_import"
    bl_label = "Load Directions"
    bl_options: set[str] = set()

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root = photo_scene.active_root(context)
        uid = root.session_uid

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            root = photo_scene.by_session_uid(context.scene, uid)
            count = direct_content.take(root, arrays["drawing"])
            return jobs.Told(f"{root.name} is directed by {count} regions of the file")

        return jobs.Plan("Load Directions", "read_directions", self.arguments(root), deliver)


class CINE3D_OT_directions_export(_WithFile, bpy.types.Operator, ExportHelper):
    """Write regions and strokes as JSON, in pixels of the photo, for the command line and others"""

    bl_idname = "cine3d.directions_export"
    bl_label = "Save Directions"
    bl_options: set[str] = set()

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root = photo_scene.active_root(context)
        drawing = direct_content.sent(root)
        if not drawing:
            raise ValueError("nothing is drawn that could be saved; add a region or draw an arrow")
        path = bpy.path.abspath(self.filepath)

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            return jobs.Told(f"{value['regions']} regions are in {path}")

        return jobs.Plan(
            "Save Directions",
            "write_directions",
            self.arguments(root),
            deliver,
            drawing,
            changes_file=False,
        )


CLASSES = (
    CINE3D_UL_regions,
    CINE3D_PT_regions,
    CINE3D_OT_region_add,
    CINE3D_OT_region_remove,
    CINE3D_OT_region_move,
    CINE3D_OT_region_clear_arrows,
    CINE3D_OT_strokes_clear,
    CINE3D_OT_directions_import,
    CINE3D_OT_directions_export,
)
