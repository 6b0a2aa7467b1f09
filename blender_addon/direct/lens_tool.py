"""A tool for the lens and the tilt of a photo: edges and the horizon, drawn over it.

Drags are level edges: two of one direction, two at right angles. Shift draws upright edges, Ctrl
the horizon. What they say is applied at once: the photo is turned until its ground is level, and
the next build takes the field of view.
"""

from __future__ import annotations

import json
import math

import bpy
import numpy as np
from bpy.props import EnumProperty
from mathutils import Matrix, Vector

from cine3d_core.imaging.drawn_lens import DrawnLens, DrawnLines, Line, lens_of_lines

from ..scene import coordinates, photo_scene
from . import drawn_view, hand, masks

KINDS = (
    ("LEVEL", "Level Edge", "An edge that is level in the world, such as a kerb or a roof"),
    ("UPRIGHT", "Plumb Edge", "An edge that is upright in the world"),
    ("HORIZON", "Horizon", "Where the sea or a wide plain ends"),
)
TOOL = "cine3d.lens"
_MOST = {"LEVEL": 4, "UPRIGHT": 2, "HORIZON": 1}  # a further one begins anew
_COLOURS = {
    "LEVEL": ((1.0, 0.35, 0.3, 1.0), (0.35, 0.8, 1.0, 1.0)),  # of the first and the second pair
    "UPRIGHT": ((0.4, 0.95, 0.4, 1.0),),
    "HORIZON": ((1.0, 0.85, 0.3, 1.0),),
}
_SHORTEST_PX = 15.0
_HELP = "Drag: level edge    Shift: upright edge    Ctrl: horizon    Esc: cancel"


def drawn_lines(root: bpy.types.Object) -> list[tuple[str, Line]]:
    """Kind and ends of every line, as shares of the photo's sides."""
    return [(kind, tuple(line)) for kind, line in json.loads(root.cine3d_direct.lines or "[]")]


def add_line(root: bpy.types.Object, kind: str, line: Line) -> None:
    """One line more; of a kind that is complete, the first of another set."""
    lines = drawn_lines(root)
    if sum(other == kind for other, _ in lines) >= _MOST[kind]:
        lines = [one for one in lines if one[0] != kind]
    lines.append((kind, line))
    root.cine3d_direct.lines = json.dumps([[kind, list(line)] for kind, line in lines])


def lens_drawn(root: bpy.types.Object) -> DrawnLens:
    """What the lines over a photo say.

    Raises:
        ValueError: no lens sees them so.
    """
    width, height = root.cine3d.photo_size
    of_kind: dict[str, list[Line]] = {kind: [] for kind, *_ in KINDS}
    for kind, (x0, y0, x1, y1) in drawn_lines(root):
        of_kind[kind].append((x0 * width, y0 * height, x1 * width, y1 * height))
    lines = DrawnLines(
        level=tuple(of_kind["LEVEL"]),
        upright=tuple(of_kind["UPRIGHT"]),
        horizon=next(iter(of_kind["HORIZON"]), None),
    )
    return lens_of_lines(lines, (width, height), root.cine3d.intrinsics[0])


def apply(root: bpy.types.Object) -> str:
    """Turn the photo and set its field of view by its lines; in words, what was done."""
    lens, told = lens_drawn(root), []
    if lens.focal_px is not None:
        half = max(root.cine3d.photo_size) / 2
        angle = math.degrees(2 * math.atan(half / lens.focal_px))
        root.cine3d.choices.fov = angle
        told.append(f"The photo spans {angle:.1f} degrees; Build Again uses it")
    if lens.down is not None:
        told.append(f"tilt {math.degrees(level(root, lens.down)):.1f} degrees")
    return ", ".join(told) or "One more line of this kind is needed"


def level(root: bpy.types.Object, down: np.ndarray) -> float:
    """Turn a photo so that a direction [3] of its camera points down; the angle from before.

    It keeps its heading, its place and its size.
    """
    local = Vector(coordinates.points_to_blender(np.asarray(down, np.float64)[None])[0])
    place, turn, scale = root.matrix_basis.decompose()
    ahead = turn @ Vector((0.0, 1.0, 0.0))
    heading = Matrix.Rotation(math.atan2(-ahead.x, ahead.y), 3, "Z").to_quaternion()
    plumb = local.rotation_difference(Vector((0.0, 0.0, -1.0)))
    # what is ahead stays ahead: plumbing may turn a rolled camera about the plumb line
    way = plumb @ Vector((0.0, 1.0, 0.0))
    back = Matrix.Rotation(-math.atan2(-way.x, way.y), 3, "Z").to_quaternion()
    turned = heading @ back @ plumb
    root.matrix_basis = Matrix.LocRotScale(place, turned, scale)
    return plumb.angle


class LineUnderHand:
    """The line that the mouse is drawing; there is at most one."""

    kind: str = ""
    places: list[hand.Place] = []


class CINE3D_OT_lens_line(masks.NeedsPhoto, bpy.types.Operator):
    """Draw an edge or the horizon over the photo; they tell its field of view and its tilt"""

    bl_idname = "cine3d.lens_line"
    bl_label = "Draw Lens Line"
    bl_options: set[str] = set()  # undo steps are its own

    kind: EnumProperty(name="Kind", description="What the line is in the world", items=KINDS)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        root = hand.photo_to_draw_on(self, context)
        if root is None:
            return {"CANCELLED"}
        place = hand.place_under(context, root, event.mouse_region_x, event.mouse_region_y)
        if not hand.on_photo(place):
            return {"PASS_THROUGH"}
        self._uid, self._start = root.session_uid, (event.mouse_region_x, event.mouse_region_y)
        LineUnderHand.kind, LineUnderHand.places = self.kind, [place, place]
        context.workspace.status_text_set(_HELP)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event):
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            self._end(context)
            return {"CANCELLED"}
        here = event.mouse_region_x, event.mouse_region_y
        if event.type in {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE"}:
            root = photo_scene.by_session_uid(context.scene, self._uid)
            LineUnderHand.places[1] = hand.inside(hand.place_under(context, root, *here))
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            far = math.dist(here, self._start) >= _SHORTEST_PX
            if far:
                self._take(context)
            self._end(context)
            return {"FINISHED"} if far else {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def _take(self, context: bpy.types.Context) -> None:
        root = photo_scene.by_session_uid(context.scene, self._uid)
        start, end = LineUnderHand.places
        before = root.cine3d_direct.lines
        add_line(root, self.kind, (*start, *end))
        try:
            self.report({"INFO"}, apply(root))
        except ValueError as error:
            root.cine3d_direct.lines = before
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return
        bpy.ops.ed.undo_push(message="Draw Lens Line")

    def _end(self, context: bpy.types.Context) -> None:
        LineUnderHand.kind, LineUnderHand.places = "", []
        context.workspace.status_text_set(None)
        context.area.tag_redraw()


class CINE3D_OT_lens_clear(masks.NeedsPhoto, bpy.types.Operator):
    """Remove the lines; field of view and tilt stay"""

    bl_idname = "cine3d.lens_clear"
    bl_label = "Clear Lens Lines"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context):
        photo_scene.active_root(context).cine3d_direct.lines = ""
        return {"FINISHED"}


def _key(kind: str, **modifiers: bool) -> tuple:
    press = {"type": "LEFTMOUSE", "value": "PRESS", **modifiers}
    return ("cine3d.lens_line", press, {"properties": [("kind", kind)]})


class CINE3D_WT_lens(bpy.types.WorkSpaceTool):
    """The tool in the toolbar, and its keys"""

    bl_space_type = "VIEW_3D"
    bl_context_mode = "OBJECT"
    bl_idname = TOOL
    bl_label = "Cine3D Lens"
    bl_description = (
        "Field of view and tilt by lines over the photo.\n"
        "Drag: level edges, two of one direction, then two at right angles.\n"
        "Shift: upright edges. Ctrl: the horizon"
    )
    bl_icon = "ops.view3d.ruler"
    bl_keymap = (_key("LEVEL"), _key("UPRIGHT", shift=True), _key("HORIZON", ctrl=True))

    def draw_settings(
        context: bpy.types.Context, layout: bpy.types.UILayout, tool: bpy.types.WorkSpaceTool
    ):
        """The line above the view."""
        root = photo_scene.active_root(context)
        if root is not None:
            layout.prop(root.cine3d.choices, "fov")
            layout.operator("cine3d.lens_clear", text="Clear Lines", icon="X")


def _draw() -> None:
    context = bpy.context
    root = hand.photo_looked_through(context)
    if root is None or not context.space_data.overlay.show_overlays:
        return
    tool = context.workspace.tools.from_space_view3d_mode("OBJECT")
    if tool is None or tool.idname != TOOL:
        return
    counts = dict.fromkeys(_MOST, 0)
    for kind, line in drawn_lines(root):
        colours = _COLOURS[kind]
        colour = colours[min(counts[kind] // 2, len(colours) - 1)]
        counts[kind] += 1
        drawn_view.draw_track(context, root, [line[:2], line[2:]], colour)
    if LineUnderHand.places:
        drawn_view.draw_track(context, root, LineUnderHand.places, (1.0, 1.0, 1.0, 0.9))


_handles: list[object] = []
CLASSES = (CINE3D_OT_lens_line, CINE3D_OT_lens_clear)


def register() -> None:
    """Add the tool to the toolbar and draw its lines; without a window there is neither."""
    if not bpy.app.background:
        bpy.utils.register_tool(CINE3D_WT_lens)
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    """Take the tool away."""
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
        bpy.utils.unregister_tool(CINE3D_WT_lens)
