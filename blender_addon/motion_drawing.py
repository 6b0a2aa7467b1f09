"""Directing the motion: paint what moves, draw arrows over the picture, look at the flow.

The mask is an ordinary image that Blender's brushes paint on. It starts as the darkened photo, so
that one sees where to paint; white is what moves. Arrows are curve objects of the photo's
collection, or annotation strokes in 3D space: from tail to tip what is there flows by one arrow
length in 50 frames, times its speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import bpy
import numpy as np
from mathutils import Matrix, Vector

from cine3d_core.motion_kinds import FLOW

from . import build_presets, coordinates, jobs, photo_scene
from .compat import annotation_strokes

_DARK = 0.25  # of the photo under a new mask: safely below what counts as painted
_PAINTED = 0.5
_MAX_PIECES = 8  # arrows that one curved stroke becomes
_STRAIGHT = 1.05  # a stroke at most this much longer than its chord is one arrow
_ARROW_DEPTH = 1.0  # the nearest surface of a photo lies at about this depth


def mask_array(image: bpy.types.Image) -> np.ndarray:  # [H, W] uint8, bottom row first
    """What is painted: 255 where it moves.

    Raises:
        ValueError: nothing is painted.
    """
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    painted = pixels.reshape(height, width, 4)[..., :3].max(axis=2) >= _PAINTED
    if not painted.any():
        raise ValueError(
            f"the mask {image.name!r} is empty; paint what moves in white, or clear the Mask field"
        )
    return painted.astype(np.uint8) * 255


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


def _arrows(context, root) -> dict[tuple, list[list[float]]]:
    """Arrows by mode, cycles and, if in place, speed."""
    found: dict[tuple, list[list[float]]] = {}
    to_root = root.matrix_world.inverted()
    for points, arrow in _strokes(context, root):
        track = np.array([photo_position(root, to_root @ point) for point in points])
        speed = (1.0 if arrow is None else arrow.speed) * context.scene.cine3d.speed
        if arrow is not None and arrow.mode != FLOW.name:
            key, factor = (arrow.mode, arrow.cycles, speed), 1.0
        else:
            key, factor = ("flow", 0 if arrow is None else arrow.cycles), speed
        arrows = arrows_of_stroke(track, factor)
        if arrows:
            found.setdefault(key, []).extend(arrows)
    return found


def _lens(root: bpy.types.Object) -> tuple[Sequence[float], Sequence[int]]:
    """Intrinsics and size of the photo in pixels.

    Raises:
        ValueError: the .blend has lost them.
    """
    lens, size = tuple(root.cine3d.intrinsics), tuple(root.cine3d.photo_size)
    if min(lens[:2]) <= 0 or min(size) < 1:
        raise ValueError(f"{root.name!r} has lost the size of its photo; import the photo again")
    return lens, size


def photo_position(root: bpy.types.Object, local: Vector) -> tuple[float, float]:
    """Where a point of the root's space lies on the photo, as shares of width and height."""
    x, y, z = np.linalg.inv(coordinates.CORE_TO_BLENDER)[:3, :3] @ np.array(local)
    (focal_x, focal_y, centre_x, centre_y), (width, height) = _lens(root)
    z = max(z, 1e-6)
    return (focal_x * x / z + centre_x) / width, (focal_y * y / z + centre_y) / height


def local_position(root: bpy.types.Object, x: float, y: float) -> Vector:
    """The point of the root's space at a place of the photo, at the depth where arrows lie."""
    (focal_x, focal_y, centre_x, centre_y), (width, height) = _lens(root)
    core = np.array([(x * width - centre_x) / focal_x, (y * height - centre_y) / focal_y, 1.0])
    return Vector(coordinates.points_to_blender(core * _ARROW_DEPTH))


def arrows_of_stroke(track: np.ndarray, speed: float) -> list[list[float]]:
    """One arrow of a straight stroke [n, 2], several along a curved one, each of its full length.

    Arrows that would reach beyond the photo are shortened at its border.
    """
    steps = np.linalg.norm(np.diff(track, axis=0), axis=1)
    length, chord = steps.sum(), np.linalg.norm(track[-1] - track[0])
    if length < 1e-6:
        return []
    pieces = 1 if length <= _STRAIGHT * chord else min(_MAX_PIECES, len(track) - 1)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / length
    knots = np.linspace(0, 1, pieces + 1)
    places = np.stack([np.interp(knots, along, track[:, axis]) for axis in (0, 1)], axis=1)
    arrows = []
    for tail, tip in zip(places[:-1], places[1:], strict=True):
        if np.all((tail > 0) & (tail < 1)):
            vector = (tip - tail) * pieces * speed
            arrows.append([*tail.tolist(), *(tail + vector * _room(tail, vector)).tolist()])
    return arrows


def _room(tail: np.ndarray, vector: np.ndarray) -> float:
    """Share of a vector, at most 1, that stays on the photo."""
    limits = np.where(vector > 0, 1 - tail, tail)
    with np.errstate(divide="ignore"):
        return float(min(1.0, np.min(limits / np.maximum(np.abs(vector), 1e-12))))


def _strokes(context, root) -> Iterator[tuple[Sequence[Vector], bpy.types.PropertyGroup | None]]:
    """World points and settings (none for annotations) of every stroke that directs a photo."""
    for obj in root.users_collection[0].all_objects:
        if obj.type == "CURVE" and obj.cine3d_arrow.is_arrow:
            for spline in obj.data.splines:
                points = spline.bezier_points if spline.type == "BEZIER" else spline.points
                track = [obj.matrix_world @ point.co.to_3d() for point in points]
                if len(track) > 1:
                    yield track, obj.cine3d_arrow
    for stroke in annotation_strokes(context.scene):
        yield stroke, None


def photo_image(root: bpy.types.Object) -> bpy.types.Image | None:
    """The packed picture of the photo."""
    return bpy.data.images.get(f"{root.name} Photo")


class _RootOperator:
    """Operators that need a photo."""

    @classmethod
    def poll(cls, context):
        if photo_scene.active_root(context) is None:
            cls.poll_message_set("Import a photo first")
            return False
        return True


class CINE3D_OT_new_mask(_RootOperator, bpy.types.Operator):
    """Make a picture to paint what moves in white, and show it in an Image Editor"""

    bl_idname = "cine3d.new_mask"
    bl_label = "New Mask"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        root = photo_scene.active_root(context)
        context.scene.cine3d.mask = image = new_mask(root)
        editors = [area for area in context.screen.areas if area.type == "IMAGE_EDITOR"]
        for area in editors:
            area.spaces.active.image = image
            area.spaces.active.ui_mode = "PAINT"
        where = "Paint what moves in white" if editors else "Open an Image Editor to paint on it"
        self.report({"INFO"}, f"{image.name}: {where}")
        return {"FINISHED"}


def new_mask(root: bpy.types.Object, moving: np.ndarray | None = None) -> bpy.types.Image:
    """The photo, darkened, with what moves in white.

    Args:
        root: the photo.
        moving: [H, W] share that moves, bottom row first; None for nothing yet.
    """
    width, height = root.cine3d.photo_size
    rgba = np.zeros((height, width, 4), np.float32)
    rgba[..., 3] = 1.0
    photo = photo_image(root)
    if photo is not None and tuple(photo.size) == (width, height):
        photo.pixels.foreach_get(rgba.ravel())
        rgba[..., :3] *= _DARK
    if moving is not None:
        rgba[moving > _PAINTED, :3] = 1.0
    name = f"{root.name} Mask"
    image = bpy.data.images.get(name)
    if image is None or tuple(image.size) != (width, height):
        image = bpy.data.images.new(name, width, height)
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image


class CINE3D_OT_propose_mask(_RootOperator, jobs.WorkerOperator, bpy.types.Operator):
    """Let Cine3D find water, sky and smoke, as a mask to paint on"""

    bl_idname = "cine3d.propose_mask"
    bl_label = "Propose Mask"
    bl_options = {"REGISTER", "UNDO"}

    job_name = "propose_mask"

    @classmethod
    def poll(cls, context):
        return super().poll(context) and jobs.WorkerOperator.poll.__func__(cls, context)

    def request(self, context):
        root = photo_scene.active_root(context)
        self._root = root.name
        photo = bpy.path.abspath(root.cine3d.photo)
        settings = build_presets.build_settings(context.scene.cine3d)
        settings["size"] = max(root.cine3d.photo_size)
        return {"photo": photo, "settings": settings}, {}

    def deliver(self, context, value, arrays):
        root = bpy.data.objects[self._root]
        context.scene.cine3d.mask = new_mask(root, arrays["moving"])
        self.report({"INFO"}, value["description"])


class CINE3D_OT_add_arrow(_RootOperator, bpy.types.Operator):
    """Add an arrow over the picture; move its points in Edit Mode"""

    bl_idname = "cine3d.add_arrow"
    bl_label = "Add Arrow"
    bl_options = {"REGISTER", "UNDO"}

    start: bpy.props.FloatVectorProperty(
        name="Tail", description="Place on the photo", size=2, default=(0.4, 0.75), min=0, max=1
    )
    end: bpy.props.FloatVectorProperty(
        name="Tip", description="Place on the photo", size=2, default=(0.6, 0.75), min=0, max=1
    )

    def execute(self, context):
        root = photo_scene.active_root(context)
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
    root.users_collection[0].objects.link(arrow)
    arrow.parent = root
    arrow.matrix_parent_inverse = Matrix.Identity(4)
    return arrow


class CINE3D_OT_preview_motion(_RootOperator, jobs.WorkerOperator, bpy.types.Operator):
    """Show where everything would flow, over the picture, without building anything"""

    bl_idname = "cine3d.preview_motion"
    bl_label = "Preview Motion"
    bl_options = {"REGISTER", "UNDO"}

    job_name = "preview_motion"

    @classmethod
    def poll(cls, context):
        return super().poll(context) and jobs.WorkerOperator.poll.__func__(cls, context)

    def request(self, context):
        root = photo_scene.active_root(context)
        self._root = root.name
        mask = context.scene.cine3d.mask
        arrays = {} if mask is None else {"mask": mask_array(mask)}
        arguments = {
            "photo": bpy.path.abspath(root.cine3d.photo),
            "hints": hints(context, root),
            "regions": regions(context, root),
            "settings": build_presets.build_settings(context.scene.cine3d),
        }
        return arguments, arrays

    def deliver(self, context, value, arrays):
        root = bpy.data.objects[self._root]
        photo_scene.show_overlay(root, arrays["picture"])
        self.report({"INFO"}, "; ".join(value["assumed"]) or "The arrows are followed")


class CINE3D_OT_hide_motion(_RootOperator, bpy.types.Operator):
    """Take the preview of the motion off the picture"""

    bl_idname = "cine3d.hide_motion"
    bl_label = "Hide Motion"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        photo_scene.hide_overlay(photo_scene.active_root(context))
        return {"FINISHED"}


CLASSES = (
    CINE3D_OT_new_mask,
    CINE3D_OT_propose_mask,
    CINE3D_OT_add_arrow,
    CINE3D_OT_preview_motion,
    CINE3D_OT_hide_motion,
)
