"""What artists, scripts and other programs might do to a file of Blender, and how it is used then.

Used by `blend_program` within Blender's Python; FOLDER is the one that it was started with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_addon.direct import motion_drawing
from blender_addon.scene import photo_scene

Do = Callable[[Any, Any], object]  # of the scene and the photo's root
NAN = float("nan")
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


def render(scene: Any, root: Any) -> None:
    bpy.ops.render.render(write_still=True)


def operator(name: str, **arguments: Any) -> Do:
    def do(scene: Any, root: Any) -> None:
        getattr(bpy.ops.cine3d, name)(
            **{key: value.format(folder=FOLDER) if isinstance(value, str) else value
               for key, value in arguments.items()}
        )  # fmt: skip

    return do


def stored(**values: Any) -> Do:
    """Properties of the photo as another program might have left them."""

    def edit(scene: Any, root: Any) -> None:
        for name, value in values.items():
            text = isinstance(value, str)
            setattr(root.cine3d, name, value.format(folder=FOLDER) if text else value)

    return edit


def chosen(**values: Any) -> Do:
    """Choices for the next build."""

    def edit(scene: Any, root: Any) -> None:
        for name, value in values.items():
            text = isinstance(value, str)
            setattr(root.cine3d.choices, name, value.format(folder=FOLDER) if text else value)

    return edit


def camera(**values: Any) -> Do:
    def edit(scene: Any, root: Any) -> None:
        for name, value in values.items():
            owner = scene.camera if name in ("scale", "location") else scene.camera.data
            setattr(owner, name, value)

    return edit


def of_root(**values: Any) -> Do:
    def edit(scene: Any, root: Any) -> None:
        for name, value in values.items():
            setattr(root, name, value)
        bpy.context.view_layer.update()

    return edit


def of_render(**values: Any) -> Do:
    def edit(scene: Any, root: Any) -> None:
        for name, value in values.items():
            setattr(scene.render, name, value)

    return edit


def without(which: Callable[[Any, Any], Any]) -> Do:
    """Some objects deleted."""

    def edit(scene: Any, root: Any) -> None:
        for obj in list(which(scene, root)):
            bpy.data.objects.remove(obj)

    return edit


def second_root(scene: Any, root: Any) -> None:
    photo_scene.photo_camera(root).cine3d.is_root = True


def empty_meshes(scene: Any, root: Any) -> None:
    for obj in photo_scene.point_objects(root):
        obj.data.clear_geometry()


def no_attributes(scene: Any, root: Any) -> None:
    for obj in photo_scene.point_objects(root):
        for name in [a.name for a in obj.data.attributes if a.name not in ("position",)]:
            attribute = obj.data.attributes.get(name)
            if attribute is not None and not attribute.is_required:
                obj.data.attributes.remove(attribute)


def no_modifiers(scene: Any, root: Any) -> None:
    for obj in photo_scene.point_objects(root):
        obj.modifiers.clear()


def no_node_groups(scene: Any, root: Any) -> None:
    for group in list(bpy.data.node_groups):
        bpy.data.node_groups.remove(group)


def unlinked_root(scene: Any, root: Any) -> None:
    for collection in list(root.users_collection):
        collection.objects.unlink(root)
    scene.collection.objects.link(root)


def renamed(scene: Any, root: Any) -> None:
    root.name = "été 海"
    root.users_collection[0].name = ""


def arrow(*points: tuple[float, float, float]) -> Do:
    def edit(scene: Any, root: Any) -> None:
        made = motion_drawing.add_arrow(root, [(0.4, 0.8), (0.6, 0.8)])
        made.data.splines.clear()
        if points:
            spline = made.data.splines.new("POLY")
            spline.points.add(len(points) - 1)
            for point, place in zip(spline.points, points, strict=True):
                point.co = (*place, 1.0)

    return edit


def mask(width: int, height: int, level: float, **values: Any) -> Do:
    def edit(scene: Any, root: Any) -> None:
        image = bpy.data.images.new("odd", width, height, float_buffer=True)
        image.pixels.foreach_set(np.full(width * height * 4, level, np.float32))
        root.cine3d.choices.mask = image

    return edit


def mask_of_file(name: str) -> Do:
    def edit(scene: Any, root: Any) -> None:
        image = bpy.data.images.new("odd", 1, 1)
        image.source, image.filepath = "FILE", str(FOLDER / name)
        root.cine3d.choices.mask = image

    return edit


def passes(scene: Any, root: Any) -> None:
    layer = bpy.context.view_layer
    layer.use_pass_z = layer.use_pass_vector = layer.cine3d.use_pass_moving = True


def at_frame(frame: int) -> Do:
    return lambda scene, root: scene.frame_set(frame)


def idproperty(owner: str, key: str, value: Any) -> Do:
    def edit(scene: Any, root: Any) -> None:
        {"scene": scene, "root": root}[owner][key] = value

    return edit


def several(*edits: Do) -> Do:
    return lambda scene, root: [edit(scene, root) for edit in edits]


def nothing(scene: Any, root: Any) -> None:
    pass


def points(scene: Any, root: Any) -> list[Any]:
    return photo_scene.point_objects(root)


PLY = operator("export_ply", filepath="{folder}/out/x.ply")
REBUILD = operator("rebuild")
PREVIEW = operator("preview_motion")
