"""File > Export: the moving points as PLY, Alembic and USD."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import check_output

from ..compat import get_modifier_input, set_modifier_input
from ..scene import coordinates, photo_points, photo_scene, point_nodes, scene_files, timing
from ..scene.photo_operator import PhotoOperator, PhotoWorkerOperator
from ..worker import jobs

_RANGES = (
    ("CURRENT", "Current Frame", "One file"),
    ("RANGE", "Frame Range", "One numbered file for each frame of the scene's range"),
)


class CINE3D_OT_export_ply(PhotoWorkerOperator, bpy.types.Operator, ExportHelper):
    """Write the points of the photo with colour, layer and flow"""

    bl_idname = "cine3d.export_ply"
    bl_label = "Export Cinemagraph Points"

    filename_ext = ".ply"
    filter_glob: StringProperty(default="*.ply", options={"HIDDEN"})
    frames: EnumProperty(name="Frames", description="Frames to write", items=_RANGES)
    apply_transform: BoolProperty(
        name="Apply Transform",
        description="Apply the location, rotation and scale of the photo's object",
        default=True,
    )
    ascii_text: BoolProperty(
        name="ASCII", description="Write readable text; files are large", default=False
    )

    bl_options: set[str] = set()

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root, scene = photo_scene.active_root(context), context.scene
        world = np.array(root.matrix_world) if self.apply_transform else np.eye(4)
        path = Path(bpy.path.abspath(self.filepath))
        frames = [scene.frame_current]
        if self.frames == "RANGE":
            frames = list(range(scene.frame_start, scene.frame_end + 1))
        times = timing.loop_frames(scene, root, frames)
        numbered = {frame: path.with_name(f"{path.stem}_{frame:04d}.ply") for frame in frames}
        arguments = {
            "scene_file": str(scene_files.scene_file(root)),
            "matrix": (world @ coordinates.CORE_TO_BLENDER).tolist(),
            "binary": not self.ascii_text,
            "files": [
                {
                    "frame": shown,
                    "times": own,
                    "path": str(path if len(frames) == 1 else numbered[frame]),
                }
                for frame, (shown, own) in zip(frames, times, strict=True)
            ],
        }

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            return jobs.Told(f"{value['points']:,} points in {value['files']} file(s)")

        return jobs.Plan("Export PLY", "export_ply", arguments, deliver, changes_file=False)


@contextmanager
def vertices_only(root: bpy.types.Object) -> Iterator[list[bpy.types.Object]]:
    """The photo's points as meshes of vertices: exporters know neither points nor spheres.

    Blender 4.2 to 5.0 write empty files for point clouds.
    """
    objects = photo_points.point_objects(root)
    before = {}
    for obj in objects:
        modifier = photo_points.points_modifier(obj)
        before[obj] = {name: get_modifier_input(modifier, name) for name in ("As Points",)}
        set_modifier_input(modifier, "As Points", False)
    try:
        yield objects
    finally:
        for obj, values in before.items():
            for name, value in values.items():
                set_modifier_input(photo_points.points_modifier(obj), name, value)


@contextmanager
def _selected(context: bpy.types.Context, objects: list[bpy.types.Object]) -> Iterator[None]:
    """Exporters write what is selected; the artist's selection comes back afterwards."""
    active = context.view_layer.objects.active
    before = [obj for obj in context.view_layer.objects if obj.select_get()]
    for obj in context.view_layer.objects:
        obj.select_set(obj in objects)
    try:
        yield
    finally:
        for obj in context.view_layer.objects:
            obj.select_set(obj in before)
        context.view_layer.objects.active = active


DISPLAY_COLOR = "displayColor"  # where other programs look for the colour of USD's points


@contextmanager
def _display_color(objects: list[bpy.types.Object]) -> Iterator[None]:
    """The points' colour once more, by the name that USD has for it."""
    try:
        for obj in objects:
            colors = np.empty(4 * len(obj.data.vertices), np.float32)
            obj.data.attributes[point_nodes.COLOR].data.foreach_get("color", colors)
            shown = obj.data.attributes.new(DISPLAY_COLOR, "FLOAT_COLOR", "POINT")
            shown.data.foreach_set("color", colors)
        yield
    finally:
        for obj in objects:
            if (shown := obj.data.attributes.get(DISPLAY_COLOR)) is not None:
                obj.data.attributes.remove(shown)


def write_colors(
    context: bpy.types.Context, objects: list[bpy.types.Object], path: Path
) -> list[Path]:
    """A PLY beside an Alembic file for each object, its vertices in the same order.

    Alembic as Blender writes it has colours of faces alone, and these points have none.
    """
    written = []
    for number, obj in enumerate(objects):
        target = path.with_name(f"{path.stem}-colors-{number}.ply")
        with _selected(context, [obj]):
            bpy.ops.wm.ply_export(
                filepath=str(target),
                export_selected_objects=True,
                export_attributes=True,
                export_colors="SRGB",
                forward_axis="Y",
                up_axis="Z",
            )
        written.append(target)
    return written


class _ExchangeExport(PhotoOperator, ExportHelper):
    """What Alembic and USD share."""

    kind = ""  # of Blender's build options

    @classmethod
    def built_in(cls) -> bool:
        """Whether this Blender can write the format; its `bpy.ops` has every name."""
        return bool(getattr(bpy.app.build_options, cls.kind))

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if not cls.built_in():
            cls.poll_message_set(f"This Blender was built without {cls.kind}")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        try:
            # Blender's exporters pass over a folder that is not there, or make one
            path = check_output(bpy.path.abspath(self.filepath))
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        with vertices_only(root) as objects, _selected(context, [root, *objects]):
            self.write(context, objects, str(path))
        self.report({"INFO"}, f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
        return {"FINISHED"}


class CINE3D_OT_export_alembic(_ExchangeExport, bpy.types.Operator):
    """Write the moving points over the scene's frame range as Alembic"""

    bl_idname = "cine3d.export_alembic"
    bl_label = "Export Cinemagraph Alembic"
    kind = "alembic"

    filename_ext = ".abc"
    filter_glob: StringProperty(default="*.abc", options={"HIDDEN"})

    def write(self, context: bpy.types.Context, objects: list[bpy.types.Object], path: str) -> None:
        bpy.ops.wm.alembic_export(
            filepath=path,
            selected=True,
            start=context.scene.frame_start,
            end=context.scene.frame_end,
            as_background_job=False,
        )
        now = context.scene.frame_current
        context.scene.frame_set(context.scene.frame_start)
        try:
            write_colors(context, objects, Path(path))
        finally:
            context.scene.frame_set(now)


class CINE3D_OT_export_usd(_ExchangeExport, bpy.types.Operator):
    """Write the moving points over the scene's frame range as USD"""

    bl_idname = "cine3d.export_usd"
    bl_label = "Export Cinemagraph USD"
    kind = "usd"

    filename_ext = ".usdc"
    filter_glob: StringProperty(default="*.usd;*.usdc;*.usda", options={"HIDDEN"})

    def write(self, context: bpy.types.Context, objects: list[bpy.types.Object], path: str) -> None:
        with _display_color(objects):
            bpy.ops.wm.usd_export(filepath=path, selected_objects_only=True, export_animation=True)


def _draw_menu(self, context: bpy.types.Context):
    self.layout.operator("cine3d.export_ply", text="Cinemagraph Points (.ply)")
    if CINE3D_OT_export_alembic.built_in():
        self.layout.operator("cine3d.export_alembic", text="Cinemagraph Points (.abc)")
    if CINE3D_OT_export_usd.built_in():
        self.layout.operator("cine3d.export_usd", text="Cinemagraph Points (.usdc)")


CLASSES = (CINE3D_OT_export_ply, CINE3D_OT_export_alembic, CINE3D_OT_export_usd)


def register() -> None:
    """Add the menu entries."""
    bpy.types.TOPBAR_MT_file_export.append(_draw_menu)


def unregister() -> None:
    """Take the menu entries away."""
    bpy.types.TOPBAR_MT_file_export.remove(_draw_menu)
