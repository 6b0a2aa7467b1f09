"""The 3D view in Rendered shading: frames of the engine as they come, without making Blender wait.

Frames are kept. While the scene plays, those of the loop that are missing are drawn one after the
other, and shown as they come; once the loop is complete it plays at the scene's rate. No `gpu`
before something is drawn: background mode has none.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ..scene import cameras, coordinates, scene_files
from ..scene.photos import Photo
from ..worker import jobs, python
from ..worker.client import Job, JobCancelled, WorkerError

if TYPE_CHECKING:
    import gpu

_LONG_SIDE_PX = 640  # of a frame in the viewport: it should follow the mouse
_POLL_S = 0.02
SOLID_ALPHA = 0.5  # a pixel with less is a hole
_MOST_BYTES = 400 << 20  # of frames that are kept; a loop of 60 is some 70 MB

# Eight bits hold a frame as a display shows it; the engine hands over, and Blender wants, linear.
_LEVELS = np.arange(256) / 255.0
_TO_LINEAR = np.where(
    _LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_FINE = 4096  # steps of the table back, fine enough for the dark
_FINE_LEVELS = np.arange(_FINE) / (_FINE - 1.0)
_FROM_LINEAR = np.round(
    255
    * np.where(
        _FINE_LEVELS <= 0.0031308,
        _FINE_LEVELS * 12.92,
        1.055 * np.maximum(_FINE_LEVELS, 1e-9) ** (1 / 2.4) - 0.055,
    )
).astype(np.uint8)


class FrameStore:
    """Finished frames by view and number, the oldest forgotten first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._frames: OrderedDict[tuple[str, float], np.ndarray] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes
        self.uncovered: dict[str, float] = {}  # share of a view's newest frame

    def add(self, view: str, frame: float, combined: np.ndarray) -> None:
        """Keep a frame [H, W, 4] of linear values, bottom row first."""
        pixels = encoded(combined)
        old = self._frames.pop((view, frame), None)
        self._frames[(view, frame)] = pixels
        self._bytes += pixels.nbytes - (0 if old is None else old.nbytes)
        while self._bytes > self._most_bytes and len(self._frames) > 1:
            self._bytes -= self._frames.popitem(last=False)[1].nbytes

    def get(self, view: str, frame: float) -> np.ndarray | None:
        """Pixels [H, W, 4] uint8, None where they are not kept."""
        return self._frames.get((view, frame))

    def missing(self, view: str, frames: int, after: float) -> int | None:
        """The next frame of a loop that is not kept, None where all are."""
        order = ((int(after) + 1 + step) % frames for step in range(frames))
        return next((frame for frame in order if (view, frame) not in self._frames), None)

    def kept(self, view: str) -> int:
        """How many frames of a view are kept."""
        return sum(known == view for known, _ in self._frames)

    def clear(self) -> None:
        """Forget all."""
        self._frames.clear()
        self._bytes = 0


def encoded(combined: np.ndarray) -> np.ndarray:
    """Linear premultiplied colour [H, W, 4] as eight bits of what a display shows."""
    steps = (combined.clip(0, 1) * (_FINE - 1) + 0.5).astype(np.uint16)
    pixels = _FROM_LINEAR[steps]
    pixels[..., 3] = np.round(combined[..., 3].clip(0, 1) * 255)
    return pixels


def decoded(pixels: np.ndarray) -> np.ndarray:
    """The inverse of `encoded`."""
    combined = _TO_LINEAR[pixels]
    combined[..., 3] = pixels[..., 3] / np.float32(255)
    return combined


store = FrameStore()


class ViewportFrame:
    """What one 3D view shows, and what it is waiting for."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._asked: tuple[str, float] = ("", 0.0)
        self._frame: np.ndarray | None = None  # corners of the camera's picture, shares of the view
        self._shown: tuple[str, float] | None = None
        self._texture = None

    def draw(
        self,
        engine: bpy.types.RenderEngine,
        context: bpy.types.Context,
        depsgraph: bpy.types.Depsgraph,
        photo: Photo,
    ) -> None:
        """Show the newest frame and ask for the next one that is wanted."""
        self._take_result(engine)
        request = view_request(context, depsgraph, photo)
        frames = photo.root.cine3d.num_frames
        now = request["frame"] % max(1, frames)
        view = view_name(request)
        playing = context.screen.is_animation_playing
        wanted = self._wanted(view, now, frames, playing and self._asked[0] == view)
        if wanted is not None and self._job is None and not jobs.running():
            self._asked, self._frame = (view, wanted), camera_corners(context)
            self._job = jobs.worker().submit("render", {**request, "frame": wanted})
            _redraw_when_done(engine, self._job)
        complete = wanted is None
        if playing:
            kept = store.kept(view)
            engine.update_stats("", "" if complete else f"Cine3D: {kept} of {frames} frames")
        show = (view, now) if complete or not playing else self._asked
        pixels = store.get(*show)
        if pixels is not None and show != self._shown:
            self._texture, self._shown = _texture(decoded(pixels)), show
        if self._texture is not None:
            _draw_texture(engine, context, depsgraph.scene, self._texture)

    def _wanted(self, view: str, now: float, frames: int, playing: bool) -> float | None:
        if not playing or now != int(now):
            return now if store.get(view, now) is None else None
        if store.get(view, now) is None and self._asked[0] != view:
            return now
        return store.missing(view, frames, self._asked[1])

    def _take_result(self, engine: bpy.types.RenderEngine) -> None:
        if self._job is None or not self._job.done.is_set():
            return
        job, self._job = self._job, None
        try:
            _, arrays = job.result()
            store.add(*self._asked, arrays["combined"])
            store.uncovered[self._asked[0]] = holes_within(arrays["combined"], self._frame)
            engine.update_stats("", "")
        except JobCancelled:
            pass
        except WorkerError as error:
            engine.update_stats("Cine3D", str(error))


def camera_corners(context: bpy.types.Context) -> np.ndarray | None:
    """Lower left and upper right [2, 2] of the camera's picture as shares of the view's sides."""
    space = context.space_data
    if context.region_data.view_perspective != "CAMERA":
        return None
    camera = space.camera if space.use_local_camera else context.scene.camera
    corners = cameras.camera_frame(context, camera) if camera is not None else None
    if corners is None:
        return None
    size = np.array([context.region.width, context.region.height])
    return np.array([corners[0], corners[2]]) / size


def holes_within(combined: np.ndarray, corners: np.ndarray | None) -> float:
    """Share of the camera's picture that no point covers; 0 for a view that is not the camera's.

    Args:
        combined: a view [H, W, 4], bottom row first.
        corners: see `camera_corners`.
    """
    if corners is None:
        return 0.0
    size = np.array([combined.shape[1], combined.shape[0]])
    (left, bottom), (right, top) = (corners.clip(0, 1) * size).round().astype(int)
    alpha = combined[bottom:top, left:right, 3]
    return float((alpha < SOLID_ALPHA).mean()) if alpha.size else 0.0


def view_name(request: dict[str, Any]) -> str:
    """What stands for a view in the store: all of its request but the frame."""
    return json.dumps({k: v for k, v in request.items() if k != "frame"}, sort_keys=True)


def view_request(
    context: bpy.types.Context, depsgraph: bpy.types.Depsgraph, photo: Photo
) -> dict[str, Any]:
    """The job that draws what a 3D view sees.

    Raises:
        ValueError: the view is orthographic, or the photo is scaled unevenly.
    """
    region, view = context.region, context.region_data
    share = min(1.0, _LONG_SIDE_PX / max(region.width, region.height))
    width, height = max(16, round(region.width * share)), max(16, round(region.height * share))
    matrix = coordinates.intrinsics(np.array(view.window_matrix), width, height)
    pose, scale = coordinates.world_to_camera(
        np.array(view.view_matrix.inverted()), np.array(photo.matrix_now(depsgraph))
    )
    camera = {
        "K": matrix.round(5).tolist(),
        "world_to_camera": pose.round(7).tolist(),
        "width": width,
        "height": height,
        **_lens(context, depsgraph, matrix[0, 0], scale),
    }
    return {
        "camera": camera,
        "previous": camera,
        "next": camera,
        "frame": photo.frame_now(depsgraph),
        "times": photo.times_now(depsgraph),
        "passes": [],
        "transparent": True,
        "preview": True,
        "device": python.preferences().device,
        "cpu_allowed": python.preferences().cpu_allowed,
        "scene_file": str(scene_files.scene_file(photo.root)),
    }


def _lens(
    context: bpy.types.Context, depsgraph: bpy.types.Depsgraph, focal_px: float, scale: float
) -> dict[str, Any]:
    """Depth of field, for who looks through a camera that has it."""
    if context.region_data.view_perspective != "CAMERA":
        return {}
    space = context.space_data
    camera = space.camera if space.use_local_camera else context.scene.camera
    if camera is None or camera.type != "CAMERA":
        return {}
    lens = cameras.lens_record(camera.evaluated_get(depsgraph), depsgraph.scene, focal_px, scale)
    return {name: {k: round(v, 4) for k, v in numbers.items()} for name, numbers in lens.items()}


def _redraw_when_done(engine: bpy.types.RenderEngine, job: Job) -> None:
    def poll() -> float | None:
        if not job.done.is_set():
            return _POLL_S
        try:
            engine.tag_redraw()
        except ReferenceError:
            pass  # the view was closed or has another shading by now
        return None

    bpy.app.timers.register(poll, first_interval=_POLL_S)


def _texture(combined: np.ndarray):  # [H, W, 4] float32, bottom row first
    import gpu

    height, width, _ = combined.shape
    pixels = gpu.types.Buffer("FLOAT", combined.size, combined.ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=pixels)


def _draw_texture(
    engine: bpy.types.RenderEngine,
    context: bpy.types.Context,
    scene: bpy.types.Scene,
    texture: gpu.types.GPUTexture,
) -> None:
    from gpu_extras.presets import draw_texture_2d

    # No blending: the view's background is laid under it by Blender (with it 4.3 shows nothing).
    engine.bind_display_space_shader(scene)
    draw_texture_2d(texture, (0, 0), context.region.width, context.region.height)
    engine.unbind_display_space_shader()
