"""The tab "Cine3D" in the 3D view's sidebar, and the engine's own passes."""

from __future__ import annotations

import bpy

from . import import_photo, jobs, photo_scene
from .compat import modifier_input


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Cine3D"


class _PhotoSidebar(_Sidebar):
    """Panels that mean nothing without a photo."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return photo_scene.active_root(context) is not None


class CINE3D_PT_photo(_Sidebar, bpy.types.Panel):
    """Import, build and progress"""

    bl_label = "Photo"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        root = photo_scene.active_root(context)
        layout.operator("cine3d.import_photo", text="Import Photo", icon="IMAGE_DATA")
        if jobs.running():
            row = layout.row(align=True)
            job = jobs.current
            row.progress(factor=job.fraction, type="BAR", text=job.stage)
            row.operator("cine3d.cancel", text="", icon="X")
        if root is not None:
            layout.prop(root.cine3d, "photo")
            layout.prop(root.cine3d, "scene_file")
            row = layout.row(align=True)
            row.operator("cine3d.rebuild")
            row.operator("cine3d.relink", text="", icon="FILE_FOLDER")


class CINE3D_PT_build(_Sidebar, bpy.types.Panel):
    """Choices of the next build"""

    bl_label = "Build Settings"
    bl_parent_id = "CINE3D_PT_photo"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        import_photo.draw_build_choices(layout, context.scene.cine3d)
        layout.operator("cine3d.free_memory")


class CINE3D_PT_motion(_PhotoSidebar, bpy.types.Panel):
    """Mask, arrows and their preview"""

    bl_label = "Motion"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        choices = context.scene.cine3d
        layout.template_ID(choices, "mask", open="image.open")
        layout.prop(choices, "hints_file")
        row = layout.row(align=True)
        row.operator("cine3d.new_mask")
        row.operator("cine3d.propose_mask")
        layout.operator("cine3d.add_arrow", icon="FORWARD")
        layout.prop(choices, "speed", text="Speed of All Arrows")
        obj = context.object
        if obj is not None and obj.cine3d_arrow.is_arrow:
            layout.prop(obj.cine3d_arrow, "speed", text="Speed of This Arrow")
            layout.prop(obj.cine3d_arrow, "mode")
            layout.prop(obj.cine3d_arrow, "cycles")
        row = layout.row(align=True)
        row.operator("cine3d.preview_motion")
        row.operator("cine3d.hide_motion", text="", icon="HIDE_ON")


class CINE3D_PT_points(_PhotoSidebar, bpy.types.Panel):
    """How the points look"""

    bl_label = "Points"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        root = photo_scene.active_root(context)
        layout.operator("cine3d.points_look")
        layout.operator("cine3d.set_timeline")
        for obj in photo_scene.point_objects(root):
            column = layout.column(heading=obj.name)
            for name in ("Point Size", "Viewport Density", "Render Density"):
                owner, attribute = modifier_input(obj.modifiers[photo_scene.MODIFIER], name)
                column.prop(owner, attribute, text=name)


class CINE3D_OT_points_look(bpy.types.Operator):
    """Set size and density of all points of the photo at once"""

    bl_idname = "cine3d.points_look"
    bl_label = "Set Size and Density"
    bl_options = {"REGISTER", "UNDO"}

    point_size: bpy.props.FloatProperty(
        name="Point Size", description="1 closes the gaps of the photo", default=1.0, min=0, max=10
    )
    viewport_density: bpy.props.FloatProperty(
        name="Viewport Density",
        description="Share of the points shown",
        subtype="FACTOR",
        default=1.0,
        min=0,
        max=1,
    )
    render_density: bpy.props.FloatProperty(
        name="Render Density",
        description="Share of the points that Cycles and EEVEE render",
        subtype="FACTOR",
        default=1.0,
        min=0,
        max=1,
    )

    @classmethod
    def poll(cls, context):
        return photo_scene.active_root(context) is not None

    def execute(self, context):
        root = photo_scene.active_root(context)
        values = {
            "Point Size": self.point_size,
            "Viewport Density": self.viewport_density,
            "Render Density": self.render_density,
        }
        photo_scene.set_look(root, values)
        return {"FINISHED"}


class CINE3D_OT_set_timeline(bpy.types.Operator):
    """Set the frame range to one loop, which begins at the first frame"""

    bl_idname = "cine3d.set_timeline"
    bl_label = "Set Timeline to Loop"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return photo_scene.active_root(context) is not None

    def execute(self, context):
        photo_scene.set_timeline(context.scene, photo_scene.active_root(context))
        return {"FINISHED"}


class CINE3D_PT_passes(bpy.types.Panel):
    """Passes of the view layer"""

    bl_label = "Passes"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "view_layer"

    @classmethod
    def poll(cls, context):
        return context.engine == "CINE3D"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        view_layer = context.view_layer
        column = layout.column(heading="Include")
        column.prop(view_layer, "use_pass_z", text="Depth")
        column.prop(view_layer, "use_pass_vector", text="Vector")
        column.prop(view_layer.cine3d, "use_pass_moving")


class CINE3D_PT_film(bpy.types.Panel):
    """What the engine uses of the render settings"""

    bl_label = "Film"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    @classmethod
    def poll(cls, context):
        return context.engine == "CINE3D"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(context.scene.render, "film_transparent", text="Transparent")
        row = layout.row()
        row.operator("cine3d.copy_render_command")


CLASSES = (
    CINE3D_PT_photo,
    CINE3D_PT_build,
    CINE3D_PT_motion,
    CINE3D_PT_points,
    CINE3D_OT_points_look,
    CINE3D_OT_set_timeline,
    CINE3D_PT_passes,
    CINE3D_PT_film,
)
