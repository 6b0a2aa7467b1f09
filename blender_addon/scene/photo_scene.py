"""The photo's objects in a .blend: made, found again, and updated when the photo is built again.

collection NAME
NAME                empty; the root: move, turn and scale the whole picture with it
NAME Static         points that stay still
NAME Moving 1, ...  points that flow, one object for each number of cycles per loop
NAME Camera         the camera that took the photo, with the photo as background picture

The names are for the reader only; everything is found by pointers and parents.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import cameras, photo_pictures, photo_points, scene_files, timing

LAYOUT = 2  # of the properties of a photo's root; see `old_files`


@dataclass(frozen=True)
class SceneOptions:
    """What an import may change in the scene beside adding objects."""

    set_camera: bool = True
    set_render_size: bool = True
    set_timeline: bool = True
    set_view_transform: bool = True
    set_engine: bool = True


NOTHING_ELSE = SceneOptions(False, False, False, False, False)


def roots(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Root objects of all photos in a scene."""
    return [obj for obj in scene.objects if obj.cine3d.is_root]


def root_of(obj: bpy.types.Object | None) -> bpy.types.Object | None:
    """The photo that an object is a part of."""
    while obj is not None and not obj.cine3d.is_root:
        obj = obj.parent
    return obj


def active_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The photo of the active object, else that of the scene's camera, else the first one."""
    for obj in (getattr(context, "object", None), context.scene.camera):
        if (root := root_of(obj)) is not None:
            return root
    found = roots(context.scene)
    return found[0] if found else None


def by_session_uid(scene: bpy.types.Scene, uid: int) -> bpy.types.Object:
    """A photo by the number that outlives undo and new names.

    Raises:
        ValueError: it was deleted in the meantime.
    """
    for root in roots(scene):
        if root.session_uid == uid:
            return root
    raise ValueError("the photo was deleted while Cine3D was at work; nothing has changed")


def photo_camera(root: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that took the photo; None when the artist deleted it."""
    known = root.cine3d.camera
    if known is not None and known.parent == root:
        return known
    return next((child for child in root.children if child.type == "CAMERA"), None)


def collection_of(root: bpy.types.Object) -> bpy.types.Collection:
    """Where new parts of a photo go."""
    return root.users_collection[0]


def show_photo(
    scene: bpy.types.Scene,
    photo: Path,
    scene_file: Path,
    value: dict[str, Any],
    arrays: dict[str, np.ndarray],
    options: SceneOptions,
    *,
    known: bpy.types.Object | None = None,
) -> bpy.types.Object:
    """Make or update the objects of a photo from what the worker answered; gives the root.

    A photo that the scene already has (`known`, same file or same content) keeps its root, camera
    and animation; its points are replaced.
    """
    sha256 = value["photo_sha256"]
    known = known or root_of_photo(scene, photo, sha256)
    root = known or _new_root(scene, photo, sha256)
    settings = root.cine3d
    scene_files.keep_path(root, "photo", photo)
    scene_files.keep_path(root, "scene_file", scene_file)
    settings.photo_sha256, settings.scene_sha256 = sha256, value["scene_sha256"]
    settings.num_frames = value["num_frames"]
    settings.models = ", ".join(f"{name} {sha[:12]}" for name, sha in value["models"].items())
    record = value["camera"]
    settings.photo_size = record["width"], record["height"]
    settings.intrinsics = [record["K"][row][col] for row, col in ((0, 0), (1, 1), (0, 2), (1, 2))]
    framing = value["framing"]
    settings.framing = framing["near"], framing["far"], framing["reach"]
    photo_points.replace_points(root, value, arrays)
    timing.pass_on(root)
    if options.set_render_size:
        record = even_sized(record)
    camera = _matched_camera(root, record)
    if "photo" in arrays:
        photo_pictures.set_background(root, camera, arrays["photo"])
    photo_pictures.hide_overlay(root)  # it shows the motion of the former build
    if known and scene.camera is None:  # the artist deleted it
        scene.camera = camera
    _apply_options(scene, root, camera, record, value["fps"], options)
    return root


def even_sized(record: dict[str, Any]) -> dict[str, Any]:
    """A camera without its last odd row and column: video formats want even sizes."""
    return {**record, **{side: record[side] // 2 * 2 for side in ("width", "height")}}


def set_timeline(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Frame range of one loop; the motion begins at its first frame."""
    scene.frame_end = scene.frame_start + root.cine3d.num_frames - 1
    root.cine3d.first_frame = scene.frame_start


def root_of_photo(
    scene: bpy.types.Scene, photo: Path, sha256: str | None = None
) -> bpy.types.Object | None:
    """The root of a photo that the scene has already, by file or by content."""
    for root in roots(scene):
        if root.library is not None:
            continue
        known = scene_files.photo_file(root).resolve()  # a stored path may have ".."
        if known == photo.resolve() or root.cine3d.photo_sha256 == sha256:
            return root
    return None


def _new_root(scene: bpy.types.Scene, photo: Path, sha256: str) -> bpy.types.Object:
    collection = bpy.data.collections.new(photo.stem)
    scene.collection.children.link(collection)
    root = bpy.data.objects.new(photo.stem, None)
    root.empty_display_size = 0.25
    settings = root.cine3d
    settings.is_root, settings.layout = True, LAYOUT
    settings.first_frame = scene.frame_start
    settings.choices.use_annotations = not any(
        other.cine3d.choices.use_annotations for other in roots(scene)
    )
    collection.objects.link(root)
    _adopt(scene, root, sha256)
    return root


def _adopt(scene: bpy.types.Scene, root: bpy.types.Object, sha256: str) -> None:
    """What a deleted empty has left of this photo belongs to the new one."""
    for obj in list(scene.objects):
        if obj.cine3d_points.photo_sha256 == sha256 and root_of(obj) is None:
            obj.parent = root
            for old in obj.users_collection:
                old.objects.unlink(obj)
            collection_of(root).objects.link(obj)
            if obj.type == "CAMERA":
                root.cine3d.camera = obj


def _matched_camera(root: bpy.types.Object, record: dict[str, Any]) -> bpy.types.Object:
    camera = photo_camera(root)
    if camera is None:
        name = f"{root.name} Camera"
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        collection_of(root).objects.link(camera)
        camera.parent = root
        camera.data.display_size = 0.25
        # the nearest surface is 1 away: Blender's eyes would be far too far apart
        stereo = camera.data.stereo
        stereo.interocular_distance, stereo.convergence_distance = 0.02, 1.5
        cameras.apply_core_camera(camera, record)
    if camera.animation_data is None and camera.data.animation_data is None:
        cameras.apply_core_camera(camera, record)
    camera.cine3d_points.photo_sha256 = root.cine3d.photo_sha256
    root.cine3d.camera = camera
    return camera


def photo_record(root: bpy.types.Object, scene: bpy.types.Scene) -> dict[str, Any]:
    """The core's camera of a photo, cut to an even size where the scene renders that size."""
    focal_x, focal_y, centre_x, centre_y = root.cine3d.intrinsics
    width, height = root.cine3d.photo_size
    record = {
        "K": [[focal_x, 0, centre_x], [0, focal_y, centre_y], [0, 0, 1]],
        "world_to_camera": np.eye(4).tolist(),
        "width": width,
        "height": height,
    }
    size = scene.render.resolution_x, scene.render.resolution_y
    even = even_sized(record)
    return even if size == (even["width"], even["height"]) else record


def _apply_options(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    camera: bpy.types.Object,
    record: dict[str, Any],
    fps: float,
    options: SceneOptions,
) -> None:
    if options.set_camera:
        scene.camera = camera
    if options.set_render_size:
        scene.render.resolution_x = record["width"]
        scene.render.resolution_y = record["height"]
        scene.render.resolution_percentage = 100
        scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    if options.set_timeline:
        set_timeline(scene, root)
        scene.render.fps = max(1, round(fps))
        scene.render.fps_base = scene.render.fps / fps
    if options.set_view_transform:
        scene.view_settings.view_transform = "Standard"
    if options.set_engine:
        scene.render.engine = "CINE3D"
