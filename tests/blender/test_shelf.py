"""Better networks in the preferences and in the import dialog, with the real worker."""

import bpy
import pytest

from blender_addon.worker import jobs, shelf

pytestmark = pytest.mark.blender


@pytest.fixture
def listed(scene):
    shelf.unregister()
    assert not shelf.entries() and shelf.offered("depth") is None
    assert bpy.ops.cine3d.models_list() == {"FINISHED"}
    yield shelf.entries()
    shelf.unregister()


def test_the_list_says_what_there_is_and_for_what(listed):
    assert {entry["task"] for entry in listed} == set(shelf.TASKS)
    for entry in listed:
        assert entry["title"] and entry["license"] and entry["better"]
        assert entry["size_text"].endswith("B") and entry["installed"] in (True, False)


def test_the_import_offers_a_better_depth_until_one_is_here(listed, monkeypatch):
    depth = [entry for entry in listed if entry["task"] == "depth"]
    absent = [{**entry, "installed": False} for entry in depth]
    monkeypatch.setattr(shelf, "_entries", absent)
    assert shelf.offered("depth") == absent[0]
    monkeypatch.setattr(shelf, "_entries", [*absent[1:], {**depth[0], "installed": True}])
    assert shelf.offered("depth") is None


def test_nothing_is_got_while_blender_is_offline(listed):
    assert not bpy.app.online_access  # as Blender starts here, and as it starts at first
    assert not bpy.ops.cine3d.models_get.poll()


def test_a_folder_without_the_files_is_refused_in_words(listed, tmp_path):
    name = next(entry["name"] for entry in listed if not entry["installed"])
    with pytest.raises(RuntimeError) as told:
        bpy.ops.cine3d.models_add(name=name, directory=str(tmp_path))
    assert str(tmp_path) in str(told.value)
    assert not next(entry for entry in shelf.entries() if entry["name"] == name)["installed"]


def test_an_unknown_network_is_told(listed):
    with pytest.raises(RuntimeError, match="No network is called 'nothing'"):
        bpy.ops.cine3d.models_remove(name="nothing")
    assert not jobs.running()
