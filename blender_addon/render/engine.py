"""The render engine "Cine3D": F12, animations, `-f` and `-a` draw frames with the worker."""

from __future__ import annotations

import traceback
from typing import Any

import bpy
import numpy as np

from ..scene import cameras, photos, scene_files
from ..worker import jobs, python
from ..worker.client import JobCancelled, WorkerError
from . import coverage, viewport

MOVING_PASS = "Moving"
_PASSES = {"combined": "Combined", "depth": "Depth", "vector": "Vector", "moving": MOVING_PASS}
_STALE = "has a newer scene file than the points in this .blend; click Build Again"
NOTHING = 1e10  # what Blender's engines write as depth where nothing is


class CINE3D_RenderEngine(bpy.types.RenderEngine):
    """Draws the photo of the scene from any perspective camera."""

    bl_idname = "CINE3D"
    bl_label = "Cine3D"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_shading_nodes_custom = False
    bl_use_eevee_viewport = True  # Material Preview of the points

    def update_render_passes(
        self, scene: bpy.types.Scene = None, renderlayer: bpy.types.ViewLayer = None
    ):
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        if renderlayer.use_pass_z:
            self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")
        if renderlayer.use_pass_vector:
            self.register_pass(scene, renderlayer, "Vector", 4, "XYZW", "VECTOR")
        if renderlayer.cine3d.use_pass_moving:
            self.register_pass(scene, renderlayer, MOVING_PASS, 1, "X", "VALUE")

    def render(self, depsgraph: bpy.types.Depsgraph):
        # Blender takes an exception here for a finished, blank frame (4.2 to 5.2): only a report
        # makes the render fail.
        try:
            self._render_views(depsgraph)
        except (ValueError, WorkerError) as error:
            self.report({"ERROR"}, f"Cine3D: {error}")
        except JobCancelled:
            pass
        except Exception as error:  # see above
            traceback.print_exc()
            self.report({"ERROR"}, f"Cine3D: {type(error).__name__}: {error}; see the console")

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph):
        self.tag_redraw()

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph):
        # Created here: Blender may make an engine without calling __init__ (4.2 to 5.2).
        if not hasattr(self, "shown"):
            self.shown = viewport.ViewportFrame()
        try:
            self.shown.draw(self, context, depsgraph, photos.chosen_photo(depsgraph))
        except (ValueError, WorkerError) as error:
            self.update_stats("Cine3D", str(error))

    def _render_views(self, depsgraph: bpy.types.Depsgraph) -> None:
        scene = depsgraph.scene
        chosen = photos.chosen_photos(depsgraph)
        left, bottom, width, height = render_region(scene.render)
        if depsgraph.view_layer.cine3d.use_pass_moving:
            self.add_pass(MOVING_PASS, 1, "X", layer=depsgraph.view_layer.name)
        drawn: list[tuple[dict[str, Any], dict[str, np.ndarray]]] = []
        for view in self._views(scene.render):
            if view:
                self.active_view_set(view)
            drawn = [self._photo(depsgraph, photo, len(chosen) > 1) for photo in chosen]
            arrays = photos.by_depth([arrays for _, arrays in drawn])
            if not scene.render.film_transparent:
                arrays["combined"][..., 3] = 1.0
            result = self.begin_result(
                0, 0, width, height, layer=depsgraph.view_layer.name, view=view
            )
            fill_passes(result.layers[0].passes, arrays)
            self.end_result(result)
        values = [value for value, _ in drawn]
        self._stamp(values)
        self._warn(scene, chosen, values)

    def _photo(self, depsgraph: bpy.types.Depsgraph, photo: photos.Photo, several: bool):
        """What one photo contributes to a frame: the worker's value, arrays in Blender units."""
        request, scale = self._request(depsgraph, photo)
        request["scene_file"] = str(scene_files.scene_file(photo.root))
        request["region"] = list(render_region(depsgraph.scene.render))
        if several:  # holes of the near one show the far one
            request["passes"] = list(dict.fromkeys([*request["passes"], "depth"]))
            request["transparent"] = True
        value, arrays = self._drawn(request)
        if "depth" in arrays:
            depth = arrays["depth"]
            arrays["depth"] = np.where(depth > 0, depth * np.float32(scale), np.float32(NOTHING))
        return value, arrays

    def _warn(
        self, scene: bpy.types.Scene, chosen: list[photos.Photo], values: list[dict[str, Any]]
    ) -> None:
        """What is right, but not what the artist may expect."""
        for photo, value in zip(chosen, values, strict=True):
            if value["drawn_on"].startswith("cpu, since"):
                self.report({"WARNING"}, f"Cine3D: drawn on the {value['drawn_on']}")
            if value["scene_sha256"] != photo.root.cine3d.scene_sha256:
                name = scene_files.scene_file(photo.root).name
                self.report({"WARNING"}, f"Cine3D: {name} {_STALE}")
        share = min(value["uncovered"] for value in values)
        if share > coverage.WARN_UNCOVERED and not scene.render.film_transparent:
            self.report(
                {"WARNING"},
                f"Cine3D: {share:.0%} of frame {scene.frame_current} is not covered by the photo "
                "and was invented; keep the camera nearer to where it was taken",
            )

    def _views(self, render: bpy.types.RenderSettings) -> list[str]:
        """Names of the eyes of a stereo render; one empty name without stereo."""
        if not render.use_multiview:
            return [""]
        if render.views_format == "STEREO_3D":
            return [view.name for view in render.stereo_views if view.use]
        return [view.name for view in render.views if view.use]

    def _request(
        self, depsgraph: bpy.types.Depsgraph, photo: photos.Photo
    ) -> tuple[dict[str, Any], float]:
        """The job's arguments, and the scale of depths."""
        scene = depsgraph.scene
        camera, scale = self._camera(depsgraph, photo)
        before = after = camera
        vectors = depsgraph.view_layer.use_pass_vector
        frame, now = scene.frame_current, photo.frame_now(depsgraph)
        if vectors:
            before, after = (self._camera_at(depsgraph, photo, frame + step) for step in (-1, 1))
            self.frame_set(frame, scene.frame_subframe)
        return {
            "camera": camera,
            "previous": before,
            "next": after,
            "frame": now,
            "times": photo.times_now(depsgraph),
            "passes": wanted_passes(depsgraph.view_layer),
            "transparent": scene.render.film_transparent,
            "device": python.preferences().device,
            "cpu_allowed": python.preferences().cpu_allowed,
        }, scale

    def _camera_at(
        self, depsgraph: bpy.types.Depsgraph, photo: photos.Photo, frame: int
    ) -> dict[str, Any]:
        self.frame_set(frame, 0.0)
        return self._camera(depsgraph, photo)[0]

    def _camera(
        self, depsgraph: bpy.types.Depsgraph, photo: photos.Photo
    ) -> tuple[dict[str, Any], float]:
        override = self.camera_override
        camera = override or depsgraph.scene.camera
        if camera is None:
            raise ValueError("the scene has no camera; add one and make it the scene's camera")
        camera = camera.evaluated_get(depsgraph)
        matrix = shift_x = None
        if depsgraph.scene.render.use_multiview:
            matrix, shift_x = self.camera_model_matrix(camera), self.camera_shift_x(camera)
        return cameras.camera_record(
            camera,
            depsgraph,
            photo.matrix_now(depsgraph),
            matrix_world=matrix,
            shift_x=shift_x,
        )

    def _drawn(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        worker = jobs.worker()

        def show(stage: str, fraction: float) -> None:
            self.update_stats("Cine3D", stage)
            self.update_progress(fraction)

        return worker.wait(
            worker.submit("render", request),
            should_cancel=self.test_break,
            on_progress=show,
            interval_s=0.005,
        )

    def _stamp(self, values: list[dict[str, Any]]) -> None:
        """Say in the picture's metadata what drew it."""
        result = self.get_result()
        networks = {name: sha for value in values for name, sha in value["models"].items()}
        models = ", ".join(f"{name} {sha[:12]}" for name, sha in networks.items())
        for field in ("scene", "photo"):
            sums = " ".join(value[f"{field}_sha256"] for value in values)
            result.stamp_data_add_field(f"Cine3D:{field.capitalize()}", sums)
        result.stamp_data_add_field("Cine3D:Networks", models or "none")


def fill_passes(passes: bpy.types.bpy_prop_collection, arrays: dict[str, np.ndarray]) -> None:
    """Copy the worker's arrays into those passes that Blender wants."""
    for name, array in arrays.items():
        wanted = passes.get(_PASSES[name])
        if wanted is not None:
            wanted.rect.foreach_set(np.ascontiguousarray(array, np.float32).ravel())


def wanted_passes(view_layer: bpy.types.ViewLayer) -> list[str]:
    """Names, in the worker's words, of the passes beside the picture that a layer asks for."""
    wanted = {
        "depth": view_layer.use_pass_z,
        "vector": view_layer.use_pass_vector,
        "moving": view_layer.cine3d.use_pass_moving,
    }
    return [name for name, asked in wanted.items() if asked]


def render_region(render: bpy.types.RenderSettings) -> tuple[int, int, int, int]:
    """Left, bottom, width and height of what is to be rendered, in pixels of the whole frame."""
    width, height = cameras.frame_size(render)
    if not render.use_border:
        return 0, 0, width, height
    left, right = int(render.border_min_x * width), int(render.border_max_x * width)
    bottom, top = int(render.border_min_y * height), int(render.border_max_y * height)
    return left, bottom, right - left, top - bottom


CLASSES = (CINE3D_RenderEngine,)
# Blender hides its panels from engines that they do not name. This one uses the whole Output tab,
# and objects and their data are edited as under Workbench.
_CONTEXTS = {"output", "object", "data"}
_PANELS = {"RENDER_PT_color_management", "RENDER_PT_color_management_curves", "VIEWLAYER_PT_layer"}
_UNUSED = {  # there are no lamps
    "DATA_PT_light",
    "DATA_PT_spot",
    "NODE_DATA_PT_light",
}


def register() -> None:
    """Show Blender's panels that mean something to this engine."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.add("CINE3D")


def unregister() -> None:
    """Undo `register`."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.discard("CINE3D")


def _shared_panels() -> list[type]:
    return [panel for panel in bpy.types.Panel.__subclasses__() if _is_shared(panel)]


def _is_shared(panel: type) -> bool:
    if "BLENDER_WORKBENCH" not in getattr(panel, "COMPAT_ENGINES", ()):
        return False
    wanted = panel.__name__ in _PANELS or getattr(panel, "bl_context", "") in _CONTEXTS
    return wanted and panel.__name__ not in _UNUSED
