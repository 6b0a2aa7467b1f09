"""What differs between the supported Blender versions (4.2 to 5.2), in one place."""

from __future__ import annotations

from typing import Any

import bpy


def modifier_input(modifier: bpy.types.NodesModifier, name: str) -> tuple[Any, str]:
    """Owner and property of a node modifier's input, as `layout.prop` wants them.

    Blender 5.2 moved the inputs from custom properties of the modifier to real properties.
    """
    identifier = modifier.node_group.interface.items_tree[name].identifier
    if hasattr(modifier, "properties"):
        return getattr(modifier.properties.inputs, identifier), "value"
    return modifier, f'["{identifier}"]'


def set_modifier_input(modifier: bpy.types.NodesModifier, name: str, value: float | bool) -> None:
    """Set a node modifier's input by the name that it shows."""
    item = modifier.node_group.interface.items_tree[name]
    typed = type(item.default_value)(value)
    owner, attribute = modifier_input(modifier, name)
    if attribute == "value":
        owner.value = typed
    else:
        modifier[item.identifier] = typed
    modifier.id_data.update_tag()


def get_modifier_input(modifier: bpy.types.NodesModifier, name: str) -> float | bool:
    """A node modifier's input by the name that it shows."""
    owner, attribute = modifier_input(modifier, name)
    if attribute == "value":
        return owner.value
    return modifier[modifier.node_group.interface.items_tree[name].identifier]


def fcurves_of(target: bpy.types.ID) -> list[bpy.types.FCurve]:
    """Animation curves of a data-block; 4.4 put them into slots, 5.0 removed the old list."""
    data = target.animation_data
    if data is None or data.action is None:
        return []
    if hasattr(data.action, "fcurves"):
        return list(data.action.fcurves)
    return [
        curve
        for layer in data.action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        if bag.slot == data.action_slot
        for curve in bag.fcurves
    ]


def remove_empty_fcurves(target: bpy.types.ID) -> None:
    """Take away animation curves without keys, and the animation data if nothing else is in it."""
    data = target.animation_data
    for curve in [curve for curve in fcurves_of(target) if not curve.keyframe_points]:
        if hasattr(data.action, "fcurves"):
            data.action.fcurves.remove(curve)
        else:
            for bag in (b for la in data.action.layers for st in la.strips for b in st.channelbags):
                if bag.slot == data.action_slot:
                    bag.fcurves.remove(curve)
    if data is not None and not fcurves_of(target) and not (data.drivers or data.nla_tracks):
        target.animation_data_clear()


def set_video_output(settings: bpy.types.ImageFormatSettings) -> None:
    """Let a scene write videos; 5.0 wants the kind of media first."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"


# 4.5 understands "//" in properties of add-ons; before, the option does not exist.
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def annotation_strokes(scene: bpy.types.Scene) -> list:
    """All visible annotation strokes in 3D space, each with `points` whose `co` is in the world.

    5.0 renamed the scene's property when grease pencil objects got their new data. Since 4.3 a
    stroke does not say whether it lies on the screen; such a stroke has no third coordinate.
    """
    data = getattr(scene, "annotation", None) or getattr(scene, "grease_pencil", None)
    if data is None:
        return []
    return [
        stroke
        for layer in data.layers
        if not (layer.annotation_hide if hasattr(layer, "annotation_hide") else layer.hide)
        and layer.active_frame is not None
        for stroke in layer.active_frame.strokes
        if len(stroke.points) > 1
        and getattr(stroke, "display_mode", "3DSPACE") == "3DSPACE"
        and any(point.co[2] != 0.0 for point in stroke.points)
    ]


def set_paint_colors(scene: bpy.types.Scene) -> None:
    """White to paint with, black on the other key; 5.0 has these settings for each mode."""
    tools = scene.tool_settings
    unified = getattr(tools, "unified_paint_settings", None)
    if unified is None:
        unified = tools.image_paint.unified_paint_settings
    unified.use_unified_color = True
    unified.color, unified.secondary_color = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


_BRUSH = "brushes/essentials_brushes-mesh_texture.blend/Brush/Paint Hard"
_OWN_BRUSH = "Cine3D Mask"


def take_paint_brush(window: bpy.types.Window, area: bpy.types.Area) -> bool:
    """Give an Image Editor in Paint mode a brush where it has none; whether it has one now.

    From 4.3 on brushes are assets. Blender reads them in its own time, and tells who asks before
    that to ask again. Nor has an editor that was opened just now a tool yet, and Blender crashes
    when it is to hold a brush.
    """
    paint = window.scene.tool_settings.image_paint
    if paint.brush is not None or "asset_activate" not in dir(bpy.ops.brush):
        return True
    if window.workspace.tools.from_space_image_mode("PAINT", create=False) is None:
        return False
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        if bpy.ops.brush.asset_activate.poll():
            try:
                bpy.ops.brush.asset_activate(
                    asset_library_type="ESSENTIALS", relative_asset_identifier=_BRUSH
                )
            except RuntimeError:  # Debian's Blender comes without them
                _take_own_brush()
    return paint.brush is not None


def _take_own_brush() -> None:
    """A brush of this file, where Blender comes without one."""
    brush = bpy.data.brushes.get(_OWN_BRUSH)
    if brush is None:
        brush = bpy.data.brushes.new(_OWN_BRUSH, mode="TEXTURE_PAINT")
        brush.asset_mark()
    bpy.ops.brush.asset_activate(
        asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{brush.name}"
    )


def modifier_input_path(modifier: bpy.types.NodesModifier, name: str) -> str:
    """Path of a node modifier's input from its object, for drivers."""
    identifier = modifier.node_group.interface.items_tree[name].identifier
    if hasattr(modifier, "properties"):
        return f'modifiers["{modifier.name}"].properties.inputs.{identifier}.value'
    return f'modifiers["{modifier.name}"]["{identifier}"]'


def take_pattern(node: bpy.types.Node) -> None:
    """Let a node Remove Named Attribute take a pattern; 5.0 made its setting an input."""
    if hasattr(node, "pattern_mode"):
        node.pattern_mode = "WILDCARD"
    else:
        node.inputs["Pattern Mode"].default_value = "Wildcard"
