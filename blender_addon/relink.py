"""Where a photo's scene file is, also after .blend and files moved to another folder or machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from cine3d_core.errors import InputError
from cine3d_core.files.scene.arrays import read_scene_info

from . import photo_scene


def scene_file(root: bpy.types.Object) -> Path:
    """The scene file of a photo: where it was, else beside the .blend or in its folder `cine3d`.

    Raises:
        ValueError: it is at none of these places.
    """
    stored = root.cine3d.scene_file
    known = Path(bpy.path.abspath(stored))
    # a .blend saved on Windows names its files with backslashes
    candidates = [known, Path(bpy.path.abspath(stored.replace("\\", "/")))]
    name = re.split(r"[\\/]", stored)[-1]
    if bpy.data.filepath and name:
        home = Path(bpy.data.filepath).parent
        candidates += [home / name, home / "cine3d" / name]
    for candidate in candidates:
        if os.path.isfile(candidate):  # Path.is_file raises for names that are too long
            return candidate
    raise ValueError(
        f"the scene file {known} of {root.name!r} is not there; use Relink Scene File in the "
        "Cine3D tab to say where it is, or import the photo again"
    )


class CINE3D_OT_relink(bpy.types.Operator, ImportHelper):
    """Say where the scene file of the photo is now"""

    bl_idname = "cine3d.relink"
    bl_label = "Relink Scene File"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".cine3d"
    filter_glob: StringProperty(default="*.cine3d", options={"HIDDEN"})

    @classmethod
    def poll(cls, context):
        if photo_scene.active_root(context) is None:
            cls.poll_message_set("Import a photo first")
            return False
        return True

    def execute(self, context):
        root = photo_scene.active_root(context)
        try:
            info = read_scene_info(self.filepath)
        except InputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        root.cine3d.scene_file = photo_scene.stored_path(Path(self.filepath))
        if info["photo_sha256"] != root.cine3d.photo_sha256:
            self.report({"WARNING"}, "This scene file was built from another photo")
        else:
            self.report({"INFO"}, f"Scene file is {Path(self.filepath).name}")
        return {"FINISHED"}


CLASSES = (CINE3D_OT_relink,)
