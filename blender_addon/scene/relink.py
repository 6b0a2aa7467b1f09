"""Say where the scene file of a photo is now."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from cine3d_core.errors import InputError
from cine3d_core.files.scene.arrays import read_scene_info

from . import photo_scene, scene_files
from .photo_operator import PhotoOperator


class CINE3D_OT_relink(PhotoOperator, bpy.types.Operator, ImportHelper):
    """Choose the new location of the photo's scene file"""

    bl_idname = "cine3d.relink"
    bl_label = "Relink Scene File"
    bl_options = {"REGISTER", "UNDO"}
    if_linked = "The photo is linked; make a library override first"

    filename_ext = ".cine3d"
    filter_glob: StringProperty(default="*.cine3d", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context):
        root = photo_scene.active_root(context)
        try:
            info = read_scene_info(self.filepath)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        scene_files.keep_path(root, "scene_file", Path(self.filepath))
        if info["photo_sha256"] != root.cine3d.photo_sha256:
            self.report({"WARNING"}, "This scene file was built from another photo")
        else:
            self.report({"INFO"}, f"Scene file is {Path(self.filepath).name}")
        return {"FINISHED"}


CLASSES = (CINE3D_OT_relink,)
