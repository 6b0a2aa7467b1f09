"""What the add-on is called in this Blender, and its folders of the user."""

from __future__ import annotations

from pathlib import Path

import bpy

ADDON = __package__  # "bl_ext.user_default.cine3d" where it is installed as an extension
IS_EXTENSION = ADDON.startswith("bl_ext.")


def user_folder(name: str, *, create: bool) -> Path:
    """A folder of the user that belongs to the add-on.

    Raises:
        OSError: it cannot be made.
    """
    if IS_EXTENSION:
        return Path(bpy.utils.extension_path_user(ADDON, path=name, create=create))
    return Path(bpy.utils.user_resource("DATAFILES", path=f"cine3d_{name}", create=create))
