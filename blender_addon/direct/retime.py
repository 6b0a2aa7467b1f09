"""The loop's own time in the sidebar: freeze, slow down, speed up, with keys."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty

from ..scene import cameras, photo_scene, timing
from . import masks

_SPEEDS = (("Freeze", 0.0), ("Half", 0.5), ("Normal", 1.0), ("Double", 2.0))


class CINE3D_OT_retime(masks.NeedsPhoto, bpy.types.Operator):
    """Let the photo move at another speed from the current frame on, by keys of Loop Frame"""

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

    def execute(self, context: bpy.types.Context):
        scene, root = context.scene, photo_scene.active_root(context)
        now = cameras.loop_frame(scene, root)
        timing.run_from(root, scene.frame_current, self.speed, now)
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
        row = layout.row(align=True)
        for name, speed in _SPEEDS:
            row.operator("cine3d.retime", text=name).speed = speed


CLASSES = (CINE3D_OT_retime, CINE3D_PT_time)
