"""A photo's points: meshes of vertices with the node groups that make them move."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..compat import get_modifier_input, set_modifier_input
from . import coordinates, farm_guard, point_nodes

_NAME = "Cine3D Points"


def points_modifier(obj: bpy.types.Object) -> bpy.types.NodesModifier | None:
    """The modifier that shows and moves points, whatever it is called by now."""
    for modifier in obj.modifiers:
        group = modifier.node_group if modifier.type == "NODES" else None
        if group is not None and point_nodes.LAYOUT in group:
            return modifier
    return None


def point_objects(root: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes of a photo: static points first, then by region and number of cycles."""
    found = [child for child in root.children if points_modifier(child) is not None]
    return sorted(found, key=kind_of)


def kind_of(obj: bpy.types.Object) -> tuple[int, int]:
    """Number of the region that moves an object of points, and of its cycles."""
    return obj.cine3d_points.region, obj.cine3d_points.cycles


def set_look(root: bpy.types.Object, values: dict[str, float]) -> None:
    """Set modifier inputs of all points of a photo, by the names they show."""
    for obj in point_objects(root):
        for name, value in values.items():
            set_modifier_input(points_modifier(obj), name, value)


def replace_points(
    root: bpy.types.Object, value: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Give a photo new points; objects of the same kind stay, with all that was done to them."""
    existing = point_objects(root)
    keep = {name: _look_of(existing, name) for name in point_nodes.LOOKS}
    free = {kind_of(obj): obj for obj in existing}
    count = 0
    for number, (region, cycles) in enumerate(zip(value["regions"], value["cycles"], strict=True)):
        if not len(arrays[f"positions_{number}"]):
            continue
        label = f"Moving {cycles}" if cycles else "Static"
        label += f" Region {region}" if region else ""
        mesh = points_mesh(f"{root.name} {label}", number, arrays)
        count += len(mesh.vertices)
        obj = free.pop((region, cycles), None)
        if obj is None:
            obj = _points_object(root, mesh, region, cycles)
        else:
            _exchange_mesh(obj, mesh)
        obj.cine3d_points.photo_sha256 = root.cine3d.photo_sha256
        _set_inputs(obj, root, value, len(arrays[f"forward_{number}"]), keep)
    for obj in free.values():
        _remove(obj)
    root.cine3d.num_points = count


def _look_of(objects: list[bpy.types.Object], name: str) -> float | None:
    return get_modifier_input(points_modifier(objects[0]), name) if objects else None


def _points_object(
    root: bpy.types.Object, mesh: bpy.types.Mesh, region: int, cycles: int
) -> bpy.types.Object:
    obj = bpy.data.objects.new(mesh.name, mesh)
    root.users_collection[0].objects.link(obj)
    obj.parent = root
    obj.cine3d_points.region, obj.cine3d_points.cycles = region, cycles
    obj.modifiers.new(_NAME, "NODES")
    return obj


def _set_inputs(
    obj: bpy.types.Object,
    root: bpy.types.Object,
    value: dict[str, Any],
    keys: int,
    keep: dict[str, Any],
) -> None:
    cycles = obj.cine3d_points.cycles
    group = point_nodes.moving_group() if cycles else point_nodes.static_group()
    modifier = points_modifier(obj) or obj.modifiers[_NAME]
    if modifier.node_group != group:
        farm_guard.release(obj, modifier)
        modifier.node_group = group
        farm_guard.guard(obj, modifier)
    if cycles:
        set_modifier_input(modifier, "Cycles", cycles)
        set_modifier_input(modifier, "Keys", keys)
        set_modifier_input(modifier, "First Frame", root.cine3d.first_frame)
        set_modifier_input(modifier, "Loop Frames", value["num_frames"])
    for name, kept in keep.items():
        if kept is not None:
            set_modifier_input(modifier, name, kept)


def _exchange_mesh(obj: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
    old, name = obj.data, obj.data.name
    obj.data = mesh
    if old.users == 0:
        bpy.data.meshes.remove(old)
        mesh.name = name


def _remove(obj: bpy.types.Object) -> None:
    mesh = obj.data
    bpy.data.objects.remove(obj)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)


def points_mesh(name: str, number: int, arrays: dict[str, np.ndarray]) -> bpy.types.Mesh:
    """A mesh of vertices alone, with everything that the node groups read."""
    positions = coordinates.points_to_blender(arrays[f"positions_{number}"])
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(positions))
    mesh.attributes["position"].data.foreach_set("vector", positions.ravel())
    rgba = np.ones((len(positions), 4), np.float32)
    np.multiply(arrays[f"rgb_{number}"], np.float32(1 / 255), out=rgba[:, :3])
    color = mesh.attributes.new(point_nodes.COLOR, "BYTE_COLOR", "POINT")
    color.data.foreach_set("color_srgb", rgba.ravel())
    radius = mesh.attributes.new(point_nodes.RADIUS, "FLOAT", "POINT")
    radius.data.foreach_set("value", arrays[f"radius_{number}"])
    layer = mesh.attributes.new("layer", "INT", "POINT")
    layer.data.foreach_set("value", arrays[f"layer_{number}"].astype(np.int32))
    for prefix, direction in (("fwd_", "forward"), ("bwd_", "backward")):
        for k, key in enumerate(arrays[f"{direction}_{number}"]):
            attribute = mesh.attributes.new(f"{prefix}{k}", "FLOAT_VECTOR", "POINT")
            attribute.data.foreach_set("vector", coordinates.points_to_blender(key).ravel())
    mesh.materials.append(point_nodes.points_material())
    mesh.update()
    return mesh


def edits_of(root: bpy.types.Object) -> list[str]:
    """What was done to the points that the Cine3D engine, which draws the scene file, ignores."""
    objects, found = point_objects(root), []
    count = sum(len(obj.data.vertices) for obj in objects)
    if root.cine3d.num_points and count != root.cine3d.num_points:
        found.append("deleted or added points")
    if any(obj.hide_render or obj.hide_viewport or obj.hide_get() for obj in objects):
        found.append("hidden points")
    if any(len(obj.modifiers) > 1 for obj in objects):
        found.append("more modifiers")
    if any(obj.matrix_basis != obj.matrix_basis.Identity(4) for obj in objects):
        found.append("moved points")
    return found
