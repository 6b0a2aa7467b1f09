"""Exports are read back: PLY by its own rules, Alembic and USD by Blender's importers."""

import re

import bpy
import numpy as np
import pytest

from blender_addon.compat import get_modifier_input
from blender_addon.scene import photo_points, photo_scene
from blender_addon.ui import export

pytestmark = pytest.mark.blender


def read_ply(path):
    """Columns of a binary little-endian PLY with vertices alone."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    kinds = {"float": "<f4", "uchar": "u1", "short": "<i2", "int": "<i4", "double": "<f8"}
    lines = header.decode().splitlines()
    count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex"))
    fields = [line.split()[1:] for line in lines if line.startswith("property")]
    dtype = np.dtype([(name, kinds[kind]) for kind, name in fields])
    assert len(body) == count * dtype.itemsize
    return np.frombuffer(body, dtype)


def mesh_positions(obj):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    mesh = obj.evaluated_get(depsgraph).data
    out = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", out)
    return out.reshape(-1, 3)


def test_ply_holds_every_point_where_the_object_stands(river, tmp_path):
    root = photo_scene.roots(river)[0]
    root.location = (10, 20, 30)
    bpy.context.view_layer.update()
    path = tmp_path / "points.ply"
    assert bpy.ops.cine3d.export_ply(filepath=str(path)) == {"FINISHED"}
    table = read_ply(path)
    meshes = [obj.data for obj in photo_points.point_objects(root)]
    assert len(table) == sum(len(mesh.vertices) for mesh in meshes)
    expected = np.concatenate([mesh_rest(mesh) for mesh in meshes]) + (10, 20, 30)
    got = np.stack([table["x"], table["y"], table["z"]], axis=1)
    np.testing.assert_allclose(np.sort(got, axis=0), np.sort(expected, axis=0), atol=1e-4)
    assert {"red", "green", "blue", "layer", "flow_x"} <= set(table.dtype.names)
    assert np.abs(table["flow_x"]).max() > 0


def mesh_rest(mesh):
    out = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", out)
    return out.reshape(-1, 3)


def test_a_range_of_frames_becomes_numbered_files(river, tmp_path):
    river.frame_start, river.frame_end = 2, 4
    bpy.ops.cine3d.export_ply(filepath=str(tmp_path / "p.ply"), frames="RANGE")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"p_{frame:04d}.ply" for frame in (2, 3, 4)
    ]


@pytest.mark.parametrize("kind", ["alembic", "usd"])
def test_a_format_is_offered_where_this_blender_can_write_it(river, kind):
    """Fault 29: `bpy.ops` has every name, so asking it says nothing; see the window's session."""
    assert bpy.ops.wm.nothing_export is not None
    can = getattr(bpy.app.build_options, kind)
    assert getattr(export, f"CINE3D_OT_export_{kind}").built_in() == can
    assert getattr(bpy.ops.cine3d, f"export_{kind}").poll() == can


@pytest.mark.parametrize("kind", ["alembic", "usd"])
def test_moving_points_come_back_from_exchange_formats(river, tmp_path, kind):
    if not getattr(bpy.app.build_options, kind):
        pytest.skip(f"this Blender was built without {kind}")
    river.frame_end = 4
    root = photo_scene.roots(river)[0]
    obj = photo_points.point_objects(root)[1]
    path = tmp_path / ("points.abc" if kind == "alembic" else "points.usdc")
    operator = getattr(bpy.ops.cine3d, f"export_{kind}")
    assert operator(filepath=str(path)) == {"FINISHED"}
    assert get_modifier_input(photo_points.points_modifier(obj), "As Points") is True
    expected = {}
    with export.vertices_only(root) as objects:
        for frame in (1, 3):
            river.frame_set(frame)
            expected[frame] = mesh_positions(objects[1])
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25  # both formats store times, not frame numbers
    if kind == "alembic":
        bpy.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    count = len(expected[1])
    back = next(
        obj
        for obj in bpy.data.objects
        if obj.type in {"MESH", "POINTCLOUD"} and len(mesh_positions(obj)) == count
    )
    for frame, positions in expected.items():
        bpy.context.scene.frame_set(frame)
        world = mesh_positions(back) @ np.array(back.matrix_world)[:3, :3].T
        np.testing.assert_allclose(world, positions, atol=1e-4)


def test_usd_carries_colour_and_weight(river, tmp_path):
    """Fault 30: also by the name under which other programs look for the colour.

    Read as text: Blender's own importer leaves out attributes of points without faces.
    """
    if not bpy.app.build_options.usd:
        pytest.skip("this Blender was built without usd")
    river.frame_end = 2
    objects = photo_points.point_objects(photo_scene.roots(river)[0])
    path = tmp_path / "points.usda"
    assert bpy.ops.cine3d.export_usd(filepath=str(path)) == {"FINISHED"}
    assert not any(export.DISPLAY_COLOR in obj.data.attributes for obj in objects)
    text = path.read_text()
    rest = re.search(r"primvars:displayColor = \[(.*)\]", text)[1]
    first = [float(value) for value in rest[: rest.index(")")].strip("(").split(",")]
    colors = [attribute(obj.data, "Col", "color", 4) for obj in objects]
    assert any(np.allclose(rows[0, : len(first)], first, atol=1e-5) for rows in colors)
    samples = re.search(r"primvars:weight.timeSamples = \{\s+\S+: \[(.*)\]", text)[1]
    weight = np.array([float(value) for value in samples.split(",")])
    count = len(objects[1].data.vertices)
    assert len(weight) == 2 * count
    np.testing.assert_allclose(weight[:count] + weight[count:], 1, atol=1e-6)


def attribute(data, name, kind, width):
    values = data.attributes[name].data
    out = np.empty(len(values) * width, np.float32)
    values.foreach_get(kind, out)
    return out.reshape(-1, width)


def test_alembic_has_its_colours_beside_it(river, tmp_path):
    """Fault 30: one row for each vertex, in the same order."""
    if not bpy.app.build_options.alembic:
        pytest.skip("this Blender was built without alembic")
    river.frame_end = 2
    root = photo_scene.roots(river)[0]
    obj = photo_points.point_objects(root)[1]
    count = len(obj.data.vertices)
    assert bpy.ops.cine3d.export_alembic(filepath=str(tmp_path / "p.abc")) == {"FINISHED"}
    table = read_ply(tmp_path / "p-colors-1.ply")
    assert len(table) == 2 * count
    with export.vertices_only(root) as objects:
        river.frame_set(river.frame_start)
        expected = mesh_positions(objects[1]) @ np.array(obj.matrix_world)[:3, :3].T
    got = np.stack([table[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(got, expected, atol=1e-4)
    linear = attribute(obj.data, "Col", "color", 4)[:, :3]
    stored = np.stack([table[c] for c in ("red", "green", "blue")], axis=1)[:count] / 255
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(stored, curve, atol=2 / 255)
    assert "weight" in table.dtype.names


def test_blenders_own_exporter_would_have_lost_the_points(river, tmp_path):
    """The reason for ours; when this fails, Blender has learned it (4.2 to 5.0: 0 vertices)."""
    bpy.ops.wm.ply_export(filepath=str(tmp_path / "blender.ply"), ascii_format=True)
    text = (tmp_path / "blender.ply").read_text()
    assert "element vertex 0" in text or bpy.app.version >= (5, 1, 0)
