"""The tab "Cine3D" in the 3D view's sidebar, and the engine's own passes."""

from __future__ import annotations

import bpy

from ..compat import modifier_input
from ..scene import first_look, photo_points, photo_scene, point_nodes, scene_files
from ..scene.photo_operator import PhotoOperator
from ..worker import jobs, python
from . import import_photo


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Cine3D"


class _PhotoSidebar(_Sidebar):
    """Panels that mean nothing without a photo."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context):
        return photo_scene.active_root(context) is not None


class CINE3D_PT_photo(_Sidebar, bpy.types.Panel):
    """Import, build and progress"""

    bl_label = "Photo"

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        root = photo_scene.active_root(context)
        jobs.draw_progress(layout)
        if root is None:
            draw_start(layout)
            return
        layout.operator("cine3d.import_photo", text="Import Photo", icon="IMAGE_DATA")
        if root.library is not None:
            layout.label(text=f"{root.name} is linked", icon="LINKED")
            return
        layout.prop(root.cine3d, "photo")
        row = layout.row(align=True)
        row.prop(root.cine3d, "scene_file")
        row.operator("cine3d.relink", text="", icon="LINKED")
        if not draw_advice(layout, context, root):
            layout.label(text=_size_of_files(root))
        layout.operator("cine3d.rebuild")


def draw_start(layout: bpy.types.UILayout) -> None:
    """The way to a first loop, in three steps, where there is no photo yet."""
    column = layout.column(align=True)
    column.scale_y = 1.3
    column.operator("cine3d.import_photo", text="1  Import Photo", icon="IMAGE_DATA")
    column.operator("cine3d.propose_mask", text="2  Propose Motion", icon="BRUSH_DATA")
    column.operator("cine3d.render_loop", text="3  Render Loop", icon="RENDER_ANIMATION")
    if not python.is_set_up():
        layout.label(text="Cine3D is not set up yet", icon="ERROR")
        layout.operator("cine3d.show_preferences", text="Set Up", icon="PREFERENCES")


def draw_advice(
    layout: bpy.types.UILayout, context: bpy.types.Context, root: bpy.types.Object
) -> bool:
    """What needs the artist's attention, a line each; whether there is anything."""
    lines = advice(context.scene, root)
    for line in lines:
        layout.label(text=line, icon="INFO")
    return bool(lines)


def advice(scene: bpy.types.Scene, root: bpy.types.Object) -> list[str]:
    """What the Cine3D engine draws differently from what the 3D view shows."""
    lines = []
    if scene_files.find(root, "scene_file") is None:
        lines.append("Scene file is missing: Relink or Build")
    elif root.cine3d.layout < photo_scene.LAYOUT:
        lines.append("Made by an earlier Cine3D: Build Again")
    if scene.render.engine == "CINE3D":
        lines += [f"Not rendered: {edit}" for edit in photo_points.edits_of(root)]
        if others := other_objects(scene):
            lines.append(f"Not rendered: {others} other object(s)")
    return lines


def other_objects(scene: bpy.types.Scene) -> int:
    """How many objects would be rendered by any engine but ours."""
    kinds = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME"}
    return sum(
        obj.type in kinds and not obj.hide_render and photo_scene.root_of(obj) is None
        for obj in scene.objects
    )


def _size_of_files(root: bpy.types.Object) -> str:
    """Points in the view and megabytes on disk."""
    return f"{root.cine3d.num_points / 1e6:.2f} M points, {_megabytes(root):.0f} MB on disk"


def _megabytes(root: bpy.types.Object) -> float:
    path = scene_files.find(root, "scene_file")
    return path.stat().st_size / 1e6 if path else 0.0


class CINE3D_PT_build(_Sidebar, bpy.types.Panel):
    """Settings of the next build"""

    bl_label = "Build Settings"
    bl_parent_id = "CINE3D_PT_photo"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        root = photo_scene.active_root(context)
        choices = context.scene.cine3d if root is None else root.cine3d.choices
        import_photo.draw_build_choices(layout, choices)
        layout.operator("cine3d.free_memory")


class CINE3D_PT_motion(_PhotoSidebar, bpy.types.Panel):
    """Mask, arrows and their preview"""

    bl_label = "Motion"
    bl_order = 1

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        root = photo_scene.active_root(context)
        choices = root.cine3d.choices
        layout.label(text="Mask: what moves is white")
        layout.template_ID(choices, "mask", open="image.open")
        row = layout.row(align=True)
        row.operator("cine3d.propose_mask", text="Propose")
        row.operator("cine3d.new_mask", text="New")
        row.operator("cine3d.paint_mask", text="Paint")
        row = layout.row(align=True)
        row.operator("cine3d.add_arrow", icon="FORWARD")
        row.prop(root.cine3d, "show_directions", text="", icon="HIDE_OFF")
        column = layout.column()
        column.prop(choices, "speed", text="All Arrows")
        obj = context.object
        if obj is not None and obj.cine3d_arrow.is_arrow:
            column.prop(obj.cine3d_arrow, "speed", text="This Arrow")
            column.prop(obj.cine3d_arrow, "mode")
            column.prop(obj.cine3d_arrow, "cycles")
        column.prop(choices, "use_annotations")
        column.prop(choices, "hints_file")
        row = layout.row(align=True)
        row.operator("cine3d.preview_motion")
        row.operator("cine3d.hide_motion", text="", icon="HIDE_ON")
        layout.operator("cine3d.rebuild")


class CINE3D_PT_points(_PhotoSidebar, bpy.types.Panel):
    """Appearance and timing of the points"""

    bl_label = "Points and Time"
    bl_order = 3

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        root = photo_scene.active_root(context)
        column = layout.column(align=True)
        column.prop(root.cine3d, "first_frame")
        frames = root.cine3d.num_frames
        seconds = frames * context.scene.render.fps_base / context.scene.render.fps
        column.label(text=f"Loop: {frames} frames, {seconds:.1f} s")
        for obj in photo_points.point_objects(root):
            column = layout.column(align=True)
            column.label(text=obj.name)  # as a heading it would give way to the names of numbers
            for name in point_nodes.LOOKS:
                owner, attribute = modifier_input(photo_points.points_modifier(obj), name)
                # as older files name it, too, but short enough for the sidebar
                column.prop(owner, attribute, text=name.replace("Viewport", "View"))
        row = layout.row(align=True)
        row.operator("cine3d.points_look", text="Set All")
        row.operator("cine3d.set_timeline", text="Set Timeline")


class CINE3D_PT_loop(_PhotoSidebar, bpy.types.Panel):
    """The finished loop in one click"""

    bl_label = "Render"
    bl_order = 5

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.operator("cine3d.render_loop", icon="RENDER_ANIMATION")
        layout.operator("cine3d.look_through", icon="VIEW_CAMERA")
        draw_advice(layout, context, photo_scene.active_root(context))


class CINE3D_OT_look_through(PhotoOperator, bpy.types.Operator):
    """Look through the photo's camera, in colour, and play"""

    bl_idname = "cine3d.look_through"
    bl_label = "Look and Play"
    bl_options: set[str] = set()

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        if not first_look.look_through(context, context.scene, root, play=True):
            self.report({"WARNING"}, "There is no 3D view to show it in, or no camera")
            return {"CANCELLED"}
        return {"FINISHED"}


class CINE3D_OT_points_look(PhotoOperator, bpy.types.Operator):
    """Set size and density of all points of the photo at once"""

    bl_idname = "cine3d.points_look"
    bl_label = "Set Size and Density"
    bl_options = {"REGISTER", "UNDO"}

    point_size: bpy.props.FloatProperty(
        name="Point Size",
        description="Radius; 1 leaves no gaps seen from the photo",
        default=1.0,
        min=0,
        max=10,
    )
    viewport_density: bpy.props.FloatProperty(
        name="View Density",
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

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        values = {
            "Point Size": self.point_size,
            "Viewport Density": self.viewport_density,
            "Render Density": self.render_density,
        }
        photo_points.set_look(root, values)
        return {"FINISHED"}


class CINE3D_OT_set_timeline(PhotoOperator, bpy.types.Operator):
    """Set the frame range to one loop, which begins at the first frame"""

    bl_idname = "cine3d.set_timeline"
    bl_label = "Set Timeline to Loop"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        photo_scene.set_timeline(context.scene, photo_scene.active_root(context))
        return {"FINISHED"}


class _EngineProperties:
    """Panels of the Properties editor for what renders with the Cine3D engine."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"

    @classmethod
    def poll(cls, context: bpy.types.Context):
        return context.engine == "CINE3D"


class CINE3D_PT_passes(_EngineProperties, bpy.types.Panel):
    """Passes of the view layer"""

    bl_label = "Passes"
    bl_context = "view_layer"

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        view_layer = context.view_layer
        column = layout.column(heading="Include")
        column.prop(view_layer, "use_pass_z", text="Depth")
        column.prop(view_layer, "use_pass_vector", text="Vector")
        column.prop(view_layer.cine3d, "use_pass_moving")


class CINE3D_PT_film(_EngineProperties, bpy.types.Panel):
    """Render settings that the engine uses"""

    bl_label = "Film"
    bl_context = "render"

    def draw(self, context: bpy.types.Context):
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
    CINE3D_PT_loop,
    CINE3D_OT_look_through,
    CINE3D_OT_points_look,
    CINE3D_OT_set_timeline,
    CINE3D_PT_passes,
    CINE3D_PT_film,
)
