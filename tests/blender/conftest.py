"""Blender's own Python, a clean scene for each test, and no engine left behind."""

import faulthandler
import os
import sys
import tempfile
from pathlib import Path

import pytest

# A profile of the tests' own, and of this process alone: builds that wait for a save lie in it.
_PROFILE = tempfile.TemporaryDirectory(prefix="cine3d-profile-")
os.environ.setdefault("BLENDER_USER_RESOURCES", _PROFILE.name)

try:
    import bpy
except ImportError:  # the core's tests run without Blender
    collect_ignore_glob = ["test_*.py"]
else:

    def pytest_runtest_setup():
        """A hanging Blender must end by itself: every test has 15 minutes, the exit too."""
        faulthandler.dump_traceback_later(900, exit=True, file=sys.__stderr__)

    def pytest_runtest_teardown():
        """Anew, because pytest takes the time limit away where a test fails."""
        faulthandler.dump_traceback_later(900, exit=True, file=sys.__stderr__)


@pytest.fixture(scope="session")
def addon():
    """The add-on, registered; unregistered before Blender exits (4.5 would hang otherwise)."""
    import blender_addon

    blender_addon.register()
    _use_preferences()
    yield blender_addon
    blender_addon.unregister()


@pytest.fixture
def scene(addon):
    """An empty factory scene with the add-on's classes registered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _use_preferences()
    return bpy.context.scene


def _use_preferences():
    """The repository's folder as if it had been enabled, with the tests' Python for the worker."""
    addons = bpy.context.preferences.addons
    if "blender_addon" not in addons:
        addons.new().module = "blender_addon"
    preferences = addons["blender_addon"].preferences
    preferences.python_path = os.environ.get("CINE3D_WORKER_PYTHON", sys.executable)


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def river_files(tmp_path_factory):
    """Photo, depth and mask of the river."""
    from tests.blender.river_photo import write_river

    return write_river(tmp_path_factory.mktemp("river"))


@pytest.fixture(scope="session")
def river_blend(addon, river_files, tmp_path_factory) -> Path:
    """A saved .blend with the imported river, built once for all tests."""
    from tests.blender.river_photo import import_river

    bpy.ops.wm.read_factory_settings(use_empty=True)
    _use_preferences()
    import_river(bpy.context.scene, river_files)
    path = tmp_path_factory.mktemp("blend") / "river.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def river(river_blend):
    """The river's scene, freshly opened."""
    bpy.ops.wm.open_mainfile(filepath=str(river_blend))
    _use_preferences()
    bpy.context.scene.render.dither_intensity = 0  # its noise depends on the place in the picture
    return bpy.context.scene
