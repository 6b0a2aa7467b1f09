"""File > Import > Photo as 3D Cinemagraph, drag and drop, and building the photo again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from cine3d_core.files.pictures.raw import SUFFIXES as RAW_SUFFIXES
from cine3d_core.worker import protocol

from ..direct import direct_content, motion_drawing
from ..scene import build_choices, first_look, photo_points, photo_scene, scene_files, timing
from ..scene.photo_operator import PhotoWorkerOperator
from ..scene.properties import CINE3D_PG_choices
from ..worker import jobs, shelf
from ..worker.client import WorkerError
from . import build_presets

EXTENSIONS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif"),
    *sorted(RAW_SUFFIXES),
)
_OPTIONS = ("set_camera", "set_render_size", "set_timeline", "set_view_transform", "set_engine")


def build_plan(
    context: bpy.types.Context,
    photo: Path,
    root: bpy.types.Object | None,
    choices: CINE3D_PG_choices,
    options: photo_scene.SceneOptions,
    *,
    look: bool,
    ask_view: Callable[[], None] = lambda: None,
) -> jobs.Plan:
    """What importing and building again share.

    Args:
        context: with the scene that it is for.
        photo: the picture's file.
        root: the photo in the scene, None for a new one.
        choices: of the build.
        options: what is set in the scene.
        look: whether the 3D view shows the result.
        ask_view: asks which view of a panorama is meant, where the photo turns out to be one.

    Raises:
        ValueError: there is no such picture, or a choice cannot be met.
    """
    if not photo.is_file():
        raise ValueError(f"there is no picture {photo}; choose one that exists")
    arrays = {} if choices.mask is None else {"mask": motion_drawing.mask_array(choices.mask)}
    arrays |= direct_content.sent_to_build(root)
    built = scene_files.place_for_build(photo)
    arguments = {
        "photo": str(photo),
        "scene_file": str(built),
        "settings": build_choices.build_settings(choices),
        "points": choices.points,
        "hints": motion_drawing.hints(context, root) if root else [],
        "regions": motion_drawing.regions(context, root) if root else [],
        "clicked_with": direct_content.clicked_with(root) if root else [],
    }
    taken, uid = build_choices.record(choices), root and root.session_uid
    scene_uid, fresh = context.scene.session_uid, first_look.is_fresh(context.scene)

    def deliver(
        context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> jobs.Told:
        scene = _scene(scene_uid)
        known = photo_scene.by_session_uid(scene, uid) if uid else None
        timing.number_built(known)
        first_look.leave_edit_mode(context)
        path = scene_files.named_by_content(built, photo, value["scene_sha256"])
        shown = photo_scene.show_photo(scene, photo, path, value, arrays, options, known=known)
        build_choices.give(taken, scene, shown, is_new=known is None)
        told = "; ".join([f"{shown.name}: {_points(shown):,} points", *value["assumed"]])
        around = first_look.clear_the_view(context, scene, shown, fresh=fresh and known is None)
        if look:
            first_look.look_through(context, scene, shown)
        return jobs.Told("; ".join([told, *around]), "WARNING" if around else "INFO")

    refused = partial(_asked_of_a_panorama, ask_view)
    return jobs.Plan("Build", "build", arguments, deliver, arrays, refused=refused)


def _asked_of_a_panorama(ask_view: Callable[[], None], error: Exception) -> str:
    """What to do when a photo turned out to be a panorama; nothing for other errors."""
    if not (isinstance(error, WorkerError) and error.kind == protocol.PANORAMA):
        return ""
    ask_view()
    return "choose a view of it under Panorama"


def _points(root: bpy.types.Object) -> int:
    return sum(len(obj.data.vertices) for obj in photo_points.point_objects(root))


def _scene(session_uid: int) -> bpy.types.Scene:
    """The scene that a job was started in.

    Raises:
        ValueError: it is gone.
    """
    for scene in bpy.data.scenes:
        if scene.session_uid == session_uid:
            return scene
    raise ValueError("the scene was deleted while Cine3D was at work; import the photo again")


def _option(name: str, description: str) -> Any:
    """A property: something that importing does unless it is told not to."""
    return BoolProperty(name=name, description=description, default=True, options={"SKIP_SAVE"})


class CINE3D_OT_import_photo(jobs.WorkerOperator, bpy.types.Operator, ImportHelper):
    """Turn a photo into a moving 3D scene. Importing it again updates it"""

    bl_idname = "cine3d.import_photo"
    bl_label = "Photo as 3D Cinemagraph"
    bl_options: set[str] = set()

    filename_ext = ""
    filter_glob: StringProperty(
        default=";".join(f"*{extension}" for extension in EXTENSIONS), options={"HIDDEN"}
    )
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    set_camera: _option(
        name="Scene Camera",
        description="Make the photo's camera the scene's camera",
    )
    set_render_size: _option(
        name="Render Size",
        description="Render in the photo's size, made even so that videos can be written",
    )
    set_timeline: _option(
        name="Timeline",
        description="Frame range and rate of one loop",
    )
    set_view_transform: _option(
        name="Photo's Colors",
        description="Set the view transform to Standard, so that the still looks like the photo",
    )
    set_engine: _option(
        name="Cine3D Engine",
        description="Render with the Cine3D engine",
    )
    look: _option(
        name="Look Through Camera",
        description="Show the photo in the 3D view and play it; renders do not change",
    )

    ask_view: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        if not self.ask_view:
            build_choices.forget_view(context.scene.cine3d)
        elif context.scene.cine3d.panorama == "NONE":
            context.scene.cine3d.panorama = "VIEW"
        fresh = first_look.is_fresh(context.scene)
        for name in _OPTIONS:  # a scene that somebody has worked on is changed on demand only
            if not self.properties.is_property_set(name):
                setattr(self, name, fresh)
        shelf.ask()
        if not self.filepath:
            return ImportHelper.invoke(self, context, event)
        if fresh and not self.ask_view:  # dropped into a new file: nothing to ask
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=360)

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        photo = Path(bpy.path.abspath(self.filepath))
        root = photo_scene.root_of_photo(context.scene, photo)
        choices = context.scene.cine3d
        if root is not None:
            build_choices.pass_on(choices, root.cine3d.choices)
            choices = root.cine3d.choices
        changes = {name: getattr(self, name) for name in _OPTIONS}
        again = {"filepath": self.filepath, "look": self.look, "ask_view": True, **changes}

        def ask_view() -> None:  # once what is told of the panorama has been told
            if not bpy.app.background:
                bpy.app.timers.register(lambda: _ask_again(again), first_interval=jobs.TIMER_S)

        options = photo_scene.SceneOptions(**changes)
        return build_plan(context, photo, root, choices, options, look=self.look, ask_view=ask_view)

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if self.filepath and context.area is not None and context.area.type != "FILE_BROWSER":
            layout.label(text=Path(self.filepath).name, icon="IMAGE_DATA")
        draw_build_choices(layout, context.scene.cine3d)
        shelf.draw_offer(layout, "depth")
        column = layout.column(heading="Change")
        for name in _OPTIONS:
            column.prop(self, name)
        layout.column(heading="View").prop(self, "look")


def _ask_again(asked: dict[str, Any]) -> None:
    """The import's dialog once more, for a photo that turned out to be a panorama."""
    windows = bpy.context.window_manager.windows
    if not windows or not bpy.ops.cine3d.import_photo.poll():
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", **asked)


class CINE3D_OT_import_scene(jobs.WorkerOperator, bpy.types.Operator, ImportHelper):
    """Open a scene file that Cine3D has built"""

    bl_idname = "cine3d.import_scene"
    bl_label = "Cine3D Scene (.cine3d)"
    bl_options: set[str] = set()

    filename_ext = ".cine3d"
    filter_glob: StringProperty(default="*.cine3d", options={"HIDDEN"})

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        path = Path(bpy.path.abspath(self.filepath))
        scene_uid, fresh = context.scene.session_uid, first_look.is_fresh(context.scene)
        options = photo_scene.SceneOptions() if fresh else photo_scene.NOTHING_ELSE
        if bpy.app.background:
            options = photo_scene.SceneOptions()
        arguments = {"scene_file": str(path), "points": context.scene.cine3d.points}

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            scene = _scene(scene_uid)
            known = photo_scene.root_of_photo(scene, path, value["photo_sha256"])
            photo = scene_files.photo_file(known) if known else path
            first_look.leave_edit_mode(context)
            root = photo_scene.show_photo(scene, photo, path, value, arrays, options, known=known)
            around = first_look.clear_the_view(context, scene, root, fresh=fresh and not known)
            first_look.look_through(context, scene, root)
            told = "; ".join([f"{root.name}: {value['num_frames']} frames", *around])
            return jobs.Told(told, "WARNING" if around else "INFO")

        return jobs.Plan("Import Scene", "open", arguments, deliver)


class CINE3D_OT_rebuild(PhotoWorkerOperator, bpy.types.Operator):
    """Build the photo again with its current mask, arrows and settings"""

    bl_idname = "cine3d.rebuild"
    bl_label = "Build Again"
    bl_options: set[str] = set()
    if_linked = "The photo is linked; build it in its own file"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if photo_scene.active_root(context).override_library is not None:
            cls.poll_message_set(cls.if_linked)
            return False
        return True

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root = photo_scene.active_root(context)
        options = photo_scene.SceneOptions(
            set_camera=False,
            set_render_size=False,
            set_timeline=root.cine3d.choices.frames != root.cine3d.num_frames,
            set_view_transform=False,
            set_engine=False,
        )
        photo, uid, scene_uid = (
            scene_files.photo_file(root),
            root.session_uid,
            context.scene.session_uid,
        )

        def ask_view() -> None:
            choices = photo_scene.by_session_uid(_scene(scene_uid), uid).cine3d.choices
            choices.panorama = "VIEW"  # the panel shows the fields now

        choices = root.cine3d.choices
        return build_plan(context, photo, root, choices, options, look=False, ask_view=ask_view)


def draw_build_choices(layout: bpy.types.UILayout, choices: CINE3D_PG_choices) -> None:
    """The choices of a build, for the panel and the file browser."""
    build_presets.draw_presets(layout)
    column = layout.column()
    column.prop(choices, "preset")
    column.prop(choices, "depth_source")
    if choices.depth_source != "SHIPPED":
        column.prop(choices, "depth_path", text="Picture or Model")
    column.prop(choices, "size")
    column.prop(choices, "fov")
    if choices.panorama != "NONE":
        column.prop(choices, "panorama")
        if choices.panorama == "VIEW":
            view = column.column(align=True)
            for name in ("view_yaw", "view_pitch", "view_across"):
                view.prop(choices, name)
    column.prop(choices, "points")
    column = layout.column(align=True)
    column.prop(choices, "frames", text=f"Loop, {choices.frames / choices.fps:.1f} s")
    column.prop(choices, "fps", text="Rate")


class CINE3D_FH_photo(bpy.types.FileHandler):
    """Offers the import for pictures that are dropped into the 3D view"""

    bl_idname = "CINE3D_FH_photo"
    bl_label = "Photo as 3D Cinemagraph"
    bl_import_operator = "cine3d.import_photo"
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context):
        return context.area is not None and context.area.type == "VIEW_3D"


def _draw_menu(self, context: bpy.types.Context):
    self.layout.operator(CINE3D_OT_import_photo.bl_idname)
    self.layout.operator(CINE3D_OT_import_scene.bl_idname)


CLASSES = (CINE3D_OT_import_photo, CINE3D_OT_import_scene, CINE3D_OT_rebuild, CINE3D_FH_photo)


def register() -> None:
    """Add the menu entry."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_menu)


def unregister() -> None:
    """Take the menu entry away."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_menu)
