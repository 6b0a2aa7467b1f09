"""Directing the motion: arrows over the picture, and a look at the flow that they make.

Arrows are curve objects of the photo's collection, or annotation strokes in 3D space: from tail to
tip what is there flows by one arrow length in 50 frames, times its speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from cine3d_core.motion_kinds import FLOW

from ..compat import annotation_strokes
from ..scene import build_choices, first_look, photo_pictures, photo_scene, scene_files
from ..scene.motion_plane import arrows_of_stroke, local_position, on_plane, photo_position
from ..scene.photo_operator import PhotoWorkerOperator
from ..worker import jobs
from . import direct_content, masks

mask_array = masks.mask_array
_FIRST_ARROW = (0.4, 0.75)
_ARROW_WAY = 0.2  # of the photo's width
_NEXT_ARROW = 0.06  # of its height above the one before, so that no arrow hides another


def hints(context: bpy.types.Context, root: bpy.types.Object) -> list[list[float]]:
    """Arrows over the photo: tail x, y and tip x, y as shares of its width and height.

    Those that ask for nothing more than a flow; see `regions` for the others.
    """
    return _arrows(context, root).get(("flow", 0), [])


def regions(context: bpy.types.Context, root: bpy.types.Object) -> list[dict[str, object]]:
    """Arrows that move in place or choose their cycles, those of the same choices together.

    Each is `mode`, `cycles` (0: chosen) and `hints`; it directs the painted part that its arrows
    stand on. The length of such an arrow says nothing, so its speed is the region's `speed`.
    """
    found = []
    for (mode, cycles, *speed), arrows in sorted(_arrows(context, root).items()):
        if (mode, cycles) != ("flow", 0):
            region = {"mode": mode, "cycles": cycles, "hints": arrows}
            found.append(region | ({"speed": speed[0]} if speed else {}))
    return found


def _arrows(context: bpy.types.Context, root: bpy.types.Object) -> dict[tuple, list[list[float]]]:
    """Arrows by mode, cycles and, if in place, speed."""
    found: dict[tuple, list[list[float]]] = {}
    to_root = root.matrix_world.inverted()
    for points, arrow in strokes(context.scene, root):
        track = np.array([photo_position(root, on_plane(to_root @ point)) for point in points])
        speed = (1.0 if arrow is None else arrow.speed) * root.cine3d.choices.speed
        if arrow is not None and arrow.mode != FLOW.name:
            key, factor = (arrow.mode, arrow.cycles, speed), 1.0
        else:
            key, factor = ("flow", 0 if arrow is None else arrow.cycles), speed
        arrows = arrows_of_stroke(track, factor)
        if arrows:
            found.setdefault(key, []).extend(arrows)
    return found


def arrow_objects(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The curves that direct a photo."""
    parts = {obj.session_uid: obj for obj in root.children_recursive}
    parts |= {obj.session_uid: obj for obj in photo_scene.collection_of(root).all_objects}
    return [
        obj
        for obj in parts.values()
        if obj.type == "CURVE"
        and obj.cine3d_arrow.is_arrow
        and photo_scene.root_of(obj) in (None, root)
    ]


def strokes(
    scene: bpy.types.Scene, root: bpy.types.Object
) -> Iterator[tuple[Sequence[Vector], bpy.types.PropertyGroup | None]]:
    """World points and settings (none for annotations) of every stroke that directs a photo."""
    for obj in arrow_objects(root):
        for spline in obj.data.splines:
            points = spline.bezier_points if spline.type == "BEZIER" else spline.points
            track = [obj.matrix_world @ point.co.to_3d() for point in points]
            if len(track) > 1:
                yield track, obj.cine3d_arrow
    if root.cine3d.choices.use_annotations:
        for stroke in annotation_strokes(scene):
            yield [Vector(point.co) for point in stroke.points], None


def lay_annotations_on(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Move strokes that lie in the camera onto the photo, where one sees them."""
    if not root.cine3d.choices.use_annotations:
        return
    to_root = root.matrix_world.inverted()
    for stroke in annotation_strokes(scene):
        for point in stroke.points:
            local = to_root @ Vector(point.co)
            if (moved := on_plane(local)) != local:
                point.co = root.matrix_world @ moved


class CINE3D_OT_add_arrow(masks.NeedsPhoto, bpy.types.Operator):
    """Add an arrow over the picture; move its points in Edit Mode"""

    bl_idname = "cine3d.add_arrow"
    bl_label = "Add Arrow"
    bl_options = {"REGISTER", "UNDO"}

    start: bpy.props.FloatVectorProperty(
        name="Tail",
        description="Place on the photo",
        size=2,
        default=_FIRST_ARROW,
        min=0,
        max=1,
        options={"SKIP_SAVE"},
    )
    end: bpy.props.FloatVectorProperty(
        name="Tip",
        description="Place on the photo",
        size=2,
        default=(_FIRST_ARROW[0] + _ARROW_WAY, _FIRST_ARROW[1]),
        min=0,
        max=1,
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        if not self.properties.is_property_set("start"):
            y = (_FIRST_ARROW[1] - len(arrow_objects(root)) * _NEXT_ARROW) % 1
            self.start, self.end = (_FIRST_ARROW[0], y), (_FIRST_ARROW[0] + _ARROW_WAY, y)
        if context.mode != "OBJECT":
            self.report({"ERROR"}, "Leave Edit Mode first, then add the next arrow")
            return {"CANCELLED"}
        try:
            arrow = add_arrow(root, [tuple(self.start), tuple(self.end)])
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for obj in context.selected_objects:
            obj.select_set(False)
        arrow.select_set(True)
        context.view_layer.objects.active = arrow
        return {"FINISHED"}


def add_arrow(root: bpy.types.Object, places: Sequence[tuple[float, float]]) -> bpy.types.Object:
    """A curve through places on the photo (shares of its width and height) that directs it."""
    name = f"{root.name} Arrow"
    curve = bpy.data.curves.new(name, "CURVE")
    curve.dimensions = "3D"
    spline = curve.splines.new("POLY")
    spline.points.add(len(places) - 1)
    for point, place in zip(spline.points, places, strict=True):
        point.co = (*local_position(root, *place), 1.0)
    curve.bevel_depth = 0.004
    # Thick at the tail, pointed at the tip: a curve that shows its direction.
    for index, point in enumerate(spline.points):
        point.radius = 1.0 - 0.9 * index / (len(places) - 1)
    arrow = bpy.data.objects.new(name, curve)
    arrow.cine3d_arrow.is_arrow = True
    arrow.hide_render = True
    arrow.show_in_front = True
    photo_scene.collection_of(root).objects.link(arrow)
    arrow.parent = root
    arrow.matrix_parent_inverse = Matrix.Identity(4)
    return arrow


class CINE3D_OT_preview_motion(masks.NeedsPhoto, PhotoWorkerOperator, bpy.types.Operator):
    """Show the flow over the picture, without building anything"""

    bl_idname = "cine3d.preview_motion"
    bl_label = "Preview Motion"
    bl_options: set[str] = set()

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root, scene = photo_scene.active_root(context), context.scene
        uid, choices = root.session_uid, root.cine3d.choices
        lay_annotations_on(scene, root)
        arguments = {
            "photo": str(scene_files.photo_file(root)),
            "hints": hints(context, root),
            "regions": regions(context, root),
            "settings": build_choices.build_settings(choices),
        }
        arrays = {} if choices.mask is None else {"mask": mask_array(choices.mask)}
        arrays |= direct_content.sent(root)

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            root = photo_scene.by_session_uid(context.scene, uid)
            camera = photo_scene.photo_camera(root)
            if camera is None:
                raise ValueError(f"the camera of {root.name!r} is gone; press Build Again")
            photo_pictures.show_overlay(root, camera, arrays["picture"])
            told = "; ".join(value["assumed"]) or "The arrows are followed"
            if context.scene.camera != camera and first_look.look_through(
                context, context.scene, root, play=False
            ):
                told += "; the view looks through the photo's camera, which is not the scene's"
            return jobs.Told(told)

        return jobs.Plan("Preview Motion", "preview_motion", arguments, deliver, arrays)


class CINE3D_OT_hide_motion(masks.NeedsPhoto, bpy.types.Operator):
    """Hide the preview of the motion"""

    bl_idname = "cine3d.hide_motion"
    bl_label = "Hide Motion"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        photo_pictures.hide_overlay(photo_scene.active_root(context))
        return {"FINISHED"}


CLASSES = (CINE3D_OT_add_arrow, CINE3D_OT_preview_motion, CINE3D_OT_hide_motion)
