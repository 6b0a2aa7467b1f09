"""When the buttons of a photo can be pressed: all by the same rule."""

import bpy
import pytest

from blender_addon.scene import photo_scene
from blender_addon.scene.photo_operator import PhotoOperator
from tests.blender.synthetic_scene import show

pytestmark = pytest.mark.blender


def operators() -> dict[str, type]:
    """The add-on's operators on a photo, by their name in `bpy.ops.cine3d`."""
    found, waiting = {}, [PhotoOperator]
    while waiting:
        waiting += (kind := waiting.pop()).__subclasses__()
        if issubclass(kind, bpy.types.Operator):
            found[kind.bl_idname.removeprefix("cine3d.")] = kind
    return found


def test_without_a_photo_none_can_be_used(scene):
    assert len(operators()) > 15
    usable = {name for name in operators() if getattr(bpy.ops.cine3d, name).poll()}
    assert not usable


def test_with_a_photo_those_can_be_used_that_need_no_more(scene):
    show(scene)
    usable = {name for name in operators() if getattr(bpy.ops.cine3d, name).poll()}
    assert {"add_arrow", "preview_motion", "rebuild", "relink", "safe_volume"} <= usable
    assert {name for name in operators() if name.startswith("region_")} & usable == {"region_add"}


def test_a_scene_without_camera_has_no_moves(scene):
    show(scene)
    scene.camera = None
    wanting = {name for name, kind in operators().items() if kind.needs_camera}
    assert wanting == {"camera_move", "camera_back", "check_path", "safe_volume", "render_loop"}
    assert not {name for name in wanting if getattr(bpy.ops.cine3d, name).poll()}


def test_a_linked_photo_is_directed_in_its_own_file(scene, tmp_path):
    root, _, _ = show(scene)
    path, name = str(tmp_path / "photo.blend"), photo_scene.collection_of(root).name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.collections = [name]
    bpy.context.scene.collection.children.link(bpy.data.collections[name])
    assert photo_scene.active_root(bpy.context).library is not None
    refused = {name for name, kind in operators().items() if kind.if_linked}
    assert {"rebuild", "relink", "add_arrow", "propose_mask"} <= refused
    assert not {name for name in refused if getattr(bpy.ops.cine3d, name).poll()}
    assert bpy.ops.cine3d.set_timeline.poll()


