"""File > Import > Photo as 3D Cinemagraph, drag and drop, and building the photo again."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.scene.arrays import read_scene_info

from . import build_presets, jobs, motion_drawing, photo_scene
from .properties import CINE3D_PG_scene

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_OPTIONS = ("set_camera", "set_render_size", "set_timeline", "set_view_transform", "set_engine")


def new_scene_file(photo: Path) -> Path:
    """Where a new scene file goes: beside the saved .blend, else beside the photo.

    A folder that cannot be written is passed over for the add-on's own one. The scene file of
    another photo with the same name is left alone.
    """
    if bpy.data.filepath:
        folder = Path(bpy.data.filepath).parent / "cine3d"
    elif os.access(photo.parent, os.W_OK):
        folder = photo.parent
    else:
        made = bpy.utils.user_resource("DATAFILES", path="cine3d_scenes", create=True)
        folder = Path(made)
    names = itertools.chain([photo.stem], (f"{photo.stem}-{n}" for n in itertools.count(2)))
    places = (folder / f"{name}.cine3d" for name in names)
    sha256 = sha256_of(photo)
    return next(place for place in places if _photo_of(place) in (None, sha256))


def _photo_of(scene_file: Path) -> str | None:
    """Checksum of the photo that a scene file shows; None where there is nothing to lose."""
    if not scene_file.exists():
        return None
    try:
        return read_scene_info(scene_file)["photo_sha256"]
    except InputError:  # not a scene that we could show
        return ""


class _BuildOperator(jobs.WorkerOperator):
    """What importing and building again share."""

    job_name = "build"

    def photo_path(self, context) -> Path:
        raise NotImplementedError

    def scene_options(self) -> photo_scene.SceneOptions:
        raise NotImplementedError

    def request(self, context):
        self._photo = self.photo_path(context)
        if not self._photo.is_file():
            raise ValueError(f"there is no picture {self._photo}; choose one that exists")
        self._scene_file = new_scene_file(self._photo)
        self._scene = context.scene.name
        choices = context.scene.cine3d
        root = photo_scene.root_of_photo(context.scene, self._photo)
        arrays = {} if choices.mask is None else {"mask": motion_drawing.mask_array(choices.mask)}
        arguments = {
            "photo": str(self._photo),
            "scene_file": str(self._scene_file),
            "settings": build_presets.build_settings(choices),
            "hints": motion_drawing.hints(context, root) if root else [],
            "regions": motion_drawing.regions(context, root) if root else [],
        }
        return arguments, arrays

    def deliver(self, context, value, arrays):
        scene = bpy.data.scenes.get(self._scene) or context.scene
        root = photo_scene.show_photo(
            scene, self._photo, self._scene_file, value, arrays, self.scene_options()
        )
        count = sum(len(obj.data.vertices) for obj in photo_scene.point_objects(root))
        told = "; ".join([f"{root.name}: {count:,} points", *value["assumed"]])
        self.report({"INFO"}, told)


class CINE3D_OT_import_photo(_BuildOperator, bpy.types.Operator, ImportHelper):
    """Turn a photo into a moving 3D scene; importing it again updates it"""

    bl_idname = "cine3d.import_photo"
    bl_label = "Photo as 3D Cinemagraph"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ""
    filter_glob: StringProperty(
        default=";".join(f"*{extension}" for extension in EXTENSIONS), options={"HIDDEN"}
    )
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    set_camera: BoolProperty(
        name="Use Camera", description="Look through the photo's camera", default=True
    )
    set_render_size: BoolProperty(
        name="Set Render Size", description="Render in the photo's size", default=True
    )
    set_timeline: BoolProperty(
        name="Set Timeline", description="Frame range and rate of one loop", default=True
    )
    set_view_transform: BoolProperty(
        name="Keep the Photo's Colors",
        description="Set the view transform to Standard, so that the still looks like the photo",
        default=True,
    )
    set_engine: BoolProperty(
        name="Use Cine3D Engine", description="Render with the Cine3D engine", default=True
    )

    def invoke(self, context, event):
        if self.filepath:  # dropped: no file browser, the scene's choices count
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def photo_path(self, context) -> Path:
        return Path(bpy.path.abspath(self.filepath))

    def scene_options(self) -> photo_scene.SceneOptions:
        return photo_scene.SceneOptions(**{name: getattr(self, name) for name in _OPTIONS})

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        draw_build_choices(layout, context.scene.cine3d)
        column = layout.column(heading="Scene")
        for name in _OPTIONS:
            column.prop(self, name)


class CINE3D_OT_import_scene(jobs.WorkerOperator, bpy.types.Operator, ImportHelper):
    """Show a scene file that was built before, here or by the command line"""

    bl_idname = "cine3d.import_scene"
    bl_label = "Cine3D Scene (.cine3d)"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".cine3d"
    filter_glob: StringProperty(default="*.cine3d", options={"HIDDEN"})

    job_name = "open"

    def request(self, context):
        self._scene = context.scene.name
        return {"scene_file": bpy.path.abspath(self.filepath)}, {}

    def deliver(self, context, value, arrays):
        path = Path(bpy.path.abspath(self.filepath))
        scene = bpy.data.scenes.get(self._scene) or context.scene
        options = photo_scene.SceneOptions()
        known = photo_scene.root_of_photo(scene, path, value["photo_sha256"])
        photo = Path(bpy.path.abspath(known.cine3d.photo)) if known else path
        root = photo_scene.show_photo(scene, photo, path, value, arrays, options)
        self.report({"INFO"}, f"{root.name}: {value['num_frames']} frames")


class CINE3D_OT_rebuild(_BuildOperator, bpy.types.Operator):
    """Build the photo again with the current mask, arrows and settings"""

    bl_idname = "cine3d.rebuild"
    bl_label = "Build Again"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        if photo_scene.active_root(context) is None:
            cls.poll_message_set("Import a photo first")
            return False
        return super().poll(context)

    def photo_path(self, context) -> Path:
        root = photo_scene.active_root(context)
        return Path(bpy.path.abspath(root.cine3d.photo))

    def scene_options(self) -> photo_scene.SceneOptions:
        return photo_scene.SceneOptions(
            set_camera=False,
            set_render_size=False,
            set_timeline=True,
            set_view_transform=False,
            set_engine=False,
        )


def draw_build_choices(layout: bpy.types.UILayout, choices: CINE3D_PG_scene) -> None:
    """The choices of a build, for the panel and the file browser."""
    build_presets.draw_presets(layout)
    column = layout.column()
    column.prop(choices, "preset")
    column.prop(choices, "depth_source")
    if choices.depth_source != "SHIPPED":
        column.prop(choices, "depth_path", text="Picture or Model")
    column.prop(choices, "size")
    column.prop(choices, "frames")
    column.prop(choices, "fps")


class CINE3D_FH_photo(bpy.types.FileHandler):
    """Offers the import for pictures that are dropped into the 3D view"""

    bl_idname = "CINE3D_FH_photo"
    bl_label = "Photo as 3D Cinemagraph"
    bl_import_operator = "cine3d.import_photo"
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context):
        return context.area is not None and context.area.type == "VIEW_3D"


def _draw_menu(self, context):
    self.layout.operator(CINE3D_OT_import_photo.bl_idname)
    self.layout.operator(CINE3D_OT_import_scene.bl_idname)


CLASSES = (CINE3D_OT_import_photo, CINE3D_OT_import_scene, CINE3D_OT_rebuild, CINE3D_FH_photo)


def register() -> None:
    """Add the menu entry."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_menu)


def unregister() -> None:
    """Take the menu entry away."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_menu)
