"""Which frame of the loop is shown: the timeline's, or that of a property that can be animated.

The engine reads the property; the points follow it by drivers that need no Python, so that every
kind of shading and every engine show the same frame.
"""

from __future__ import annotations

import bpy

from ..compat import fcurves_of, modifier_input_path, set_modifier_input
from . import cameras, photo_points

PATH = "cine3d.time"  # from the root
_INPUT = "First Frame"


def pass_on(root: bpy.types.Object) -> None:
    """Tell the points when the loop begins, or by what it is driven."""
    for obj in photo_points.point_objects(root):
        if not obj.cine3d_points.cycles:
            continue
        modifier = photo_points.points_modifier(obj)
        path = modifier_input_path(modifier, _INPUT)
        obj.driver_remove(path)
        set_modifier_input(modifier, _INPUT, root.cine3d.first_frame)
        if root.cine3d.use_time:
            _drive(obj, path, root)


def _drive(obj: bpy.types.Object, path: str, root: bpy.types.Object) -> None:
    """The loop begins as long before now as the property says."""
    driver = obj.driver_add(path).driver
    driver.type = "SCRIPTED"
    variable = driver.variables.new()
    variable.name, variable.type = "time", "SINGLE_PROP"
    variable.targets[0].id, variable.targets[0].data_path = root, PATH
    driver.expression = "frame - time"


def loop_frames(scene: bpy.types.Scene, root: bpy.types.Object, frames: list[int]) -> list[float]:
    """Frames of the loop at frames of the timeline; the scene stays at its own."""
    now = scene.frame_current
    shown = []
    try:
        for frame in frames:
            if frame != scene.frame_current:
                scene.frame_set(frame)
            shown.append(cameras.loop_frame(scene, root))
    finally:
        if scene.frame_current != now:
            scene.frame_set(now)
    return shown


def time_curve(root: bpy.types.Object) -> bpy.types.FCurve | None:
    """The animation of the loop's frame."""
    return next((curve for curve in fcurves_of(root) if curve.data_path == PATH), None)


def run_from(root: bpy.types.Object, frame: int, speed: float, now: float) -> None:
    """Let the loop go on at a speed from a frame of the timeline; later keys are taken away.

    Args:
        root: of the photo.
        frame: of the timeline.
        speed: 1 as built, 0 stands still, below 0 backward.
        now: frame of the loop that is shown there.
    """
    settings = root.cine3d
    first, length = settings.first_frame, max(1, settings.num_frames)
    if time_curve(root) is None and frame > first:
        _key(root, first, now - (frame - first))  # until then it runs as the timeline did
    else:
        _remove_keys_from(root, frame)
    _key(root, frame, now)
    _key(root, frame + length, now + speed * length)
    curve = time_curve(root)
    assert curve is not None, root.name
    curve.extrapolation = "LINEAR"
    for key in curve.keyframe_points:
        key.interpolation = "LINEAR"
    settings.use_time = True
    settings.time = now


def _key(root: bpy.types.Object, frame: float, value: float) -> None:
    root.cine3d.time = value
    root.keyframe_insert(PATH, frame=frame)


def _remove_keys_from(root: bpy.types.Object, frame: float) -> None:
    curve = time_curve(root)
    if curve is not None:
        for key in reversed([key for key in curve.keyframe_points if key.co.x >= frame]):
            curve.keyframe_points.remove(key)


CLASSES = ()
