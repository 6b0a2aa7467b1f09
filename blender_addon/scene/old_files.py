"""Files of earlier states of this add-on: their photos get what they lack when they are opened."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from cine3d_core.errors import InputError
from cine3d_core.files.scene.arrays import read_scene_info

from ..worker import jobs
from . import photo_points, photo_scene, scene_files

_CHOICES = ("depth_source", "depth_path", "frames", "fps", "size", "preset", "hints_file", "speed")


def bring_up_to_date(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Pointers where there were names, and the scene's choices as those of the photo."""
    settings = root.cine3d
    if settings.layout >= photo_scene.LAYOUT:
        return
    settings.camera = photo_scene.photo_camera(root)
    settings.picture = bpy.data.images.get(f"{root.name} Photo")
    settings.motion = bpy.data.images.get(f"{root.name} Motion")
    volumes = (child for child in root.children if child.name.endswith(" Safe Volume"))
    settings.volume = next(volumes, None)
    objects = photo_points.point_objects(root)
    settings.num_points = sum(len(obj.data.vertices) for obj in objects)
    for part in (*objects, settings.camera):
        if part is not None:
            part.cine3d_points.photo_sha256 = settings.photo_sha256
    for name in _CHOICES:
        setattr(settings.choices, name, getattr(scene.cine3d, name))
    settings.choices.mask = scene.cine3d.mask
    settings.choices.use_annotations = root == photo_scene.roots(scene)[0]
    settings.choices.points = "FULL"
    settings.layout = photo_scene.LAYOUT


def problem_of(root: bpy.types.Object) -> str | None:
    """Why the engine cannot draw a photo, in a sentence; None where it can."""
    path = scene_files.find(root, "scene_file")
    if path is None:
        return None  # the panel says so, and F12
    try:
        read_scene_info(path)
    except InputError as error:
        return f"The points of {root.name} play, but the engine cannot draw them: {error}"
    return None


@persistent
def _after_loading(*_args) -> None:
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        for root in photo_scene.roots(scene):
            if root.library is None and root.override_library is None:
                bring_up_to_date(scene, root)
                if (problem := problem_of(root)) is not None:
                    jobs.tell_soon(jobs.Told(problem, "WARNING"))


CLASSES = ()


def register() -> None:
    """Watch files being opened."""
    bpy.app.handlers.load_post.append(_after_loading)


def unregister() -> None:
    """Stop watching."""
    bpy.app.handlers.load_post.remove(_after_loading)
