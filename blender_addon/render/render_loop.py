"""Render Loop: the frame range as a video, a GIF or pictures, while Blender stays usable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..scene import photo_scene, scene_files
from ..scene.photo_operator import PhotoWorkerOperator
from ..worker import jobs, python
from . import coverage

FORMATS = (
    ("MP4", "MP4", "H.264 video, which plays everywhere"),
    ("WEBM", "WebM", "VP9 video for the web"),
    ("GIF", "GIF", "Repeats automatically; 256 colours"),
    ("PNG", "PNG", "A folder of numbered pictures"),
)
_ENDINGS = {"MP4": ".mp4", "WEBM": ".webm", "GIF": ".gif", "PNG": ""}


class CINE3D_OT_render_loop(PhotoWorkerOperator, bpy.types.Operator):
    """Render the frame range with the Cine3D engine into one file"""

    bl_idname = "cine3d.render_loop"
    bl_label = "Render Loop"
    bl_options: set[str] = set()
    needs_camera = True

    file_format: EnumProperty(
        name="Format", description="Video or pictures to write", items=FORMATS
    )
    loops: IntProperty(
        name="Loops",
        description="Number of times the loop plays in a video; a GIF always repeats",
        default=1,
        min=1,
        max=100,
    )
    filepath: StringProperty(
        name="File",
        description="Output file; the extension follows the format",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        if not self.filepath:
            root = photo_scene.active_root(context)
            blend = bpy.data.filepath
            folder = Path(blend).parent if blend else scene_files.photo_file(root).parent
            stem = f"{Path(blend).stem}-loop" if blend else f"{root.name}-loop"
            self.filepath = str(folder / stem)
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "file_format", expand=True)
        if self.file_format in ("MP4", "WEBM"):
            layout.prop(self, "loops")
        layout.prop(self, "filepath")
        scene = context.scene
        frames = scene.frame_end - scene.frame_start + 1
        seconds = frames * scene.render.fps_base / scene.render.fps
        layout.label(text=f"{frames} frames, {seconds:.1f} s a loop")

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        root, scene = photo_scene.active_root(context), context.scene
        if not self.filepath:
            raise ValueError("the loop has no file; give it a name")
        path = Path(bpy.path.abspath(self.filepath))
        path = path.with_suffix(_ENDINGS[self.file_format])
        frames = list(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))
        records, times = coverage.camera_records(context, root, frames)
        arguments = {
            "scene_file": str(scene_files.scene_file(root)),
            "device": python.preferences().device,
            "cpu_allowed": python.preferences().cpu_allowed,
            "cameras": [even(record) for record in records],
            "frames": [frame for frame, _ in times],
            "times": [own for _, own in times],
            "path": str(path),
            "fps": scene.render.fps / scene.render.fps_base,
            "loops": self.loops,
        }

        def deliver(
            context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
        ) -> jobs.Told:
            text = f"{path}: {value['bytes'] / 1e6:.1f} MB, {len(frames)} frames"
            if value["drawn_on"].startswith("cpu, since"):
                text += f"; drawn on the {value['drawn_on']}"
            return jobs.Told(text)

        return jobs.Plan("Render Loop", "film", arguments, deliver, changes_file=False)


def even(record: dict) -> dict:
    """A camera without its last odd row and column, which videos cannot have."""
    return {**record, **{side: max(2, record[side] // 2 * 2) for side in ("width", "height")}}


CLASSES = (CINE3D_OT_render_loop,)
