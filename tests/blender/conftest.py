"""Blender's own Python, a clean scene for each test, and no engine left behind."""

import faulthandler
import os
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")

faulthandler.dump_traceback_later(900, exit=True)  # a hanging Blender must not hang the machine


@pytest.fixture(scope="session")
def addon():
    """The add-on, registered; unregistered before Blender exits (4.5 would hang otherwise)."""
    import blender_addon

    entry = bpy.context.preferences.addons.new()
    entry.module = "blender_addon"
    blender_addon.register()
    entry.preferences.python_path = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
    yield blender_addon
    blender_addon.unregister()


@pytest.fixture
def scene(addon):
    """An empty factory scene with the add-on's classes registered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if "blender_addon" not in bpy.context.preferences.addons:
        bpy.context.preferences.addons.new().module = "blender_addon"
    preferences = bpy.context.preferences.addons["blender_addon"].preferences
    preferences.python_path = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)
    return bpy.context.scene


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]
