"""Lighter points while the scene plays, so that it plays: fewer, or none where they are not seen.

In Rendered shading the engine's frames are shown and the points are not; in any other shading as
many are kept as a processor evaluates 25 times a second. What is set here is no property of the
file: it is taken back before the file is saved, and after undo.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..compat import get_modifier_input, set_modifier_input
from . import handlers, photo_points, photo_scene
from .point_nodes import PLAYING

PLAYED_POINTS = 150_000  # that move, evaluated in some 0.02 s
_playing = False


def share_while_playing(moving: int, only_rendered: bool) -> float:
    """Share of the points that is evaluated while playing."""
    if only_rendered:
        return 0.0
    return min(1.0, PLAYED_POINTS / max(1, moving))


def set_share(scene: bpy.types.Scene, only_rendered: bool | None) -> None:
    """Thin out the points of a scene for playing; None shows them all again."""
    for root in photo_scene.roots(scene):
        if root.library is not None:
            continue
        objects = photo_points.point_objects(root)
        moving = sum(len(o.data.vertices) for o in objects if o.cine3d_points.cycles)
        share = 1.0 if only_rendered is None else share_while_playing(moving, only_rendered)
        for obj in objects:
            modifier = photo_points.points_modifier(obj)
            known = PLAYING in modifier.node_group.interface.items_tree
            # what rests is evaluated once, and again whenever its share changes
            if known and obj.cine3d_points.cycles:
                if get_modifier_input(modifier, PLAYING) != share:
                    set_modifier_input(modifier, PLAYING, share)


def _only_rendered() -> bool:
    """Whether every 3D view shows the engine's frames."""
    views = [
        (window.scene, area.spaces.active)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]
    return all(
        space.shading.type == "RENDERED" and scene.render.engine == "CINE3D"
        for scene, space in views
    )


@persistent
def _begin(scene: bpy.types.Scene, *_args) -> None:
    global _playing
    _playing = True
    set_share(scene, _only_rendered())


@persistent
def _end(scene: bpy.types.Scene, *_args) -> None:
    global _playing
    _playing = False
    set_share(scene, None)


@persistent
def _before_saving(*_args) -> None:
    for scene in bpy.data.scenes:
        set_share(scene, None)


@persistent
def _after_saving(*_args) -> None:
    if _playing:
        set_share(bpy.context.scene, _only_rendered())


@persistent
def _after_changes(*_args) -> None:
    global _playing
    windows = bpy.context.window_manager.windows
    _playing = any(window.screen.is_animation_playing for window in windows)
    if not _playing:
        _before_saving()


CLASSES = ()
_HANDLERS = (
    ("animation_playback_pre", _begin),
    ("animation_playback_post", _end),
    ("save_pre", _before_saving),
    ("save_post", _after_saving),
    ("save_post_fail", _after_saving),
    ("undo_post", _after_changes),
    ("redo_post", _after_changes),
    ("load_post", _after_changes),
)


def register() -> None:
    """Watch playing."""
    handlers.add(_HANDLERS)


def unregister() -> None:
    """Stop watching."""
    handlers.remove(_HANDLERS)
