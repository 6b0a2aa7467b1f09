"""Choices of a build: the scene's for the next photo, and each photo's own.

A mask, a file of arrows and a depth picture belong to one photo: it takes them along, and the next
one starts without.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..worker import python
from .properties import CINE3D_PG_choices

_SHARED = ("frames", "fps", "size", "preset", "points")  # are kept for the next photo
VIEW = ("panorama", "view_yaw", "view_pitch", "view_across")
_OWN = ("depth_source", "depth_path", "hints_file", "speed", "fov", *VIEW)


def build_settings(choices: CINE3D_PG_choices) -> dict[str, Any]:
    """The worker's settings for what was chosen.

    Raises:
        ValueError: a depth picture or model was announced and not named.
    """
    depth = None
    if choices.depth_source != "SHIPPED":
        if not choices.depth_path:
            raise ValueError(
                "no depth picture or model is chosen; choose one, or set Depth to Bundled Network"
            )
        depth = choices.depth_path
        if choices.depth_source == "FILE":
            depth = bpy.path.abspath(depth)
    return {
        "depth": depth,
        "frames": choices.frames,
        "fps": choices.fps,
        "size": choices.size,
        "fov": choices.fov or None,
        "view": _view(choices),
        "preset": choices.preset,
        "hints": bpy.path.abspath(choices.hints_file) or None,
        "device": python.preferences().device,
    }


def _view(choices: CINE3D_PG_choices) -> str | None:
    """What to take of a panorama, in the core's words."""
    if choices.panorama == "VIEW":
        return f"{choices.view_yaw:g},{choices.view_pitch:g},{choices.view_across:g}"
    return "flat" if choices.panorama == "FLAT" else None


def record(choices: CINE3D_PG_choices) -> dict[str, Any]:
    """The choices as they are now; the mask by the number that outlives undo."""
    values = {name: getattr(choices, name) for name in (*_SHARED, *_OWN)}
    return {**values, "mask": choices.mask and choices.mask.session_uid}


def give(
    taken: dict[str, Any], scene: bpy.types.Scene, root: bpy.types.Object, *, is_new: bool
) -> None:
    """A built photo gets the choices that it was built with; the scene keeps those for the next."""
    choices = root.cine3d.choices
    for name in (*_SHARED, *_OWN):
        if getattr(choices, name) != taken[name]:
            setattr(choices, name, taken[name])
    if is_new:
        choices.mask = next((i for i in bpy.data.images if i.session_uid == taken["mask"]), None)
        _empty(scene.cine3d)


def pass_on(source: CINE3D_PG_choices, target: CINE3D_PG_choices) -> None:
    """What was chosen for an import goes to the photo that the scene already has."""
    for name in _SHARED:
        setattr(target, name, getattr(source, name))
    for name in ("hints_file", "mask", "fov"):
        if getattr(source, name):
            setattr(target, name, getattr(source, name))
    if source.panorama != "NONE":
        for name in VIEW:
            setattr(target, name, getattr(source, name))
    if source.depth_path:
        target.depth_source, target.depth_path = source.depth_source, source.depth_path
    _empty(source)


def forget_view(choices: CINE3D_PG_choices) -> None:
    """The next photo is taken for no panorama until it is one."""
    for name in VIEW:
        choices.property_unset(name)


def _empty(choices: CINE3D_PG_choices) -> None:
    for name in (*_OWN, "mask"):
        choices.property_unset(name)


CLASSES = ()
