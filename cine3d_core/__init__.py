"""Cine3D: one still photo becomes a moving, camera-navigable 3D scene.

`build_scene` makes a scene of a photo, `prepare` readies it, `render_frame` draws a frame of it.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# Before torch is loaded: threads that wait for each other sleep. Spinning, as is OpenMP's habit,
# they keep others from the processors, and each other: beside Blender a frame takes many times as
# long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from cine3d_core.cameras import move_camera
    from cine3d_core.errors import InputError
    from cine3d_core.families import build_scene
    from cine3d_core.files.scene.scene_file import load_scene, save_scene
    from cine3d_core.render.animation import Shot, prepare
    from cine3d_core.render.frame import render_frame
    from cine3d_core.settings import BuildSettings

# Name -> its module. Resolved on first use: importing the package must not import torch.
_PUBLIC = {
    "BuildSettings": "cine3d_core.settings",
    "InputError": "cine3d_core.errors",
    "Shot": "cine3d_core.render.animation",
    "build_scene": "cine3d_core.families",
    "load_scene": "cine3d_core.files.scene.scene_file",
    "move_camera": "cine3d_core.cameras",
    "prepare": "cine3d_core.render.animation",
    "render_frame": "cine3d_core.render.frame",
    "save_scene": "cine3d_core.files.scene.scene_file",
}

__all__ = [
    "BuildSettings",
    "InputError",
    "Shot",
    "__version__",
    "build_scene",
    "load_scene",
    "move_camera",
    "prepare",
    "render_frame",
    "save_scene",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
