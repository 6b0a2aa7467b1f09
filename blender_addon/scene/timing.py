"""Which frame of the loop is shown: the timeline's, or that of a property that can be animated.

The engine reads the property; the points follow it by drivers that need no Python, so that every
kind of shading and every engine show the same frame.
"""

from __future__ import annotations

import re

import bpy

from ..compat import fcurves_of, modifier_input_path, remove_empty_fcurves, set_modifier_input
from . import cameras, photo_points

PATH = "cine3d.time"  # from the root
REGION_PATH = "cine3d_direct.regions[{}].time"
_OF_REGION = re.compile(r"cine3d_direct\.regions\[(\d+)\]\.time")
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
        driven_by = _time_path(root, obj.cine3d_points.region)
        if driven_by:
            _drive(obj, path, root, driven_by)


def _time_path(root: bpy.types.Object, number: int) -> str:
    """What says the frame of points that a region of this number moves; empty: the timeline."""
    for index, region in enumerate(root.cine3d_direct.regions):
        if number and region.number == number and region.use_time:
            return REGION_PATH.format(index)
    return PATH if root.cine3d.use_time else ""


def _drive(obj: bpy.types.Object, path: str, root: bpy.types.Object, driven_by: str) -> None:
    """The loop begins as long before now as the property says."""
    driver = obj.driver_add(path).driver
    driver.type = "SCRIPTED"
    variable = driver.variables.new()
    variable.name, variable.type = "time", "SINGLE_PROP"
    variable.targets[0].id, variable.targets[0].data_path = root, driven_by
    driver.expression = "frame - time"


def loop_frames(
    scene: bpy.types.Scene, root: bpy.types.Object, frames: list[int]
) -> list[tuple[float, list[list[float]]]]:
    """Frames of the loop, and those of regions, at frames of the timeline; it stays at its own."""
    now = scene.frame_current
    shown = []
    try:
        for frame in frames:
            if frame != scene.frame_current:
                scene.frame_set(frame)
            shown.append((cameras.loop_frame(scene, root), cameras.region_times(root)))
    finally:
        if scene.frame_current != now:
            scene.frame_set(now)
    return shown


def time_curve(root: bpy.types.Object, path: str = PATH) -> bpy.types.FCurve | None:
    """The animation of the loop's frame, of the photo or of a region."""
    return next((curve for curve in fcurves_of(root) if curve.data_path == path), None)


def run_from(
    root: bpy.types.Object, frame: int, speed: float, now: float, *, region: int | None = None
) -> None:
    """Let the loop go on at a speed from a frame of the timeline; later keys are taken away.

    Args:
        root: of the photo.
        frame: of the timeline.
        speed: 1 as built, 0 stands still, below 0 backward.
        now: frame of the loop that is shown there.
        region: index of the region that it is for; None for the whole photo.
    """
    settings = root.cine3d if region is None else root.cine3d_direct.regions[region]
    path = PATH if region is None else REGION_PATH.format(region)
    first, length = root.cine3d.first_frame, max(1, root.cine3d.num_frames)
    before = time_curve(root, path)
    keys = [(frame, now), (frame + length, now + speed * length)]
    if before is not None:
        for key in reversed([key for key in before.keyframe_points if key.co.x >= frame]):
            before.keyframe_points.remove(key)
    elif frame > first:
        keys.insert(0, (first, now - (frame - first)))  # until then it runs as the timeline did
    for place, value in keys:
        settings.time = value
        root.keyframe_insert(path, frame=place)
    curve = time_curve(root, path)
    assert curve is not None, root.name
    curve.extrapolation = "LINEAR"
    for key in curve.keyframe_points:
        key.interpolation = "LINEAR"
    settings.use_time = True
    settings.time = now


def number_built(root: bpy.types.Object | None) -> None:
    """The scene file knows the regions by the numbers that they were sent as."""
    for region in root.cine3d_direct.regions if root is not None else ():
        region.number = region.sent_as


def move_keys(root: bpy.types.Object, places: dict[int, int]) -> None:
    """Let the keys of regions go with them in the list.

    Args:
        root: of the photo; its regions are in their new places already.
        places: old index -> new one; what is not there was removed.
    """
    for curve in fcurves_of(root):
        match = _OF_REGION.fullmatch(curve.data_path)
        if match is None:
            continue
        place = places.get(int(match[1]))
        if place is None:
            for key in reversed(curve.keyframe_points):
                curve.keyframe_points.remove(key)
        else:
            curve.data_path = REGION_PATH.format(place)
    remove_empty_fcurves(root)
    root.update_tag()  # Blender does not notice that a list has another order
    pass_on(root)


CLASSES = ()
