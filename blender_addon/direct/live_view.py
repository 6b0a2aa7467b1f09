"""The photo moving in the view while it is directed, and what was drawn on it.

The graphics card moves the photo along the flow that the worker has solved: two copies, one carried
on from the loop's start and one back from its end, cross-faded as a build's are. They are drawn on
a surface at the photo's depth, so that the camera may move. Where no card is, the flow is told by
the still picture of Preview Motion.
"""

from __future__ import annotations

import time
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..scene import coordinates, photo_scene
from . import hand, live, tool

GRID = 128  # cells along the surface's long side
STEPS = 6  # of the way back along the flow, for each copy
HANDLE_PX = 5.0
_LINE_PX = 2.5
_HEAD_PX = 13.0
_REST = (0.95, 0.95, 0.95)
_STROKES = {"MOVES": (0.4, 1.0, 0.4, 0.5), "RESTS": (*_REST, 0.4), "FREEZE": (*_REST, 0.55)}

_VERTEX = """
void main() { uv = where; gl_Position = Placed * vec4(place, 1.0); }
"""
_FRAGMENT = """
vec2 carried(vec2 at, float frames) {
  for (int i = 0; i < STEPS; i++) {
    vec4 here = texture(flow, at);
    at -= here.xy * step(0.5, here.z) * frames / float(STEPS);
  }
  return at;
}
vec2 swung(vec2 at, float frame) {
  vec4 here = texture(swing, at);
  float angle = 6.2831853 * fract(frame * here.w / loop);
  float way = 0.0;
  for (int n = 0; n < 3; n++) {
    vec3 wave = n == 0 ? wave_a.xyz : (n == 1 ? wave_b.xyz : wave_c.xyz);
    float phase = wave.x * here.z + wave.z;
    way += wave.y * (sin(wave.x * angle + phase) - sin(phase));
  }
  return at - here.xy * way;
}
vec3 shown(vec3 linear) {
  if (srgbTarget) { return linear; }  // the picture drawn into turns it into sRGB
  return mix(linear * 12.92, 1.055 * pow(max(linear, vec3(1e-6)), vec3(1.0 / 2.4)) - 0.055,
             vec3(greaterThan(linear, vec3(0.0031308))));
}
void main() {
  vec4 here = texture(flow, uv);
  vec3 colour;
  if (here.z > 0.5) {
    float period = loop / max(here.w, 1.0);
    float since = mod(frame, period);
    float share = since / period;
    vec3 before = texture(photo, carried(uv, since)).rgb;
    vec3 after = texture(photo, carried(uv, since - period)).rgb;
    colour = mix(before, after, share);
  } else {
    colour = texture(photo, swung(uv, frame)).rgb;
  }
  vec4 over = texture(tint, uv);
  out_color = vec4(shown(mix(colour, over.rgb * over.rgb, over.a)), 1.0);
}
""".replace("STEPS", str(STEPS))


class _Drawn:
    """What lies on the graphics card for the newest motion; made when it is first drawn."""

    shader: Any = None
    motion: live.Motion | None = None
    textures: dict[str, Any] = {}
    tint_key: tuple = ()
    surface: Any = None
    frames: list[float] = []  # when the newest pictures were drawn, seconds
    problem: str = ""  # why the card cannot


def _shader():
    if _Drawn.shader is None:
        import gpu

        between = gpu.types.GPUStageInterfaceInfo("cine3d_live")
        between.smooth("VEC2", "uv")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "Placed")
        info.push_constant("BOOL", "srgbTarget")  # set by Blender, for its own shaders too
        for name in ("frame", "loop"):
            info.push_constant("FLOAT", name)
        for name in ("wave_a", "wave_b", "wave_c"):
            info.push_constant("VEC4", name)
        for slot, name in enumerate(("photo", "flow", "swing", "tint")):
            info.sampler(slot, "FLOAT_2D", name)
        info.vertex_in(0, "VEC3", "place")
        info.vertex_in(1, "VEC2", "where")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "out_color")
        info.vertex_source(_VERTEX)
        info.fragment_source(_FRAGMENT)
        _Drawn.shader = gpu.shader.create_from_info(info)
    return _Drawn.shader


def surface_of(depth: np.ndarray, lens, size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in the root's space, places on the photo (y up) and triangles, far ones first.

    Args:
        depth: [h, w] z-depth, bottom row first.
        lens: focal lengths and centre, in pixels of `size`.
        size: width and height of the photo.
    """
    height, width = depth.shape
    scale = GRID / max(height, width)
    rows, columns = max(2, round(height * scale)), max(2, round(width * scale))
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing="ij")
    y = np.clip((v * height).astype(int), 0, height - 1)
    x = np.clip((u * width).astype(int), 0, width - 1)
    z = depth[y, x]
    core = np.stack(
        [(u * size[0] - lens[2]) / lens[0] * z, ((1 - v) * size[1] - lens[3]) / lens[1] * z, z], -1
    )
    corner = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    far_first = np.argsort(-z.ravel()[triangles].mean(1), kind="stable")
    places = coordinates.points_to_blender(core.reshape(-1, 3))
    return places, np.stack([u, v], -1).reshape(-1, 2).astype(np.float32), triangles[far_first]


def tint_of(motion: live.Motion, regions, strength: float) -> np.ndarray:  # [h, w, 4] float32
    """Colour over each pixel: of its region, white for what rests, faint for what none directs."""
    table = np.zeros((256, 4), np.float32)
    table[255] = (0.5, 0.75, 1.0, strength / 2)
    for number, index in enumerate(motion.regions, 1):
        if number < 255 and index < len(regions) and regions[index].visible:
            colour = _REST if regions[index].rests else tuple(regions[index].colour)
            table[number] = (*colour, strength)
    return table[motion.arrays["owner"]]


def _texture(values: np.ndarray):
    import gpu

    height, width, _ = values.shape
    flat = np.ascontiguousarray(values, np.float32).ravel()
    data = gpu.types.Buffer("FLOAT", len(flat), flat)
    return gpu.types.GPUTexture((width, height), format="RGBA32F", data=data)


def _prepare(root: bpy.types.Object, motion: live.Motion, strength: float) -> None:
    from gpu_extras.batch import batch_for_shader

    regions = root.cine3d_direct.regions
    if _Drawn.motion is not motion:
        _Drawn.motion, _Drawn.tint_key = motion, ()
        _Drawn.textures = {name: _texture(motion.arrays[name]) for name in ("flow", "swing")}
        lens, size = root.cine3d.intrinsics, root.cine3d.photo_size
        places, where, triangles = surface_of(motion.arrays["depth"], lens, size)
        _Drawn.surface = batch_for_shader(
            _shader(), "TRIS", {"place": places, "where": where}, indices=triangles.tolist()
        )
    key = (strength, *((tuple(r.colour), r.visible, r.rests) for r in regions))
    if _Drawn.tint_key != key:
        _Drawn.tint_key = key
        _Drawn.textures["tint"] = _texture(tint_of(motion, regions, strength))


def loop_frame(context, root: bpy.types.Object, motion: live.Motion) -> float:
    """The frame of the loop: the timeline's where it plays, else one that goes on by itself."""
    if context.screen.is_animation_playing:
        return (context.scene.frame_current_final - root.cine3d.first_frame) % motion.num_frames
    return time.monotonic() * root.cine3d.choices.fps % motion.num_frames


def draw_motion(context, root: bpy.types.Object, motion: live.Motion) -> None:
    """The photo as it moves, on its own surface."""
    import gpu

    settings = context.scene.cine3d_tool
    _prepare(root, motion, settings.tint)
    shader = _shader()
    shader.bind()
    shader.uniform_float("Placed", context.region_data.perspective_matrix @ root.matrix_world)
    shader.uniform_float("frame", loop_frame(context, root, motion))
    shader.uniform_float("loop", float(motion.num_frames))
    for name, wave in zip(("wave_a", "wave_b", "wave_c"), motion.harmonics, strict=True):
        shader.uniform_float(name, (*wave, 0.0))
    shader.uniform_sampler("photo", gpu.texture.from_image(root.cine3d.picture))
    for name, texture in _Drawn.textures.items():
        shader.uniform_sampler(name, texture)
    gpu.state.blend_set("NONE")
    _Drawn.surface.draw(shader)
    _Drawn.frames = [*_Drawn.frames[-60:], time.monotonic()]


def rate() -> float:
    """Pictures a second that were drawn lately."""
    frames = _Drawn.frames
    return (len(frames) - 1) / max(frames[-1] - frames[0], 1e-6) if len(frames) > 1 else 0.0


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


def draw_drawing(context, root: bpy.types.Object) -> None:
    """Arrows with handles, outlines, strokes and pins, in every kind of shading."""
    direct, scale = root.cine3d_direct, context.preferences.system.ui_scale
    for index, region in enumerate(direct.regions):
        if not region.visible:
            continue
        colour = (*(_REST if region.rests else region.colour), 1.0)
        active = index == direct.active
        for outline in region.outline_list() if region.place == "OUTLINES" else ():
            track = _pixels(context, root, [*outline, outline[0]])
            if track and (active or len(outline) > 14):
                draw_lines(track, (*colour[:3], 0.9 if active else 0.4), 1.5 * scale)
        for arrow in region.arrow_list():
            _draw_arrow(context, root, arrow, colour, scale)
    long_side = hand.long_side_px(context, root)
    for stroke in direct.strokes:
        track = _pixels(context, root, stroke.point_list())
        colour = _STROKES.get(stroke.label, (1.0, 0.6, 0.2, 0.3))
        if len(track) == 1:
            _draw_disc(track[0], stroke.width * long_side / 2, colour, filled=False)
            _draw_disc(track[0], HANDLE_PX * scale, (*_REST, 1.0), filled=True)
        elif track:
            draw_lines(track, colour, max(stroke.width * long_side, 1.0))


def _draw_arrow(context, root, arrow, colour: tuple, scale: float) -> None:
    track = _pixels(context, root, [arrow[:2], arrow[2:]])
    if len(track) < 2:
        return
    tail, tip = track
    back = tail - tip
    if back.length > 1e-6:
        back = back.normalized() * _HEAD_PX * scale
        aside = Vector((-back.y, back.x)) * 0.6
        head = [tip + back + aside, tip, tip + back - aside]
        for line in ([tail, tip], head):
            draw_lines(line, (0.0, 0.0, 0.0, 0.6), (_LINE_PX + 2.5) * scale)
        for line in ([tail, tip], head):
            draw_lines(line, colour, _LINE_PX * scale)
    for end in (tail, tip):
        _draw_disc(end, HANDLE_PX * scale, colour, filled=end is tail)


def _draw_stroke_under_hand(context, root: bpy.types.Object) -> None:
    stroke = tool.Stroke
    track = _pixels(context, root, stroke.places)
    if len(track) < 2:
        return
    if stroke.action in {"ARROW", "HANDLE"}:
        draw_lines([track[0], track[-1]], (1.0, 1.0, 1.0, 0.9), _LINE_PX)
        return
    colours = {"MOVES": (0.2, 0.8, 1.0, 0.5), "RESTS": (*_REST, 0.5), "ERASE": (1.0, 0.2, 0.2, 0.4)}
    width = stroke.width * hand.long_side_px(context, root)
    draw_lines(track, colours[stroke.action], max(width, 1.0))


def _pixels(context, root: bpy.types.Object, places) -> list[Vector]:
    found = [hand.pixel_of(context, root, place) for place in places]
    return [] if None in found else found


def _draw_words(context, motion: live.Motion | None) -> None:
    """How it stands, in the view's corner."""
    import blf

    state = live.state
    words = state.problem or _Drawn.problem
    if not words and state.clicks:
        words = "Looking what the click is on ..."
    elif not words and motion is None and state.job is not None:
        words = f"{state.job.stage} ..."
    if words:
        scale = context.preferences.system.ui_scale
        blf.size(0, 13 * scale)
        blf.color(0, 1.0, 0.85, 0.4, 1.0)
        blf.position(0, 60 * scale, 24 * scale, 0)
        blf.draw(0, words[:1].upper() + words[1:])


def _draw() -> None:
    context = bpy.context
    root = hand.photo_looked_through(context) or photo_scene.active_root(context)
    if root is None or not context.space_data.overlay.show_overlays or root.library is not None:
        return
    directing = live.is_tool_active(context.window)
    motion = live.motion_of(root)
    settings = context.scene.cine3d_tool
    if directing and settings.live and motion is not None and root.cine3d.picture is not None:
        try:
            draw_motion(context, root, motion)
        except (RuntimeError, SystemError, ValueError) as error:  # what gpu raises varies
            _Drawn.problem = f"the graphics card cannot show the motion ({error})"
    if hand.photo_looked_through(context) is None or not root.cine3d.show_directions:
        return
    draw_drawing(context, root)
    if directing:
        _draw_stroke_under_hand(context, root)
        _draw_words(context, motion)


_handles: list[object] = []
CLASSES = ()


def register() -> None:
    """Draw over 3D views; background mode has none."""
    if not bpy.app.background:
        add = bpy.types.SpaceView3D.draw_handler_add
        _handles.append(add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    """Stop drawing, and give the card's memory back."""
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    _Drawn.shader = _Drawn.motion = _Drawn.surface = None
    _Drawn.textures = {}
