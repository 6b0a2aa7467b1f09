"""The mask of a photo: an ordinary image that Blender's brushes paint on, white where it moves.

It is black at first. Wherever our add-on draws (the Image Editor, the view through the photo's
camera) one sees the photo with the painted part tinted, so that black takes paint away again.
"""

from __future__ import annotations

import time
from typing import Any

import bpy
import numpy as np

from ..compat import set_paint_colors, take_paint_brush
from ..scene import build_choices, photo_scene, scene_files
from ..scene.photo_operator import PhotoOperator, PhotoWorkerOperator
from ..worker import jobs

_PAINTED = 0.5
_BRUSH_S = 60.0  # for Blender to read its brushes
_BRUSH_POLL_S = 0.5
_brush_until = 0.0  # monotonic time


def mask_array(image: bpy.types.Image) -> np.ndarray:  # [H, W] uint8, bottom row first
    """What is painted: 255 where it moves.

    Raises:
        ValueError: nothing is painted, or the picture is lost.
    """
    width, height = image.size
    if not width or not height:
        raise ValueError(f"the mask {image.name!r} has no picture; choose or make another")
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    colors = min(3, image.channels)
    painted = pixels.reshape(height, width, -1)[..., :colors].max(axis=2) >= _PAINTED
    if not painted.any():
        raise ValueError(
            f"the mask {image.name!r} is empty; paint what moves in white, or clear the Mask field"
        )
    return painted.astype(np.uint8) * 255


class NeedsPhoto(PhotoOperator):
    """Operators that need a photo of this file."""

    if_linked = "The photo is linked; direct it in its own file"


class CINE3D_OT_new_mask(NeedsPhoto, bpy.types.Operator):
    """Make an empty mask and show it over the photo, to paint what moves in white"""

    bl_idname = "cine3d.new_mask"
    bl_label = "New Mask"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        root.cine3d.choices.mask = image = new_mask(root)
        set_paint_colors(context.scene)
        shown = show_in_editor(context, image)
        where = "Paint what moves in white" if shown else "Press Paint to paint on it"
        self.report({"INFO"}, f"{image.name}: {where}")
        return {"FINISHED"}


def new_mask(root: bpy.types.Object, moving: np.ndarray | None = None) -> bpy.types.Image:
    """A new picture for the mask of a photo, with what moves in white.

    The former one stays in the file until it is saved, so that undo brings its paint back.

    Args:
        root: the photo.
        moving: [H, W] share that moves, bottom row first; None for nothing yet.
    """
    width, height = root.cine3d.photo_size
    rgba = np.zeros((height, width, 4), np.float32)
    rgba[..., 3] = 1.0
    if moving is not None:
        rgba[moving > _PAINTED, :3] = 1.0
    image = bpy.data.images.new(f"{root.name} Mask", width, height)
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    image.pack()
    return image


def show_in_editor(context: bpy.types.Context, image: bpy.types.Image) -> bool:
    """Show a mask in the Image Editors of the window, ready to paint; whether there are any."""
    global _brush_until
    window = getattr(context, "window", None)
    editors = [a for a in window.screen.areas if a.type == "IMAGE_EDITOR"] if window else []
    for area in editors:
        area.spaces.active.image = image
        area.spaces.active.ui_mode = "PAINT"
    if editors and not bpy.app.timers.is_registered(_give_brush):
        _brush_until = time.monotonic() + _BRUSH_S
        bpy.app.timers.register(_give_brush, first_interval=0.0)
    return bool(editors)


def _give_brush() -> float | None:
    """Ask for a brush until Blender has one: without it, painting does nothing and says nothing."""
    editors = [
        (window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "IMAGE_EDITOR" and area.spaces.active.ui_mode == "PAINT"
    ]
    if not editors or take_paint_brush(*editors[0]):
        return None
    if time.monotonic() < _brush_until:
        return _BRUSH_POLL_S
    jobs.tell_soon(jobs.Told("Choose a brush in the Image Editor's asset shelf first", "WARNING"))
    return None


class CINE3D_OT_paint_mask(NeedsPhoto, bpy.types.Operator):
    """Show the mask over the photo in an Image Editor beside the 3D view, and paint on it"""

    bl_idname = "cine3d.paint_mask"
    bl_label = "Paint Mask"
    bl_options: set[str] = set()

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if not super().poll(context):
            return False
        if photo_scene.active_root(context).cine3d.choices.mask is None:
            cls.poll_message_set("Make a mask first: Propose or New")
            return False
        if bpy.app.background or context.window is None:
            cls.poll_message_set("There is no window")
            return False
        return True

    def execute(self, context: bpy.types.Context):
        image = photo_scene.active_root(context).cine3d.choices.mask
        set_paint_colors(context.scene)
        if not show_in_editor(context, image):
            views = [area for area in context.window.screen.areas if area.type == "VIEW_3D"]
            if not views:
                self.report({"ERROR"}, "There is no 3D view to share; open an Image Editor")
                return {"CANCELLED"}
            area = max(views, key=lambda area: area.width * area.height)
            before = set(context.window.screen.areas)
            with context.temp_override(area=area):
                bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
            new = next(a for a in context.window.screen.areas if a not in before)
            new.type = "IMAGE_EDITOR"
            show_in_editor(context, image)
        self.report({"INFO"}, "Paint with white what moves; X swaps to black, which takes it away")
        return {"FINISHED"}


class CINE3D_OT_propose_mask(NeedsPhoto, PhotoWorkerOperator, bpy.types.Operator):
    """Let Cine3D find water, sky and smoke, as a mask to paint on"""

    bl_idname = "cine3d.propose_mask"
    bl_label = "Propose Mask"
    bl_options: set[str] = set()

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root = photo_scene.active_root(context)
        uid, photo = root.session_uid, str(scene_files.photo_file(root))

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            root = photo_scene.by_session_uid(context.scene, uid)
            if not (arrays["moving"] > _PAINTED).any():  # and the mask stays what it was
                told = f"{value['description']}; no mask was made. Press New and paint what moves"
                return jobs.Told(told[:1].upper() + told[1:], "WARNING")
            root.cine3d.choices.mask = image = new_mask(root, arrays["moving"])
            root.cine3d.show_directions = True
            show_in_editor(context, image)
            set_paint_colors(context.scene)
            return jobs.Told(f"{value['description']}; Paint changes what is tinted")

        settings = build_choices.build_settings(root.cine3d.choices)
        settings["size"] = max(root.cine3d.photo_size)
        arguments = {"photo": photo, "settings": settings}
        return jobs.Plan("Propose Mask", "propose_mask", arguments, deliver)


CLASSES = (CINE3D_OT_new_mask, CINE3D_OT_paint_mask, CINE3D_OT_propose_mask)
