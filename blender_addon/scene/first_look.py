"""What one sees after an import: the photo through its camera, in colour, playing."""

from __future__ import annotations

import math

import bpy
from bpy.app.handlers import persistent
from mathutils import Vector

from ..worker import python
from . import handlers, motion_plane, photo_scene

_START_UP = {"Cube", "Light", "Camera"}  # objects of Blender's own start-up file


def is_fresh(scene: bpy.types.Scene) -> bool:
    """Whether the scene is untouched: Blender's own start-up file, never saved."""
    if bpy.data.filepath:
        return False
    if any(obj.name not in _START_UP or obj.animation_data for obj in scene.objects):
        return False
    render = scene.render
    size = (render.resolution_x, render.resolution_y, render.fps)
    return size == (1920, 1080, 24) and (scene.frame_start, scene.frame_end) == (1, 250)


def leave_edit_mode(context: bpy.types.Context) -> None:
    """Points cannot be exchanged while they are in Edit Mode."""
    obj = getattr(context, "object", None)
    if obj is not None and obj.mode == "EDIT" and photo_scene.root_of(obj) is not None:
        bpy.ops.object.mode_set(mode="OBJECT")


def clear_the_view(
    context: bpy.types.Context, scene: bpy.types.Scene, root: bpy.types.Object, *, fresh: bool
) -> list[str]:
    """Hide the start-up cube of a fresh scene; say what else is around the photo's camera."""
    if fresh:
        cube = scene.objects.get("Cube")
        if cube is not None:
            cube.hide_render = True
            cube.hide_set(True, view_layer=scene.view_layers[0])
        for obj in scene.view_layers[0].objects:
            obj.select_set(False)
        scene.view_layers[0].objects.active = root
        root.select_set(True)
        # annotations are drawn at the depth of the 3D cursor: let them lie on the photo
        scene.cursor.location = motion_plane.local_position(root, 0.5, 0.5)
    camera = photo_scene.photo_camera(root)
    place = camera.matrix_world.translation
    around = [
        obj.name
        for obj in scene.objects
        if obj.type == "MESH"
        and photo_scene.root_of(obj) is None
        and not obj.hide_render
        and obj.visible_get(view_layer=scene.view_layers[0])
        and _is_inside(place, obj)
    ]
    return [f"{' and '.join(around)} stands around the photo's camera; hide it"] if around else []


def _is_inside(place: Vector, obj: bpy.types.Object) -> bool:
    corners = [Vector(corner) for corner in obj.bound_box]
    if not obj.matrix_world.determinant():
        return False
    local = obj.matrix_world.inverted() @ place
    lows, highs = (
        [pick(corner[axis] for corner in corners) for axis in range(3)] for pick in (min, max)
    )
    return all(low <= x <= high for low, x, high in zip(lows, local, highs, strict=True))


def look_through(
    context: bpy.types.Context,
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    *,
    play: bool | None = None,
) -> bool:
    """Show a photo through its camera in the largest 3D view; whether there is one.

    Args:
        context: with or without a window.
        scene: of the photo.
        root: the photo.
        play: start playing; None asks the preferences.
    """
    found = _largest_view(context, scene)
    camera = photo_scene.photo_camera(root)
    if found is None or camera is None:
        return False
    window, area = found
    space = area.spaces.active
    space.use_local_camera = scene.camera != camera
    if space.use_local_camera:
        space.camera = camera
    space.region_3d.view_perspective = "CAMERA"
    space.region_3d.view_camera_offset = (0.0, 0.0)
    # Rendered shading is the engine's own picture, and the only fast one without a strong card
    space.shading.type = "RENDERED" if scene.render.engine == "CINE3D" else "MATERIAL"
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_center_camera()
        _clear_of_headers(area, region, space.region_3d)
        wanted = python.preferences().play_after_import if play is None else play
        if wanted and not window.screen.is_animation_playing:
            bpy.ops.screen.animation_play()
    return True


def _clear_of_headers(
    area: bpy.types.Area, region: bpy.types.Region, view: bpy.types.RegionView3D
) -> None:
    """Show the photo smaller and lower, so that its upper border can be drawn on.

    Blender fits the camera's picture into the whole view, and lays the view's headers over it.
    """
    top = region.y + region.height
    headers = [r for r in area.regions if r.type in {"HEADER", "TOOL_HEADER"} and r.height > 1]
    covered = top - min(
        (r.y for r in headers if region.y + region.height / 2 < r.y < top), default=top
    )
    if covered <= 0:
        return
    root_two = math.sqrt(2)
    free = math.sqrt(1 - covered / region.height)
    view.view_camera_zoom = 50 * ((root_two + view.view_camera_zoom / 50) * free - root_two)
    shown = (root_two + view.view_camera_zoom / 50) ** 2 / 2  # as Blender's own panning reckons
    view.view_camera_offset[1] = covered / 2 / (region.height * shown)


def _largest_view(
    context: bpy.types.Context, scene: bpy.types.Scene
) -> tuple[bpy.types.Window, bpy.types.Area] | None:
    if bpy.app.background:
        return None
    views = [
        (window, area)
        for window in context.window_manager.windows
        if window.scene == scene
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]
    return max(views, key=lambda view: view[1].width * view[1].height, default=None)


def _views(scene: bpy.types.Scene) -> list[bpy.types.SpaceView3D]:
    return [
        area.spaces.active
        for window in bpy.context.window_manager.windows
        if window.scene == scene
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]


@persistent
def _before_saving(*_args: object) -> None:
    for scene in bpy.data.scenes:
        rendered = any(space.shading.type == "RENDERED" for space in _views(scene))
        for root in photo_scene.roots(scene):
            if root.library is None and root.override_library is None:
                root.cine3d.shown_rendered = rendered


@persistent
def _after_loading(*_args: object) -> None:
    """Blender opens every file in Solid, where points are grey: show what was shown."""
    for scene in bpy.data.scenes:
        if scene.render.engine != "CINE3D":
            continue
        if any(root.cine3d.shown_rendered for root in photo_scene.roots(scene)):
            for space in _views(scene):
                if space.region_3d.view_perspective == "CAMERA":
                    space.shading.type = "RENDERED"


CLASSES = ()
_HANDLERS = (("save_pre", _before_saving), ("load_post", _after_loading))


def register() -> None:
    """Watch saving and loading."""
    handlers.add(_HANDLERS)


def unregister() -> None:
    """Stop watching."""
    handlers.remove(_HANDLERS)
