"""The loop's own time in the sidebar: freeze, slow down, speed up, with keys.

The whole photo has such a time, and every region that is built has one.
"""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from ..scene import cameras, photo_scene, timing
from . import masks

_SPEEDS = (("Freeze", 0.0), ("Half", 0.5), ("Normal", 1.0), ("Double", 2.0))


class CINE3D_OT_retime(masks.NeedsPhoto, bpy.types.Operator):
    """Change the speed from the current frame on, by keys of Loop Frame"""

    bl_idname = "cine3d.retime"
    bl_label = "Change Speed From Here"
    bl_options = {"REGISTER", "UNDO"}

    speed: FloatProperty(
        name="Speed",
        description="1 as built, 0 frozen, less than 0 backward",
        default=0.0,
        soft_min=-2.0,
        soft_max=4.0,
    )
    of_region: BoolProperty(
        name="Active Region",
        description="Change the active region alone, not the whole photo",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context):
        scene, root = context.scene, photo_scene.active_root(context)
        now, index = cameras.loop_frame(scene, root), None
        if self.of_region:
            region, index = root.cine3d_direct.active_region(), root.cine3d_direct.active
            if region is None or not region.number:
                self.report({"ERROR"}, "The active region is in no scene yet; click Build Again")
                return {"CANCELLED"}
            now = region.time if region.use_time else now
        timing.run_from(root, scene.frame_current, self.speed, now, region=index)
        return {"FINISHED"}


class CINE3D_PT_time(bpy.types.Panel):
    """Which frame of the loop is shown when"""

    bl_label = "Time"
    bl_order = 4
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Cine3D"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        root = photo_scene.active_root(context)
        return root is not None and root.library is None

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        settings = photo_scene.active_root(context).cine3d
        layout.prop(settings, "use_time")
        row = layout.row()
        row.active = settings.use_time
        row.prop(settings, "time")
        layout.label(text="From the current frame on:")
        _draw_speeds(layout, of_region=False)
        direct = photo_scene.active_root(context).cine3d_direct
        region = direct.active_region()
        if region is None or region.is_base:
            return
        layout.separator()
        layout.prop(region, "use_time", text=region.name or f"Region {direct.active + 1}")
        row = layout.row()
        row.active = region.use_time
        row.prop(region, "time")
        column = layout.column()
        column.enabled = region.number > 0
        column.label(text="From the current frame on:" if region.number else "Build Again first")
        _draw_speeds(column, of_region=True)


def _draw_speeds(layout: bpy.types.UILayout, *, of_region: bool) -> None:
    row = layout.row(align=True)
    for name, speed in _SPEEDS:
        button = row.operator("cine3d.retime", text=name)
        button.speed, button.of_region = speed, of_region


CLASSES = (CINE3D_OT_retime, CINE3D_PT_time)
