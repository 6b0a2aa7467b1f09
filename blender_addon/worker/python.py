"""Which Python does the work, and what the preferences say about it."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy

from ..names import ADDON, user_folder

# What Blender starts with `--addons` has no preferences.
_DEFAULTS = SimpleNamespace(
    python_path="", device="auto", memory_mb=0, status="", play_after_import=True, cpu_allowed=False
)


def preferences() -> bpy.types.AddonPreferences | SimpleNamespace:
    """The add-on's preferences, or their defaults where Blender keeps none."""
    entry = bpy.context.preferences.addons.get(ADDON)
    return _DEFAULTS if entry is None else entry.preferences


def environment_folder() -> Path:
    """Where Set Up makes the worker's Python."""
    return user_folder("worker", create=False)


def environment_python() -> Path:
    """The interpreter that Set Up makes, whether it exists or not."""
    folder = environment_folder()
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def is_complete() -> bool:
    """Whether Set Up has once come to its end: a half-made Python has no PyTorch."""
    folder = environment_folder()
    found = itertools.chain(folder.glob("lib/*/site-packages/torch"), folder.glob("Lib/*/torch"))
    return environment_python().is_file() and next(found, None) is not None


def executable() -> str:
    """The Python that does the work: chosen, given by the environment, or made by Set Up."""
    if chosen := _chosen():
        return chosen
    return str(environment_python()) if is_complete() else sys.executable


def is_set_up() -> bool:
    """Whether a Python for the work has been chosen or made; Check says whether it works."""
    chosen = _chosen()
    return os.path.isfile(chosen) if chosen else is_complete()


def _chosen() -> str:
    given = os.environ.get("CINE3D_WORKER_PYTHON", "")
    return bpy.path.abspath(preferences().python_path) or given
