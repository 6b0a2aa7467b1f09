"""What was drawn on the photo, over the view: arrows with their speeds, outlines, strokes, pins."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Vector

from . import hand, live, tool
from .direct_properties import Arrow, CINE3D_PG_region
from .live_shader import REST

HANDLE_PX = 4.0
_LINE_PX = 2.0
_HEAD_PX = 10.0
_WORDS_PX = 11.0
_PIECE = 14  # corners of an outline that is a piece of a brush's stroke
_ARROW_FRAMES = 50  # in which the photo goes the length of an arrow
_STROKES = {"MOVES": (0.4, 1.0, 0.4, 0.3), "RESTS": (*REST, 0.2), "FREEZE": (*REST, 0.25)}


def draw_lines(points: list, colour: tuple, width: float, kind: str = "LINE_STRIP") -> None:
    """Lines in pixels of the region."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": [(p[0], p[1], 0.0) for p in points]})
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", width)
    shader.uniform_float("color", colour)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def _draw_disc(centre: Vector, radius: float, colour: tuple, *, filled: bool) -> None:
    turns = np.linspace(0, 2 * np.pi, 25)
    ring = [(centre.x + radius * np.cos(t), centre.y + radius * np.sin(t)) for t in turns]
    if filled:
        draw_lines([(centre.x - radius / 2, centre.y), (centre.x + radius / 2, centre.y)], colour,
                   2 * radius)  # fmt: skip
    draw_lines(ring, colour, 1.5)


def draw_drawing(context: bpy.types.Context, root: bpy.types.Object) -> None:
    """Arrows with handles, outlines, strokes and pins, in every kind of shading."""
    direct, scale = root.cine3d_direct, context.preferences.system.ui_scale
    tinted = context.scene.cine3d_tool.live and live.motion_of(root) is not None
    bands = live.is_tool_active(context.window) and not tinted
    for index, region in enumerate(direct.regions):
        if not region.visible:
            continue
        colour = (*(REST if region.rests else region.colour), 1.0)
        active = index == direct.active
        # where the photo moves the tint says what belongs to a region
        drawn = region.place == "OUTLINES" and not tinted
        for outline in region.outline_list() if drawn else ():
            track = _pixels(context, root, [*outline, outline[0]])
            if track and (active or len(outline) > _PIECE):
                draw_lines(track, (*colour[:3], 0.8 if active else 0.4), scale)
        for arrow in region.arrow_list():
            _draw_arrow(context, root, arrow, colour, scale)
            if region.mode == "flow" and not region.rests:
                _draw_speed(context, root, region, arrow, scale)
    long_side = hand.long_side_px(context, root)
    for stroke in direct.strokes:
        track = _pixels(context, root, stroke.point_list())
        colour = _STROKES.get(stroke.label, (1.0, 0.6, 0.2, 0.25))
        if len(track) == 1:
            _draw_disc(track[0], stroke.width * long_side / 2, colour, filled=False)
            _draw_disc(track[0], HANDLE_PX * scale, (*REST, 1.0), filled=True)
        elif track:
            # where the photo moves the tint shows what the band covers, and the band would hide
            # it; with another tool in hand it would hide the photo
            wide = max(stroke.width * long_side, 1.0) if bands else _LINE_PX * scale
            draw_lines(track, colour if bands else (*colour[:3], 0.9), wide)


def _draw_arrow(
    context: bpy.types.Context, root: bpy.types.Object, arrow: Arrow, colour: tuple, scale: float
) -> None:
    track = _pixels(context, root, [arrow[:2], arrow[2:]])
    if len(track) < 2:
        return
    tail, tip = track
    back = tail - tip
    if back.length > 1e-6:
        back = back.normalized() * _HEAD_PX * scale
        aside = Vector((-back.y, back.x)) * 0.5
        head = [tip + back + aside, tip, tip + back - aside]
        for line in ([tail, tip], head):
            draw_lines(line, (0.0, 0.0, 0.0, 0.4), (_LINE_PX + 1.5) * scale)
        for line in ([tail, tip], head):
            draw_lines(line, colour, _LINE_PX * scale)
    for end in (tail, tip):
        _draw_disc(end, HANDLE_PX * scale, colour, filled=end is tail)


def speed_of(root: bpy.types.Object, region: CINE3D_PG_region, arrow: Arrow) -> float:
    """Percent of the photo's long side in a second that an arrow asks for."""
    width, height = root.cine3d.photo_size
    across, down = (arrow[2] - arrow[0]) * width, (arrow[3] - arrow[1]) * height
    way = float(np.hypot(across, down)) / max(width, height, 1)
    return 100 * way / _ARROW_FRAMES * root.cine3d.choices.fps * region.speed


def _draw_speed(
    context: bpy.types.Context,
    root: bpy.types.Object,
    region: CINE3D_PG_region,
    arrow: Arrow,
    scale: float,
) -> None:
    track = _pixels(context, root, [arrow[2:]])
    if track:
        words = f"{speed_of(root, region, arrow):.2g} %/s"
        _write(words, track[0] + Vector((8 * scale, 6 * scale)), scale)


def _write(words: str, place: Vector, scale: float, colour: tuple = (*REST, 0.9)) -> None:
    """Small words that are read over bright and dark."""
    import blf

    blf.size(0, _WORDS_PX * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.8)
    blf.color(0, *colour)
    blf.position(0, place.x, place.y, 0)
    blf.draw(0, words)
    blf.disable(0, blf.SHADOW)


def draw_stroke_under_hand(context: bpy.types.Context, root: bpy.types.Object) -> None:
    """The stroke that the mouse is drawing."""
    stroke = tool.Stroke
    track = _pixels(context, root, stroke.places)
    if len(track) < 2:
        return
    if stroke.action in {"ARROW", "HANDLE"}:
        draw_lines([track[0], track[-1]], (1.0, 1.0, 1.0, 0.9), _LINE_PX)
        return
    colours = {"MOVES": (0.2, 0.8, 1.0, 0.3), "RESTS": (*REST, 0.3), "ERASE": (1.0, 0.2, 0.2, 0.4)}
    width = stroke.width * hand.long_side_px(context, root)
    draw_lines(track, colours[stroke.action], max(width, 1.0))


def draw_track(
    context: bpy.types.Context, root: bpy.types.Object, places: Sequence[hand.Place], colour: tuple
) -> None:
    """A thin line through places of the photo, that is seen over bright and dark."""
    track = _pixels(context, root, places)
    if len(track) > 1:
        scale = context.preferences.system.ui_scale
        draw_lines(track, (0.0, 0.0, 0.0, 0.4), (_LINE_PX + 1.5) * scale)
        draw_lines(track, colour, _LINE_PX * scale)


def _pixels(
    context: bpy.types.Context, root: bpy.types.Object, places: Sequence[hand.Place]
) -> list[Vector]:
    found = [hand.pixel_of(context, root, place) for place in places]
    return [] if None in found else found


def draw_state(context: bpy.types.Context, trouble: str) -> None:
    """How it stands, in the view's corner, and how sure the active region is.

    Args:
        context: of the view.
        trouble: why the card cannot show the motion; empty where it can.
    """
    root, state = hand.photo_looked_through(context), live.state
    motion = None if root is None else live.motion_of(root)
    words = state.problem or trouble
    if not words and state.clicks:
        words = "Finding what you clicked ..."
    elif not words and motion is None and state.job is not None:
        words = f"{state.job.stage} ..."
    elif not words and motion is not None:
        words = sure_of_active(root)
    if words:
        scale = context.preferences.system.ui_scale
        place = Vector((60 * scale, 24 * scale))
        _write(words[:1].upper() + words[1:], place, scale)


def sure_of_active(root: bpy.types.Object) -> str:
    """In words, how sure the network is of what the active region moves; empty where it is."""
    direct = root.cine3d_direct
    region, share = direct.active_region(), live.sureness(root, direct.active)
    if region is None or share is None or share > 0.99:
        return ""
    name = region.name or f"region {direct.active + 1}"
    return f"{name}: {share:.0%} sure"


CLASSES = ()
