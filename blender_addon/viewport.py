"""The 3D view in Rendered shading: frames of the engine as they come, without making Blender wait.

Drawing shows the newest finished frame and asks for the next where the view has changed since. No
`gpu` before something is drawn: background mode has none.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from . import coordinates, jobs, preferences, relink
from .worker_client import Job, JobCancelled, WorkerError

_LONG_SIDE_PX = 640  # of a frame in the viewport: it should follow the mouse
_POLL_S = 0.03


class ViewportFrame:
    """What one 3D view shows, and what it is waiting for."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._asked: dict[str, Any] | None = None
        self._texture = None

    def draw(self, engine: bpy.types.RenderEngine, context, depsgraph, root) -> None:
        """Show the newest frame and ask for a newer one if this view has changed."""
        self._take_result(engine)
        request = view_request(context, depsgraph, root)
        if request != self._asked and self._job is None:
            self._asked = request
            self._job = jobs.worker().submit("render", request)
            _redraw_when_done(engine, self._job)
        if self._texture is not None:
            _draw_texture(engine, context, depsgraph.scene, self._texture)

    def _take_result(self, engine: bpy.types.RenderEngine) -> None:
        if self._job is None or not self._job.done.is_set():
            return
        job, self._job = self._job, None
        try:
            _, arrays = job.result()
            self._texture = _texture(arrays["combined"])
            engine.update_stats("", "")
        except JobCancelled:
            pass
        except WorkerError as error:
            engine.update_stats("Cine3D", str(error))


def view_request(context, depsgraph, root: bpy.types.Object) -> dict[str, Any]:
    """The job that draws what a 3D view sees.

    Raises:
        ValueError: the view is orthographic, or the photo is scaled unevenly.
    """
    region, view = context.region, context.region_data
    share = min(1.0, _LONG_SIDE_PX / max(region.width, region.height))
    width, height = max(16, round(region.width * share)), max(16, round(region.height * share))
    matrix = coordinates.intrinsics(np.array(view.window_matrix), width, height)
    pose, _ = coordinates.world_to_camera(
        np.array(view.view_matrix.inverted()),
        np.array(root.evaluated_get(depsgraph).matrix_world),
    )
    camera = {
        "K": matrix.tolist(),
        "world_to_camera": pose.tolist(),
        "width": width,
        "height": height,
    }
    return {
        "camera": camera,
        "previous": camera,
        "next": camera,
        "frame": depsgraph.scene.frame_current - root.cine3d.first_frame,
        "passes": [],
        "transparent": True,
        "preview": True,
        "device": preferences.get().device,
        "scene_file": str(relink.scene_file(root)),
    }


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


def _draw_texture(engine, context, scene, texture) -> None:
    from gpu_extras.presets import draw_texture_2d

    # No blending: the view's background is laid under it by Blender (with it 4.3 shows nothing).
    engine.bind_display_space_shader(scene)
    draw_texture_2d(texture, (0, 0), context.region.width, context.region.height)
    engine.unbind_display_space_shader()
