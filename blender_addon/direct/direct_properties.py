"""What a person directs by hand, stored with the photo: regions and strokes.

They are properties of the photo's root, so that undo, saving, appending and overrides keep them.
Places are shares of the photo's width and height, y from the top, as JSON in strings: a drawing
comes out of Blender as it went in, which numbers of single precision would not allow.
"""

from __future__ import annotations

import json
import math

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from cine3d_core.motion_kinds import KINDS
from cine3d_core.scene import FLUIDS

from ..compat import RELATIVE_PATH
from ..scene import timing

Arrow = tuple[float, float, float, float]  # tail x, y, tip x, y
Points = list[tuple[float, float]]

_FIXED = {"options": set()}
_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
_INSERTABLE = {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}
COLOURS = (
    (0.10, 0.72, 1.00),
    (0.35, 0.85, 0.30),
    (1.00, 0.62, 0.10),
    (0.90, 0.35, 0.85),
    (0.95, 0.90, 0.25),
    (0.30, 0.90, 0.80),
)
PLACES = (
    ("ARROWS", "Under Its Arrows", "The area under the arrows of this region"),
    ("OUTLINES", "Drawn", "The area that was painted, clicked or outlined"),
    ("FLUID", "Found", "All of one kind that the photo shows"),
    ("PICTURE", "Picture", "White in a picture of the photo's shape"),
)
LABELS = (
    ("FREEZE", "Still", "The painted pixels stay still"),
    ("MOVES", "Moves, to Its Edges", "Similar areas move, up to edges in the picture"),
    ("RESTS", "Still, to Its Edges", "Similar areas stay still, up to edges in the picture"),
)
MENDINGS = (
    ("NEARER", "Nearer", "The thing under the stroke is nearer than it seems"),
    ("FARTHER", "Farther", "The thing under the stroke is farther than it seems"),
    ("AS-FAR-AS", "As Far As", "Drag from what has the right depth to what should have it too"),
    ("FLATTEN", "Flatten", "The thing under the stroke is flat"),
    ("STAND", "Stand", "The thing under the stroke stands upright, as far away as its foot"),
)
_FIRST_ARROW = 0.15  # of the photo's long side, where a direction is set before any arrow is drawn


def _direction(region: CINE3D_PG_region) -> float:
    """Radians, counted from the right counter-clockwise, of the region's first arrow."""
    arrows = region.arrow_list()
    if not arrows:
        return 0.0
    x0, y0, x1, y1 = arrows[0]
    width, height = _size(region)
    return math.atan2((y0 - y1) * height, (x1 - x0) * width)


def _turn(region: CINE3D_PG_region, angle: float) -> None:
    """Turn all arrows by what the first one turns; without any, one is drawn."""
    width, height = _size(region)
    arrows = region.arrow_list() or [_new_arrow(region)]
    by = angle - math.atan2(
        (arrows[0][1] - arrows[0][3]) * height, (arrows[0][2] - arrows[0][0]) * width
    )
    turned = []
    for x0, y0, x1, y1 in arrows:
        right, up = (x1 - x0) * width, (y0 - y1) * height
        across = right * math.cos(by) - up * math.sin(by)
        upward = right * math.sin(by) + up * math.cos(by)
        tip = min(max(x0 + across / width, 0.0), 1.0), min(max(y0 - upward / height, 0.0), 1.0)
        turned.append((x0, y0, *tip))
    region.set_arrows(turned)


def _size(region: CINE3D_PG_region) -> tuple[int, int]:
    width, height = region.id_data.cine3d.photo_size
    return max(width, 1), max(height, 1)


def _new_arrow(region: CINE3D_PG_region) -> Arrow:
    """Level, from the middle of what is outlined."""
    points = [point for outline in region.outline_list() for point in outline] or [(0.5, 0.5)]
    middle = (sum(p[axis] for p in points) / len(points) for axis in (0, 1))
    x, y = (min(max(value, 0.02), 0.98) for value in middle)
    width, height = _size(region)
    way = _FIRST_ARROW * max(width, height) / width
    return (x, y, min(x + way, 1.0), y)


def _timing_changed(region: CINE3D_PG_region, _context: bpy.types.Context) -> None:
    timing.pass_on(region.id_data)


class CINE3D_PG_region(bpy.types.PropertyGroup):
    """A part of the photo with separate motion settings, or one that stays still."""

    colour: FloatVectorProperty(
        name="Colour",
        description="Colour of the region over the photo",
        subtype="COLOR",
        size=3,
        min=0,
        max=1,
        default=COLOURS[0],
        override=_OVERRIDABLE,
    )
    visible: BoolProperty(
        name="Show", description="Draw the region over the photo", default=True, **_FIXED
    )
    rests: BoolProperty(
        name="Freeze",
        description="This area stays still, even if a region above it in the list moves it",
        override=_OVERRIDABLE,
    )
    is_base: BoolProperty(
        name="Photo",
        description="The whole photo: areas outside all regions, corrected by strokes",
    )
    place: EnumProperty(
        name="Where", description="Which part of the photo it is", items=PLACES, **_FIXED
    )
    fluid: EnumProperty(
        name="Kind",
        description="Kind of area to find in the photo",
        items=[(name, name.capitalize(), f"All {name} that is found") for name in FLUIDS],
        **_FIXED,
    )
    picture: StringProperty(
        name="Picture",
        description="Mask with the photo's proportions; white areas belong to the region",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    outlines: StringProperty(name="Outlines", override=_OVERRIDABLE)
    found_by: StringProperty(
        name="Found By", description="Network that outlined it, where it was clicked"
    )
    arrows: StringProperty(name="Arrows", override=_OVERRIDABLE)
    mode: EnumProperty(
        name="Motion",
        description="How the region moves",
        items=[(kind.name, kind.label, kind.description) for kind in KINDS.values()],
        override=_OVERRIDABLE,
        **_FIXED,
    )
    speed: FloatProperty(
        name="Speed",
        description="Multiplies the speed of the arrows, or the width of a sway or shimmer",
        default=1.0,
        min=0.01,
        max=100,
        soft_max=5,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    cycles: IntProperty(
        name="Cycles",
        description="How many times the motion repeats per loop (0 = automatic)",
        min=0,
        max=1000,
        soft_max=20,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    amplitude: FloatProperty(
        name="Amplitude",
        description="Percent of the photo's long side to either side (0 = automatic)",
        min=0,
        max=10,
        soft_max=2,
        precision=2,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    wavelength: FloatProperty(
        name="Wavelength",
        description="Percent of the photo's long side from crest to crest (0 = automatic)",
        min=0,
        max=1000,
        soft_max=100,
        precision=1,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    perspective: EnumProperty(
        name="Perspective",
        description="Distant parts flow slower",
        items=(
            ("AUTO", "Automatic", "Where the depth shows a receding plane"),
            ("ON", "On", "Always, by the plane fitted to its depth"),
            ("OFF", "Off", "Never"),
        ),
        **_FIXED,
    )
    use_time: BoolProperty(
        name="Own Time",
        description="Loop Frame says which frame of the loop this region shows",
        update=_timing_changed,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    time: FloatProperty(
        name="Loop Frame",
        description="Frame of the loop that the region shows, from 0, for animation: where its "
        "curve is flat the region stands still",
        override=_OVERRIDABLE,
    )
    number: IntProperty(
        name="Number", description="In the scene file, from 1; 0 where it is not built yet"
    )
    sent_as: IntProperty(name="Sent As", description="Its number in the newest build")
    direction: FloatProperty(
        name="Direction",
        description="Direction of the first arrow; the others turn with it (0 is right, 90 up)",
        subtype="ANGLE",
        get=_direction,
        set=_turn,
        **_FIXED,
    )

    def arrow_list(self) -> list[Arrow]:
        """Tail x, y and tip x, y of every arrow."""
        return [tuple(arrow) for arrow in json.loads(self.arrows or "[]")]

    def is_empty(self) -> bool:
        """Whether nothing says what belongs to it."""
        drawn = {"OUTLINES": self.outlines, "ARROWS": self.arrows, "PICTURE": self.picture}
        return not drawn.get(self.place, True)

    def set_arrows(self, arrows: list[Arrow]) -> None:
        """Replace the arrows."""
        self.arrows = json.dumps([list(arrow) for arrow in arrows]) if arrows else ""

    def outline_list(self) -> list[Points]:
        """Corners of every outline."""
        return [[tuple(point) for point in one] for one in json.loads(self.outlines or "[]")]

    def set_outlines(self, outlines: list[Points]) -> None:
        """Replace the outlines; the region is then what they enclose."""
        self.outlines = json.dumps([[list(p) for p in one] for one in outlines]) if outlines else ""
        if outlines:
            self.place = "OUTLINES"
        elif self.place == "OUTLINES":
            self.place = "ARROWS"


class CINE3D_PG_stroke(bpy.types.PropertyGroup):
    """A line of the brush, or a pin: a line of one point."""

    label: EnumProperty(
        name="Means", description="What the stroke does", items=(*LABELS, *MENDINGS), **_FIXED
    )
    points: StringProperty(name="Points", override=_OVERRIDABLE)
    width: FloatProperty(
        name="Width",
        description="Width as a share of the photo's long side",
        default=0.02,
        min=0,
        max=1,
    )

    def point_list(self) -> Points:
        """Places that the line goes through."""
        return [tuple(point) for point in json.loads(self.points or "[]")]

    def set_points(self, points: Points) -> None:
        """Replace the line."""
        self.points = json.dumps([list(point) for point in points])


class CINE3D_PG_direct(bpy.types.PropertyGroup):
    """All that directs a photo by hand."""

    regions: CollectionProperty(type=CINE3D_PG_region, override=_INSERTABLE)
    active: IntProperty(name="Active Region", override=_OVERRIDABLE)
    strokes: CollectionProperty(type=CINE3D_PG_stroke, override=_INSERTABLE)
    lines: StringProperty(
        name="Lens Lines", description="Edges and horizon that tell the lens", override=_OVERRIDABLE
    )

    def active_region(self) -> CINE3D_PG_region | None:
        """The region that the panel shows."""
        return self.regions[self.active] if 0 <= self.active < len(self.regions) else None

    def new_region(self, name: str = "") -> CINE3D_PG_region:
        """A region at the end of the list, active, with a colour not yet used."""
        number = len(self.regions)
        region = self.regions.add()
        region.name = name
        region.colour = COLOURS[number % len(COLOURS)]
        self.active = number
        return region

    def base(self) -> CINE3D_PG_region | None:
        """The region that stands for the whole photo."""
        return next((region for region in self.regions if region.is_base), None)

    def clear(self) -> None:
        """Take everything away."""
        self.regions.clear()
        timing.move_keys(self.id_data, {})
        self.strokes.clear()
        self.active = 0


CLASSES = (CINE3D_PG_region, CINE3D_PG_stroke, CINE3D_PG_direct)


def register() -> None:
    """Attach the group to Blender's objects; only photos' roots use it."""
    bpy.types.Object.cine3d_direct = PointerProperty(type=CINE3D_PG_direct, override=_OVERRIDABLE)


def unregister() -> None:
    """Take the group off again."""
    del bpy.types.Object.cine3d_direct
