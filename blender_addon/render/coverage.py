"""What the camera sees that the photo cannot show: along a path, and how far it may go."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..scene import cameras, photo_scene, scene_files
from ..scene.photo_operator import PhotoWorkerOperator
from ..worker import jobs

_SAMPLES = 9  # frames of a path that are looked at for holes
WARN_UNCOVERED = 0.01  # share of a frame


def camera_records(
    context: bpy.types.Context, root: bpy.types.Object, frames: list[int]
) -> tuple[list[dict[str, Any]], list[tuple[float, list[list[float]]]]]:
    """The scene's camera as it sees the photo at some frames, and what `timing.loop_frames` says.

    The scene's current frame stays what it is.

    Raises:
        ValueError: the camera is not a perspective one, or the photo is scaled unevenly.
    """
    scene, now = context.scene, context.scene.frame_current
    records, times = [], []
    try:
        for frame in frames:
            scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            camera = scene.camera.evaluated_get(depsgraph)
            matrix = root.evaluated_get(depsgraph).matrix_world
            records.append(cameras.camera_record(camera, depsgraph, matrix)[0])
            times.append((cameras.loop_frame(scene, root), cameras.region_times(root)))
    finally:
        scene.frame_set(now)
    return records, times


class CINE3D_OT_check_path(PhotoWorkerOperator, bpy.types.Operator):
    """Check the camera path for areas that the photo does not cover"""

    bl_idname = "cine3d.check_path"
    bl_label = "Check Camera Path"
    bl_options: set[str] = set()
    needs_camera = True

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root, scene = photo_scene.active_root(context), context.scene
        span = np.linspace(scene.frame_start, scene.frame_end, _SAMPLES)
        frames = sorted({round(frame) for frame in span})
        records, _ = camera_records(context, root, frames)
        arguments = {"scene_file": str(scene_files.scene_file(root)), "cameras": records}

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            shares = arrays["uncovered"]
            worst = int(np.argmax(shares))
            text = f"{shares[worst]:.1%} of frame {frames[worst]} is not covered by the photo"
            if shares[worst] > WARN_UNCOVERED:
                text += "; keep the camera nearer to where the photo was taken"
                return jobs.Told(text, "WARNING")
            return jobs.Told(f"The path is safe: at most {text}")

        return jobs.Plan("Check Path", "coverage", arguments, deliver, changes_file=False)


class CINE3D_OT_safe_volume(PhotoWorkerOperator, bpy.types.Operator):
    """Show how far the camera can move in each direction before holes appear"""

    bl_idname = "cine3d.safe_volume"
    bl_label = "Show Safe Volume"
    bl_options: set[str] = set()
    needs_camera = True

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root = photo_scene.active_root(context)
        uid, path = root.session_uid, str(scene_files.scene_file(root))
        arguments = {"scene_file": path, "uncovered": WARN_UNCOVERED}

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            root, reach = photo_scene.by_session_uid(context.scene, uid), arrays["reach"]
            show_safe_volume(root, reach)
            left, right, back, ahead, down, up = np.abs(reach).sum(axis=1)
            return jobs.Told(
                f"The camera may go {left:.2f} left, {right:.2f} right, {down:.2f} down, "
                f"{up:.2f} up, {ahead:.2f} ahead, {back:.2f} back"
            )

        return jobs.Plan("Show Safe Volume", "safe_reach", arguments, deliver)


def show_safe_volume(root: bpy.types.Object, reach: np.ndarray) -> bpy.types.Object:
    """A wire octahedron around the photo's camera; its tips are the farthest safe places.

    Args:
        root: the photo.
        reach: [6, 3] tips in the root's space: two for each axis.
    """
    mesh = bpy.data.meshes.new(f"{root.name} Safe Volume")
    edges = [(a, b) for a in range(6) for b in range(a + 1, 6) if a // 2 != b // 2]
    mesh.from_pydata(reach.tolist(), edges, [])
    volume = root.cine3d.volume
    if volume is None or volume.parent != root:
        volume = bpy.data.objects.new(mesh.name, mesh)
        photo_scene.collection_of(root).objects.link(volume)
        volume.parent = root
        root.cine3d.volume = volume
    else:
        old, volume.data = volume.data, mesh
        bpy.data.meshes.remove(old)
    volume.hide_render = True
    volume.display_type = "WIRE"
    return volume


CLASSES = (CINE3D_OT_check_path, CINE3D_OT_safe_volume)
