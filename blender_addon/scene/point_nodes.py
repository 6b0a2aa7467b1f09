"""Geometry Nodes and material that make the points move without this add-on.

Motion is a function of the frame number alone. A moving mesh carries K displacement keys for each
direction of time as attributes `fwd_0 .. fwd_{K-1}` (how far a point has flowed since its cycle
began) and `bwd_0 ..` (how far it lies before its cycle's end). With the phase p of the cycle,

    forward copy:   position + fwd(p (K-1)),        weight 1 - p
    backward copy:  position + bwd((1 - p) (K-1)),  weight p

where fwd(k) interpolates between the two nearest keys; their attribute names are computed from the
frame. A copy of weight w is drawn at the share min(1, 2 w) of its area: at every moment one copy
covers the surface fully, and opaque points need no sorting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from ..compat import take_pattern

STATIC_GROUP = "Cine3D Static Points"
MOVING_GROUP = "Cine3D Moving Points"
MATERIAL = "Cine3D Points"
LAYOUT = "cine3d_layout"  # property of our node groups: their version
LAYOUT_VERSION = 3  # a group of another version is built anew

COLOR, RADIUS, WEIGHT = "Col", "point_radius", "weight"

GUARD = "Missing Engine"
PLAYING = "Playing Share"  # of the density, while the scene plays
MISSING_MATERIAL = "Cine3D Engine Is Missing"

Socket = bpy.types.NodeSocket

# What an artist may change in the modifier; the rest is told to it by the photo.
LOOKS = ("Point Size", "Viewport Density", "Render Density")
# Modifier inputs: name, socket type, default, minimum, maximum, description.
_COMMON_INPUTS = (
    (
        "Point Size",
        "NodeSocketFloat",
        1.0,
        0.0,
        10.0,
        "Radius; 1 leaves no gaps seen from the photo",
    ),
    ("Viewport Density", "NodeSocketFloat", 1.0, 0.0, 1.0, "Share of the points shown"),
    ("Render Density", "NodeSocketFloat", 1.0, 0.0, 1.0, "Share of the points rendered"),
    (PLAYING, "NodeSocketFloat", 1.0, 0.0, 1.0, "Share of the shown points while playing"),
    ("As Points", "NodeSocketBool", True, None, None, "Off: a mesh of vertices, for exporters"),
    (GUARD, "NodeSocketFloat", 0.0, 0.0, 1.0, "Render in magenta: the engine is missing"),
)
_MOTION_INPUTS = (
    ("First Frame", "NodeSocketFloat", 1.0, -1e6, 1e6, "Scene frame at which the loop begins"),
    ("Loop Frames", "NodeSocketFloat", 60.0, 1.0, 1e6, "Frames until the picture repeats"),
    ("Cycles", "NodeSocketFloat", 1.0, 1.0, 1e3, "How many times these points flow per loop"),
    ("Keys", "NodeSocketFloat", 9.0, 2.0, 99.0, "Stored positions of each direction"),
)


@dataclass(frozen=True)
class _Builder:
    """Short words for adding nodes to one group."""

    tree: bpy.types.NodeTree

    def node(self, kind: str, *inputs, **settings) -> bpy.types.Node:
        """A node with its settings; positional inputs are sockets to link, values, or None."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        visible = [socket for socket in node.inputs if socket.enabled]
        for socket, value in zip(visible, inputs, strict=False):
            if isinstance(value, Socket):
                self.tree.links.new(value, socket)
            elif value is not None:
                socket.default_value = value
        return node

    def math(self, operation: str, *inputs) -> Socket:
        return self.node("ShaderNodeMath", *inputs, operation=operation).outputs[0]

    def without(self, geometry: Socket, pattern: str) -> Socket:
        """The geometry without the attributes whose names match, "*" standing for anything."""
        node = self.node("GeometryNodeRemoveAttribute", geometry)
        take_pattern(node)
        node.inputs["Name"].default_value = pattern
        return node.outputs[0]

    def attribute(self, kind: str, name: str | Socket) -> Socket:
        node = self.node("GeometryNodeInputNamedAttribute", name, data_type=kind)
        return next(socket for socket in node.outputs if socket.enabled)


def static_group() -> bpy.types.NodeTree:
    """Node group for static points."""
    return _group(STATIC_GROUP, _COMMON_INPUTS, _build_static)


def moving_group() -> bpy.types.NodeTree:
    """Node group for points that flow."""
    return _group(MOVING_GROUP, _COMMON_INPUTS + _MOTION_INPUTS, _build_moving)


def points_material() -> bpy.types.Material:
    """Emission of the points' colour, so that the picture keeps the photo's light."""
    material = bpy.data.materials.get(MATERIAL)
    if material is None:
        material = _emission_material(MATERIAL)
        nodes = material.node_tree.nodes
        color = nodes.new("ShaderNodeAttribute")
        color.attribute_name, color.location = COLOR, (-300, 0)
        emission = nodes["Emission"]
        material.node_tree.links.new(color.outputs["Color"], emission.inputs["Color"])
    return material


def missing_engine_material() -> bpy.types.Material:
    """What a farm shows that renders without this add-on: it cannot be taken for a frame."""
    material = bpy.data.materials.get(MISSING_MATERIAL)
    if material is None:
        material = _emission_material(MISSING_MATERIAL)
        material.node_tree.nodes["Emission"].inputs["Color"].default_value = (1.0, 0.0, 1.0, 1.0)
    return material


def _emission_material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on there always is one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    emission = nodes.new("ShaderNodeEmission")
    emission.name = "Emission"
    output = nodes.new("ShaderNodeOutputMaterial")
    output.location = (300, 0)
    links.new(emission.outputs[0], output.inputs["Surface"])
    if hasattr(material, "cycles"):
        material.cycles.emission_sampling = "NONE"  # a million tiny lamps would slow Cycles down
    return material


def _group(
    name: str, inputs: tuple, build: Callable[[_Builder, bpy.types.Node], Socket]
) -> bpy.types.NodeTree:
    for tree in bpy.data.node_groups:  # a file of an earlier state has another of this name
        if tree.name.split(".")[0] == name and tree.get(LAYOUT) == LAYOUT_VERSION:
            return tree
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree[LAYOUT] = LAYOUT_VERSION
    tree.is_modifier = True
    interface = tree.interface
    interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    for label, kind, default, low, high, description in inputs:
        socket = interface.new_socket(label, in_out="INPUT", socket_type=kind)
        socket.default_value, socket.description = default, description
        socket.hide_in_modifier = label not in LOOKS
        if low is not None:
            socket.min_value, socket.max_value = low, high
    interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    builder = _Builder(tree)
    group_input = builder.node("NodeGroupInput")
    builder.node("NodeGroupOutput", build(builder, group_input))
    _arrange(tree)
    return tree


def _build_static(build: _Builder, given: bpy.types.Node) -> Socket:
    kept = _thin_out(build, given, given.outputs["Geometry"])
    return _finish(build, given, kept, build.attribute("FLOAT", RADIUS))


def _build_moving(build: _Builder, given: bpy.types.Node) -> Socket:
    kept = _thin_out(build, given, given.outputs["Geometry"])
    phase = _phase(build, given)
    rest = build.math("SUBTRACT", 1.0, phase)
    forward = _copy(build, given, kept, prefix="fwd_", way=phase, weight=rest)
    backward = _copy(build, given, kept, prefix="bwd_", way=rest, weight=phase)
    join = build.node("GeometryNodeJoinGeometry")
    build.tree.links.new(forward, join.inputs[0])
    build.tree.links.new(backward, join.inputs[0])
    return join.outputs[0]


def _phase(build: _Builder, given: bpy.types.Node) -> Socket:
    """How much of the current cycle has passed, in [0, 1)."""
    frame = build.node("GeometryNodeInputSceneTime").outputs["Frame"]
    since = build.math("SUBTRACT", frame, given.outputs["First Frame"])
    turns = build.math("MULTIPLY", since, given.outputs["Cycles"])
    inside = build.math("FLOORED_MODULO", turns, given.outputs["Loop Frames"])
    return build.math("DIVIDE", inside, given.outputs["Loop Frames"])


def _copy(
    build: _Builder,
    given: bpy.types.Node,
    geometry: Socket,
    *,
    prefix: str,
    way: Socket,
    weight: Socket,
) -> Socket:
    """The points displaced along one direction of time, drawn by their weight."""
    last = build.math("SUBTRACT", given.outputs["Keys"], 1.0)
    key = build.math("MULTIPLY", way, last)
    # The last interval also serves its own end: no key lies beyond the last one.
    low = build.math("MINIMUM", build.math("FLOOR", key), build.math("SUBTRACT", last, 1.0))
    share = build.math("SUBTRACT", key, low)
    before = _key(build, prefix, low)
    after = _key(build, prefix, build.math("ADD", low, 1.0))
    offset = build.node("ShaderNodeMix", share, before, after, data_type="VECTOR").outputs[1]
    moved = build.node("GeometryNodeSetPosition", geometry, None, None, offset).outputs[0]
    # The keys have done their work: whatever comes now would copy them for every point.
    for keys in ("fwd_*", "bwd_*"):
        moved = build.without(moved, keys)
    area = build.math("MINIMUM", build.math("MULTIPLY", weight, 2.0), 1.0)
    radius = build.math("MULTIPLY", build.attribute("FLOAT", RADIUS), build.math("SQRT", area))
    faded = build.node(
        "GeometryNodeStoreNamedAttribute",
        moved,
        None,
        WEIGHT,
        weight,
        data_type="FLOAT",
        domain="POINT",
    ).outputs[0]
    # Exporters want the same vertices in every frame, the eye does not want what has faded out.
    gone = build.math("LESS_THAN", weight, 1e-6)
    invisible = build.math("MULTIPLY", gone, given.outputs["As Points"])
    seen = build.node(
        "GeometryNodeDeleteGeometry", faded, invisible, domain="POINT", mode="ALL"
    ).outputs[0]
    return _finish(build, given, seen, radius)


def _key(build: _Builder, prefix: str, number: Socket) -> Socket:
    text = build.node("FunctionNodeValueToString", number, 0).outputs[0]
    name = build.node("FunctionNodeInputString", string=prefix).outputs[0]
    join = build.node("GeometryNodeStringJoin")
    build.tree.links.new(text, join.inputs[1])  # a multi-input takes the newest link first
    build.tree.links.new(name, join.inputs[1])
    return build.attribute("FLOAT_VECTOR", join.outputs[0])


def _thin_out(build: _Builder, given: bpy.types.Node, geometry: Socket) -> Socket:
    """Only the wanted share of the points, the same points in every frame."""
    density = build.node(
        "GeometryNodeSwitch",
        build.node("GeometryNodeIsViewport").outputs[0],
        given.outputs["Render Density"],
        build.math("MULTIPLY", given.outputs["Viewport Density"], given.outputs[PLAYING]),
        input_type="FLOAT",
    ).outputs[0]
    chance = build.node("FunctionNodeRandomValue", 0.0, 1.0, data_type="FLOAT")
    value = next(socket for socket in chance.outputs if socket.enabled)
    unwanted = build.math("GREATER_THAN", value, density)
    fewer = build.node(
        "GeometryNodeDeleteGeometry", geometry, unwanted, domain="POINT", mode="ALL"
    ).outputs[0]
    # whoever wants all of them does not wait for a copy
    thins = build.math("LESS_THAN", density, 1.0)
    switch = build.node("GeometryNodeSwitch", thins, geometry, fewer, input_type="GEOMETRY")
    return switch.outputs[0]


def _finish(build: _Builder, given: bpy.types.Node, geometry: Socket, radius: Socket) -> Socket:
    scaled = build.math("MULTIPLY", radius, given.outputs["Point Size"])
    points = build.node("GeometryNodeMeshToPoints", geometry, None, None, scaled).outputs[0]
    in_render = build.math("SUBTRACT", 1.0, build.node("GeometryNodeIsViewport").outputs[0])
    guarded = build.math("MULTIPLY", in_render, given.outputs[GUARD])
    material = build.node(
        "GeometryNodeSwitch",
        build.math("GREATER_THAN", guarded, 0.5),
        points_material(),
        missing_engine_material(),
        input_type="MATERIAL",
    ).outputs[0]
    colored = build.node("GeometryNodeSetMaterial", points, None, material).outputs[0]
    return build.node(
        "GeometryNodeSwitch", given.outputs["As Points"], geometry, colored, input_type="GEOMETRY"
    ).outputs[0]


def _arrange(tree: bpy.types.NodeTree) -> None:
    """Nodes side by side, so that a curious artist sees something readable."""
    for index, node in enumerate(tree.nodes):
        node.location = (index % 8 * 220, -(index // 8) * 260)
