"""The photo moving in the view while it is directed, and what was drawn on it.

The graphics card moves the photo along the flow that the worker has solved: two copies, one moved
on from the loop's start and one back from its end, cross-faded as a build's are. They are drawn on
a surface at the photo's depth, so that the camera may move. Where no card is, the flow is told by
the still picture of Preview Motion.
"""

from __future__ import annotations

import time
from typing import Any

import bpy
import numpy as np

from ..scene import cameras, coordinates, photo_scene
from . import drawn_view, hand, live, live_shader

GRID = 128  # cells along the surface's long side


class _Drawn:
    """What lies on the graphics card for the newest motion; made when it is first drawn."""

    shader: Any = None
    motion: live.Motion | None = None
    textures: dict[str, Any] = {}
    tint_key: tuple = ()
    times: dict[int, float] | None = None
    surface: Any = None
    frames: list[float] = []  # when the newest pictures were drawn, seconds
    problem: str = ""  # why the card cannot


def _shader(motion: live.Motion):
    """One for all: every motion has the same harmonics."""
    if _Drawn.shader is None:
        _Drawn.shader = live_shader.made(motion.harmonics)
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
    """Colour over each pixel: of its region, white where static, faint where none directs."""
    colours = [
        (number, live_shader.REST if regions[index].rests else tuple(regions[index].colour))
        for number, index in enumerate(motion.regions, 1)
        if index < len(regions) and regions[index].visible
    ]
    owner = live_shader.owner_enlarged(motion.arrays["owner"])
    sure = live_shader.enlarged(motion.arrays["sure"].astype(np.float32), live_shader.LARGER)
    return live_shader.tint_of(owner, sure / 255, colours, strength)


def _prepare(root: bpy.types.Object, motion: live.Motion, strength: float) -> None:
    from gpu_extras.batch import batch_for_shader

    regions = root.cine3d_direct.regions
    if _Drawn.motion is not motion:
        _Drawn.motion, _Drawn.tint_key, _Drawn.times = motion, (), None
        _Drawn.textures = {
            "flow": live_shader.texture_of(live_shader.flow_enlarged(motion.arrays["flow"])),
            "swing": live_shader.texture_of(motion.arrays["swing"]),
        }
        lens, size = root.cine3d.intrinsics, root.cine3d.photo_size
        places, where, triangles = surface_of(motion.arrays["depth"], lens, size)
        _Drawn.surface = batch_for_shader(
            _shader(motion), "TRIS", {"place": places, "where": where}, indices=triangles.tolist()
        )
    times = times_of(root, motion)
    if _Drawn.times != times:
        _Drawn.times = times
        when = live_shader.when_of(motion.arrays["owner"], times)
        _Drawn.textures["when"] = live_shader.texture_of(when, "RGBA32F")
    key = (strength, *((tuple(r.colour), r.visible, r.rests) for r in regions))
    if _Drawn.tint_key != key:
        _Drawn.tint_key = key
        _Drawn.textures["tint"] = live_shader.texture_of(tint_of(motion, regions, strength))


def times_of(root: bpy.types.Object, motion: live.Motion) -> dict[int, float]:
    """Number in the worker's answer of each region with its own time, and its frame of the loop."""
    regions = root.cine3d_direct.regions
    return {
        number: regions[index].time % motion.num_frames
        for number, index in enumerate(motion.regions, 1)
        if index < len(regions) and regions[index].use_time
    }


def loop_frame(context, root: bpy.types.Object, motion: live.Motion) -> float:
    """The frame of the loop: the timeline's where it plays, else one that goes on by itself."""
    if context.screen.is_animation_playing or root.cine3d.use_time:
        return cameras.loop_frame(context.scene, root) % motion.num_frames
    return time.monotonic() * root.cine3d.choices.fps % motion.num_frames


def draw_motion(context, root: bpy.types.Object, motion: live.Motion) -> None:
    """The photo as it moves, on its own surface."""
    import gpu

    settings = context.scene.cine3d_tool
    _prepare(root, motion, settings.tint)
    shader = _shader(motion)
    shader.bind()
    shader.uniform_float("Placed", context.region_data.perspective_matrix @ root.matrix_world)
    shader.uniform_float("frame", loop_frame(context, root, motion))
    shader.uniform_float("loop", float(motion.num_frames))
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
    drawn_view.draw_drawing(context, root)
    if directing:
        drawn_view.draw_stroke_under_hand(context, root)
        drawn_view.draw_state(context, _Drawn.problem)


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
