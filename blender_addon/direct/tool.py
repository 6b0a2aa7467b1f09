"""The tool "Cine3D Motion" in the toolbar of the 3D view: the hand that directs a photo.

Drag: an arrow. Click: this thing moves. With Shift they paint what moves, with Ctrl what stays
still, with both they erase. P pins, F sizes the brush. Each stroke is one step of undo.
"""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty

from cine3d_core.motion_kinds import KINDS

from ..scene import photo_scene
from ..worker.client import WorkerError
from . import direct_content, hand, live, masks
from .direct_properties import MENDINGS, CINE3D_PG_region

CLICK_PX = 5.0  # a press that moves less is a click
_LATE_PX = 20.0  # a first movement this long began somewhere else
_STEP_PX = 2.0  # between two points of a stroke
_FIXED = {"options": set()}
_HELP = {
    "ARROW": "Drag: arrow    Click: this thing moves    Shift: paint moving    Ctrl: paint static",
    "MOVES": "Painting a moving area    Esc: cancel",
    "RESTS": "Painting a static area    Esc: cancel",
    "ERASE": "Erasing strokes, arrows and pins    Esc: cancel",
    "HANDLE": "Moving an arrow's end    Esc: cancel",
}
ACTIONS = (
    ("ARROW", "Arrow", "Drag an arrow; a click finds the thing that moves"),
    ("MOVES", "Paint Moving Area", "Add to the active region; a click adds a whole thing"),
    ("RESTS", "Paint Static Area", "Stop the painted area; a click stops a whole thing"),
    ("ERASE", "Erase", "Remove strokes, arrows and pins under the brush"),
    ("HANDLE", "Handle", "Move an end of an arrow"),
)


def _live_changed(settings, context) -> None:
    if settings.live:
        live.start()


class CINE3D_PG_tool(bpy.types.PropertyGroup):
    """Settings of the tool; of the scene, as those of Blender's own brushes."""

    brush: IntProperty(
        name="Brush",
        description="Diameter of the brush in the view",
        default=40,
        min=2,
        soft_max=400,
        subtype="PIXEL",
        **_FIXED,
    )
    mode: EnumProperty(
        name="Motion",
        description="How the next region moves",
        items=[(kind.name, kind.label, kind.description) for kind in KINDS.values()],
        **_FIXED,
    )
    to_edges: BoolProperty(
        name="To Edges",
        description="Painting selects similar pixels, up to edges in the photo, "
        "and corrects the detection",
        **_FIXED,
    )
    mend: EnumProperty(
        name="Depth",
        description="Drags correct the depth under them instead of drawing arrows",
        items=(("NONE", "As It Is", "Drags draw arrows"), *MENDINGS),
        **_FIXED,
    )
    live: BoolProperty(
        name="Live",
        description="Move the photo in the view while it is directed, without building",
        default=True,
        update=_live_changed,
        **_FIXED,
    )
    tint: FloatProperty(
        name="Tint",
        description="How strongly regions are tinted",
        default=0.16,
        min=0,
        max=1,
        subtype="FACTOR",
        **_FIXED,
    )


class Stroke:
    """The stroke under the hand, for the overlay; there is at most one."""

    action: str = ""
    places: list[hand.Place] = []
    width: float = 0.0  # share of the photo's long side


class CINE3D_OT_direct(masks.NeedsPhoto, bpy.types.Operator):
    """Direct the motion of the photo by hand"""

    bl_idname = "cine3d.direct"
    bl_label = "Direct Motion"
    bl_options: set[str] = set()  # undo steps are its own: Blender must not repeat a stroke

    action: EnumProperty(name="Action", description="What the stroke does", items=ACTIONS)

    def invoke(self, context, event):
        root = hand.photo_to_draw_on(self, context)
        if root is None:
            return {"CANCELLED"}
        place = hand.place_under(context, root, event.mouse_region_x, event.mouse_region_y)
        if not hand.on_photo(place):
            return {"PASS_THROUGH"}
        self._uid = root.session_uid
        self._begin(context, root, (event.mouse_region_x, event.mouse_region_y))
        Stroke.width = context.scene.cine3d_tool.brush / hand.long_side_px(context, root)
        context.workspace.status_text_set(_HELP[self._kind])
        context.window_manager.modal_handler_add(self)
        if context.scene.cine3d_tool.live:
            live.start()
        return {"RUNNING_MODAL"}

    def _begin(self, context, root: bpy.types.Object, pixel: tuple[int, int]) -> None:
        """A stroke that starts at a pixel; on a handle it moves that."""
        self._start = self._last = pixel
        self._moved = self._dragged = False
        self._kind, self._handle = self.action, None
        if self.action == "ARROW":
            self._handle = hand.handle_at(context, root, *pixel)
            self._kind = "ARROW" if self._handle is None else "HANDLE"
        Stroke.action = self._kind
        Stroke.places = [hand.inside(hand.place_under(context, root, *pixel))]

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            self._end(context)
            return {"CANCELLED"}
        if event.type in {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE"}:
            self._follow(context, event)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._follow(context, event)
            root = photo_scene.by_session_uid(context.scene, self._uid)
            try:
                told = self._finish(context, root)
            except (ValueError, WorkerError) as error:
                self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
                told = ""
            self._end(context)
            if told:
                bpy.ops.ed.undo_push(message=told)
            return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _follow(self, context, event) -> None:
        x, y = event.mouse_region_x, event.mouse_region_y
        way = max(abs(x - self._start[0]), abs(y - self._start[1]))
        late = event.type == "INBETWEEN_MOUSEMOVE" and not self._moved and way > _LATE_PX
        self._moved = True
        if late:  # a Blender behind time reports the press where the mouse is by then
            self._begin(context, photo_scene.by_session_uid(context.scene, self._uid), (x, y))
            self._moved = True
            return
        self._dragged = self._dragged or way >= CLICK_PX
        if max(abs(x - self._last[0]), abs(y - self._last[1])) < _STEP_PX:
            return
        self._last = (x, y)
        root = photo_scene.by_session_uid(context.scene, self._uid)
        Stroke.places.append(hand.inside(hand.place_under(context, root, x, y)))
        context.area.tag_redraw()

    def _finish(self, context, root: bpy.types.Object) -> str:
        """Put the stroke into the drawing; the name of the undo step, empty for none yet."""
        if self._kind == "HANDLE" and self._handle is not None:
            return move_handle(root, self._handle, Stroke.places[-1]) if self._dragged else ""
        if self._kind == "ERASE":
            size = tuple(root.cine3d.photo_size)
            count = hand.erase(root.cine3d_direct, Stroke.places, Stroke.width, size)
            return "Erase" if count else ""
        if not self._dragged:
            return click(context, root, self._kind, Stroke.places[0])
        mend = context.scene.cine3d_tool.mend
        if self._kind == "ARROW" and mend != "NONE":
            return mend_depth(root, mend, Stroke.places, Stroke.width)
        if self._kind == "ARROW":
            return add_arrow(context, root, Stroke.places[0], Stroke.places[-1])
        return paint(context, root, self._kind, Stroke.places, Stroke.width)

    def _end(self, context) -> None:
        Stroke.action, Stroke.places = "", []
        context.workspace.status_text_set(None)
        context.area.tag_redraw()


def move_handle(root: bpy.types.Object, handle: tuple[int, int, int], place: hand.Place) -> str:
    """Put one end of an arrow elsewhere."""
    number, index, end = handle
    region = root.cine3d_direct.regions[number]
    arrows = region.arrow_list()
    arrow = list(arrows[index])
    arrow[2 * end : 2 * end + 2] = place
    arrows[index] = tuple(arrow)
    region.set_arrows(arrows)
    root.cine3d_direct.active = number
    return "Move Arrow"


def region_at(root: bpy.types.Object, place: hand.Place) -> int | None:
    """Index of the region that a place belongs to, as drawn or as the worker found it."""
    drawn = hand.region_drawn_at(root.cine3d_direct, place)
    return live.owner_at(root, place) if drawn is None else drawn


def add_arrow(context, root: bpy.types.Object, tail: hand.Place, tip: hand.Place) -> str:
    """An arrow of the region that it starts in, else of one that is what it stands on."""
    direct = root.cine3d_direct
    active = direct.active_region()
    index = region_at(root, tail)
    if active is not None and active.is_empty() and not active.rests:
        region = active
    elif index is not None and not direct.regions[index].rests:
        direct.active, region = index, direct.regions[index]
    else:
        region = direct.new_region()
        region.mode = context.scene.cine3d_tool.mode
    region.set_arrows([*region.arrow_list(), (*tail, *tip)])
    return "Draw Arrow"


def paint(
    context, root: bpy.types.Object, kind: str, places: list[hand.Place], width: float
) -> str:
    """What the brush went over moves with the active region, or stays still."""
    direct, tool = root.cine3d_direct, context.scene.cine3d_tool
    if kind == "RESTS" or tool.to_edges:
        stroke = direct.strokes.add()
        stroke.label, stroke.width = (kind if tool.to_edges else "FREEZE"), width
        stroke.set_points(places)
        return "Paint Static Area" if kind == "RESTS" else "Paint Moving Area"
    region = direct.active_region()
    if not hand.paintable(region):
        region = direct.new_region()
        region.mode = tool.mode
    size = tuple(root.cine3d.photo_size)
    region.set_outlines([*region.outline_list(), *hand.brush_outlines(places, width, size)])
    return "Paint Moving Area"


def mend_depth(root: bpy.types.Object, mend: str, places: list[hand.Place], width: float) -> str:
    """A stroke that says what is wrong with the depth under it."""
    stroke = root.cine3d_direct.strokes.add()
    stroke.label, stroke.width = mend, width
    stroke.set_points(places if mend != "AS-FAR-AS" else [places[0], places[-1]])
    return "Mend Depth"


def click(context, root: bpy.types.Object, kind: str, place: hand.Place) -> str:
    """Choose the region under a click, or ask the worker what the click is on."""
    direct = root.cine3d_direct
    index = hand.region_drawn_at(direct, place)
    if kind == "ARROW" and index is not None:
        direct.active = index
        return "Choose Region"
    uid, mode = root.session_uid, context.scene.cine3d_tool.mode

    def deliver(value, sent) -> None:
        root = photo_scene.by_session_uid(bpy.context.scene, uid)
        region = add_thing(root, kind, value["what"], mode, direct_content.outlines_sent(sent))
        region.found_by = value["network"]
        bpy.ops.ed.undo_push(message="Click on a Thing")
        live.redraw()

    live.ask_click(root, [(*place, True)], deliver)
    return ""


def add_thing(
    root: bpy.types.Object, kind: str, what: str, mode: str, outlines: list[list[hand.Place]]
) -> CINE3D_PG_region:
    """A clicked thing becomes a separate region, or a part of the active one."""
    direct = root.cine3d_direct
    region = direct.active_region()
    adds = kind == "MOVES" and hand.paintable(region)
    fills = kind == "ARROW" and region is not None and region.is_empty()
    if region is not None and (adds or fills):
        region.set_outlines([*region.outline_list(), *outlines])
        region.name = region.name or what.capitalize()
        return region
    region = direct.new_region(what.capitalize())
    region.mode, region.rests = mode, kind == "RESTS"
    region.set_outlines(outlines)
    return region


class CINE3D_OT_pin(masks.NeedsPhoto, bpy.types.Operator):
    """Pin the photo under the mouse: the area within the brush stays still"""

    bl_idname = "cine3d.pin"
    bl_label = "Pin"
    bl_options: set[str] = set()

    def invoke(self, context, event):
        root = hand.photo_looked_through(context)
        if root is None:
            return {"PASS_THROUGH"}
        place = hand.place_under(context, root, event.mouse_region_x, event.mouse_region_y)
        if not hand.on_photo(place):
            return {"PASS_THROUGH"}
        stroke = root.cine3d_direct.strokes.add()
        stroke.width = context.scene.cine3d_tool.brush / hand.long_side_px(context, root)
        stroke.set_points([place])
        bpy.ops.ed.undo_push(message="Pin")
        context.area.tag_redraw()
        return {"FINISHED"}


_PRESS = {"type": "LEFTMOUSE", "value": "PRESS"}


def _key(action: str, **modifiers: bool) -> tuple:
    return ("cine3d.direct", {**_PRESS, **modifiers}, {"properties": [("action", action)]})


_KEYS = (
    _key("ARROW"),
    _key("MOVES", shift=True),
    _key("RESTS", ctrl=True),
    _key("ERASE", shift=True, ctrl=True),
    ("cine3d.pin", {"type": "P", "value": "PRESS"}, None),
    (
        "wm.radial_control",
        {"type": "F", "value": "PRESS"},
        {"properties": [("data_path_primary", "scene.cine3d_tool.brush")]},
    ),
)


class CINE3D_WT_motion(bpy.types.WorkSpaceTool):
    """The tool in the toolbar, and its keys"""

    bl_space_type = "VIEW_3D"
    bl_context_mode = "OBJECT"
    bl_idname = live.TOOL
    bl_label = "Cine3D Motion"
    bl_description = (
        "Direct the photo's motion through its camera.\n"
        "Drag: arrow. Click: this thing moves. Shift: paint moving areas. Ctrl: static areas.\n"
        "Shift Ctrl: erase. P: pin. F: brush size"
    )
    bl_icon = "ops.curve.draw"
    bl_keymap = _KEYS

    def draw_settings(context, layout, tool):
        """The line above the view."""
        settings = context.scene.cine3d_tool
        if settings.live:
            live.start()  # whoever takes the tool sees the photo move at once
        layout.prop(settings, "mode")
        layout.prop(settings, "brush")
        layout.prop(settings, "to_edges")
        layout.prop(settings, "mend")
        layout.prop(settings, "live", toggle=True, icon="PLAY")
        layout.prop(settings, "tint")


CLASSES = (CINE3D_PG_tool, CINE3D_OT_direct, CINE3D_OT_pin)


def register() -> None:
    """Add the tool to the toolbar; without a window there is none."""
    bpy.types.Scene.cine3d_tool = PointerProperty(type=CINE3D_PG_tool)
    if not bpy.app.background:
        bpy.utils.register_tool(CINE3D_WT_motion, separator=True)


def unregister() -> None:
    """Take the tool away."""
    if not bpy.app.background:
        bpy.utils.unregister_tool(CINE3D_WT_motion)
    del bpy.types.Scene.cine3d_tool
