"""The photo's objects in a .blend: made, found again, and updated when the photo is built anew.

collection NAME
NAME                empty; the root: move, turn and scale the whole picture with it
NAME Static         points that rest
NAME Moving 1, ...  points that flow, one object for each number of cycles per loop
NAME Camera         the camera that took the photo, with the photo as background picture
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import cameras, coordinates, farm_guard, point_nodes
from .compat import get_modifier_input, set_modifier_input

MODIFIER = "Cine3D Points"
_BACKGROUND_ALPHA = 0.5


@dataclass(frozen=True)
class SceneOptions:
    """What an import may change in the scene beside adding objects."""

    set_camera: bool = True
    set_render_size: bool = True
    set_timeline: bool = True
    set_view_transform: bool = True
    set_engine: bool = True


def roots(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Root objects of all photos in a scene."""
    return [obj for obj in scene.objects if obj.cine3d.is_root]


def active_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The photo that the active object belongs to, else the scene's only or first one."""
    obj = context.object
    while obj is not None:
        if obj.cine3d.is_root:
            return obj
        obj = obj.parent
    found = roots(context.scene)
    return found[0] if found else None


def point_objects(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes of a photo: resting points first, then by the number of cycles."""
    found = [child for child in root.children if MODIFIER in child.modifiers]
    return sorted(found, key=lambda obj: obj.cine3d_points.cycles)


def photo_camera(root: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that took the photo; None when the artist deleted it."""
    return next((child for child in root.children if child.type == "CAMERA"), None)


def show_photo(
    scene: bpy.types.Scene,
    photo: Path,
    scene_file: Path,
    value: dict[str, Any],
    arrays: dict[str, np.ndarray],
    options: SceneOptions,
) -> bpy.types.Object:
    """Make or update the objects of a photo from what the worker answered; gives the root.

    A photo that the scene already has (same file or same content) keeps its root, camera and
    animation; its points are replaced.
    """
    sha256 = value["photo_sha256"]
    root = root_of_photo(scene, photo, sha256) or _new_root(scene, photo)
    settings = root.cine3d
    settings.photo, settings.scene_file = stored_path(photo), stored_path(scene_file)
    settings.photo_sha256, settings.scene_sha256 = sha256, value["scene_sha256"]
    settings.num_frames = value["num_frames"]
    settings.models = ", ".join(f"{name} {sha[:12]}" for name, sha in value["models"].items())
    record = value["camera"]
    settings.photo_size = record["width"], record["height"]
    settings.intrinsics = [record["K"][row][col] for row, col in ((0, 0), (1, 1), (0, 2), (1, 2))]
    _replace_points(root, value, arrays)
    camera = _matched_camera(root, value["camera"])
    if "photo" in arrays:
        _set_background(camera, root.name, arrays["photo"])
    _apply_options(scene, root, camera, value, options)
    return root


def set_timeline(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Frame range of one loop; the motion begins at its first frame."""
    scene.frame_end = scene.frame_start + root.cine3d.num_frames - 1
    set_first_frame(root, scene.frame_start)


def set_look(root: bpy.types.Object, values: dict[str, float]) -> None:
    """Set modifier inputs of all points of a photo, by the names they show."""
    for obj in point_objects(root):
        for name, value in values.items():
            set_modifier_input(obj.modifiers[MODIFIER], name, value)


def set_first_frame(root: bpy.types.Object, frame: int) -> None:
    """Let the loop begin at a scene frame."""
    root.cine3d.first_frame = frame
    for obj in point_objects(root):
        if obj.cine3d_points.cycles:
            set_modifier_input(obj.modifiers[MODIFIER], "First Frame", frame)


def root_of_photo(
    scene: bpy.types.Scene, photo: Path, sha256: str | None = None
) -> bpy.types.Object | None:
    """The root of a photo that the scene has already, by file or by content."""
    for root in roots(scene):
        known = Path(bpy.path.abspath(root.cine3d.photo)).resolve()  # a stored path may have ".."
        if known == photo.resolve() or root.cine3d.photo_sha256 == sha256:
            return root
    return None


def stored_path(path: Path) -> str:
    """A path as a .blend should keep it: relative where the .blend has a place."""
    if bpy.data.filepath:
        try:
            return bpy.path.relpath(str(path))
        except ValueError:
            return str(path)  # another drive on Windows
    return str(path)


def _new_root(scene: bpy.types.Scene, photo: Path) -> bpy.types.Object:
    collection = bpy.data.collections.new(photo.stem)
    scene.collection.children.link(collection)
    root = bpy.data.objects.new(photo.stem, None)
    root.empty_display_size = 0.25
    root.cine3d.is_root = True
    root.cine3d.first_frame = scene.frame_start
    collection.objects.link(root)
    return root


def _replace_points(
    root: bpy.types.Object, value: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    looks = ("Point Size", "Viewport Density", "Render Density")
    keep = {name: _settings_of(root, name) for name in looks}
    for obj in point_objects(root):
        mesh = obj.data
        bpy.data.objects.remove(obj)
        if mesh.users == 0:
            bpy.data.meshes.remove(mesh)
    for number, cycles in enumerate(value["cycles"]):
        if len(arrays[f"positions_{number}"]):
            obj = _points_object(root, cycles, number, arrays)
            modifier = obj.modifiers[MODIFIER]
            if cycles:
                set_modifier_input(modifier, "First Frame", root.cine3d.first_frame)
                set_modifier_input(modifier, "Loop Frames", value["num_frames"])
            for name, kept in keep.items():
                if kept is not None:
                    set_modifier_input(modifier, name, kept)


def _settings_of(root: bpy.types.Object, name: str) -> float | None:
    existing = point_objects(root)
    return get_modifier_input(existing[0].modifiers[MODIFIER], name) if existing else None


def _points_object(
    root: bpy.types.Object, cycles: int, number: int, arrays: dict[str, np.ndarray]
) -> bpy.types.Object:
    name = f"{root.name} Moving {cycles}" if cycles else f"{root.name} Static"
    mesh = points_mesh(name, number, arrays)
    obj = bpy.data.objects.new(name, mesh)
    root.users_collection[0].objects.link(obj)
    obj.parent = root
    obj.cine3d_points.cycles = cycles
    modifier = obj.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = point_nodes.moving_group() if cycles else point_nodes.static_group()
    if cycles:
        set_modifier_input(modifier, "Cycles", cycles)
        set_modifier_input(modifier, "Keys", len(arrays[f"forward_{number}"]))
    farm_guard.guard(obj, modifier)
    return obj


def points_mesh(name: str, number: int, arrays: dict[str, np.ndarray]) -> bpy.types.Mesh:
    """A mesh of vertices alone, with everything that the node groups read."""
    positions = coordinates.points_to_blender(arrays[f"positions_{number}"])
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    mesh.attributes["position"].data.foreach_set("vector", positions.ravel())
    rgba = np.ones((len(positions), 4), np.float32)
    np.multiply(arrays[f"rgb_{number}"], np.float32(1 / 255), out=rgba[:, :3])
    color = mesh.attributes.new(point_nodes.COLOR, "BYTE_COLOR", "POINT")
    color.data.foreach_set("color_srgb", rgba.ravel())
    radius = mesh.attributes.new(point_nodes.RADIUS, "FLOAT", "POINT")
    radius.data.foreach_set("value", arrays[f"radius_{number}"])
    layer = mesh.attributes.new("layer", "INT", "POINT")
    layer.data.foreach_set("value", arrays[f"layer_{number}"].astype(np.int32))
    for prefix, direction in (("fwd_", "forward"), ("bwd_", "backward")):
        for k, key in enumerate(arrays[f"{direction}_{number}"]):
            attribute = mesh.attributes.new(f"{prefix}{k}", "FLOAT_VECTOR", "POINT")
            attribute.data.foreach_set("vector", coordinates.points_to_blender(key).ravel())
    mesh.materials.append(point_nodes.points_material())
    mesh.update()
    return mesh


def _matched_camera(root: bpy.types.Object, record: dict[str, Any]) -> bpy.types.Object:
    camera = photo_camera(root)
    if camera is None:
        name = f"{root.name} Camera"
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        root.users_collection[0].objects.link(camera)
        camera.parent = root
        camera.data.display_size = 0.25
        cameras.apply_core_camera(camera, record)
    if camera.animation_data is None and camera.data.animation_data is None:
        cameras.apply_core_camera(camera, record)
    return camera


def _set_background(camera: bpy.types.Object, name: str, png: np.ndarray) -> None:
    """The photo behind the points, packed into the .blend: upright and present everywhere."""
    image = packed_image(f"{name} Photo", png)
    backgrounds = camera.data.background_images
    if not any(background.image == image for background in backgrounds):
        background = backgrounds.new()
        background.image, background.alpha = image, _BACKGROUND_ALPHA
    camera.data.show_background_images = True


def packed_image(name: str, png: np.ndarray) -> bpy.types.Image:
    """An image of that name whose content is a PNG file [n] uint8 inside the .blend."""
    image = bpy.data.images.get(name)
    if image is None:
        image = bpy.data.images.new(name, 1, 1)
    image.pack(data=png.tobytes(), data_len=len(png))
    image.source = "FILE"  # only now: Blender would look for a file
    image.buffers_free()  # what it showed before
    return image


def show_overlay(root: bpy.types.Object, png: np.ndarray) -> None:
    """A picture of the motion in front of the points, for who looks through the photo's camera."""
    camera = photo_camera(root)
    if camera is None:
        raise ValueError(f"the camera of {root.name!r} is gone; import the photo again")
    image = packed_image(f"{root.name} Motion", png)
    backgrounds = camera.data.background_images
    overlay = next((b for b in backgrounds if b.image == image), None)
    if overlay is None:
        overlay = backgrounds.new()
        overlay.image, overlay.display_depth, overlay.alpha = image, "FRONT", 1.0
    overlay.show_background_image = True
    camera.data.show_background_images = True


def hide_overlay(root: bpy.types.Object) -> None:
    """Take the picture of the motion away."""
    camera = photo_camera(root)
    for background in camera.data.background_images if camera else ():
        if background.image is not None and background.image.name == f"{root.name} Motion":
            background.show_background_image = False


def _apply_options(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    camera: bpy.types.Object,
    value: dict[str, Any],
    options: SceneOptions,
) -> None:
    if options.set_camera:
        scene.camera = camera
    if options.set_render_size:
        scene.render.resolution_x = value["camera"]["width"]
        scene.render.resolution_y = value["camera"]["height"]
        scene.render.resolution_percentage = 100
        scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    if options.set_timeline:
        set_timeline(scene, root)
        scene.render.fps = max(1, round(value["fps"]))
        scene.render.fps_base = scene.render.fps / value["fps"]
    if options.set_view_transform:
        scene.view_settings.view_transform = "Standard"
    if options.set_engine:
        scene.render.engine = "CINE3D"
