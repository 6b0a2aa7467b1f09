"""What the add-on stores in a .blend: the photo's root, and the choices for the next build."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from cine3d_core.motion_kinds import KINDS
from cine3d_core.settings import CHOICES, DEFAULTS, LABELS

from ..compat import RELATIVE_PATH

DEPTH_SOURCES = (
    ("SHIPPED", "Bundled Network", "Estimate depth with the network that comes with Cine3D"),
    ("FILE", "Depth Picture", "Take depth from a greyscale picture, near is bright"),
    ("MODEL", "Model", "A depth-estimation model: a folder, or a name on the model hub"),
)
POINTS = (
    ("PREVIEW", "Light", "As many points as a 640-pixel view shows: small files, fast playback"),
    ("FULL", "All", "One point for every pixel and hidden surface, for Cycles, EEVEE and exports"),
)


def _numbers(name: str) -> dict[str, float]:
    """Default and range of a build setting, as the core has them."""
    choice = CHOICES[name]
    whole = isinstance(DEFAULTS[name], int)
    low, high = (int(choice.low), int(choice.high)) if whole else (choice.low, choice.high)
    return {"default": DEFAULTS[name], "min": low, "max": high}


def _menu(name: str) -> list[tuple[str, str, str]]:
    """The values of a build setting, as a menu lists them."""
    return [(option.name, option.label, option.description) for option in CHOICES[name].options]


PANORAMA = (
    ("NONE", "None", "The photo is not a panorama"),
    ("VIEW", "View of It", "Cut out what an ordinary lens would see in one direction"),
    ("FLAT", "As It Is", "Use the whole picture, as if an ordinary lens had taken it"),
)
_FIXED = {"options": set()}  # what is not animated gets no dot that would key it
_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def _only_one_reads_annotations(choices: CINE3D_PG_choices, context: bpy.types.Context) -> None:
    """A file has one set of annotations; two photos must not share it."""
    if choices.use_annotations:
        for obj in context.scene.objects:
            if obj.cine3d.is_root and obj.cine3d.choices != choices:
                obj.cine3d.choices.use_annotations = False


class CINE3D_PG_choices(bpy.types.PropertyGroup):
    """Choices of a build: a photo's own, and the scene's for the next photo."""

    depth_source: EnumProperty(
        name=LABELS["depth"],
        description="Source of the depth",
        items=DEPTH_SOURCES,
        **_FIXED,
    )
    depth_path: StringProperty(
        name="Depth Picture",
        description="Greyscale picture of the photo's shape, or a model's folder or name",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    frames: IntProperty(
        name=LABELS["frames"],
        description="Frames until the picture repeats",
        **_numbers("frames"),
        soft_max=250,
        **_FIXED,
    )
    fps: FloatProperty(
        name=LABELS["fps"],
        description="Frames per second",
        **_numbers("fps"),
        soft_min=1,
        soft_max=240,
        **_FIXED,
    )
    size: IntProperty(
        name=LABELS["size"],
        description="Long side of the picture in pixels; a smaller photo is not enlarged",
        subtype="PIXEL",
        **_numbers("size"),
        soft_min=64,
        soft_max=8192,
        **_FIXED,
    )
    preset: EnumProperty(
        name=LABELS["preset"],
        description="Quality of the build",
        items=_menu("preset"),
        **_FIXED,
    )
    fov: FloatProperty(
        name=LABELS["fov"],
        description="Field of view along the photo's long side. 0 takes it from the file's EXIF "
        "data, or from the photo's vanishing lines",
        default=0,
        min=0,
        max=CHOICES["fov"].high,
        precision=1,
        **_FIXED,
    )
    panorama: EnumProperty(
        name="Panorama",
        description="How to use a panorama of all directions, which no single lens can show",
        items=PANORAMA,
        **_FIXED,
    )
    view_yaw: FloatProperty(
        name="To the Right",
        description="Degrees from the panorama's middle to the middle of the view",
        default=0.0,
        min=-360,
        max=360,
        precision=1,
        **_FIXED,
    )
    view_pitch: FloatProperty(
        name="Upward",
        description="Degrees from the horizon to the middle of the view",
        default=0.0,
        min=-90,
        max=90,
        precision=1,
        **_FIXED,
    )
    view_across: FloatProperty(
        name="Across",
        description="Width of the view in degrees",
        default=75.0,
        min=20,
        max=120,
        precision=1,
        **_FIXED,
    )
    points: EnumProperty(
        name="Points",
        description="How many points the 3D view gets; the Cine3D engine always draws all",
        items=POINTS,
        **_FIXED,
    )
    mask: PointerProperty(
        name=LABELS["mask"],
        description="Image with the moving areas painted white. "
        "Leave empty to detect them automatically",
        type=bpy.types.Image,
    )
    hints_file: StringProperty(
        name=LABELS["hints"],
        description="JSON file with arrows, outlines and regions, Cine3D's or labelme's; "
        "arrows and a mask in this scene come first",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    speed: FloatProperty(
        name="Speed",
        description="Multiplies the speed of all arrows of this photo",
        default=1.0,
        min=0.01,
        soft_max=5.0,
        **_FIXED,
    )
    use_annotations: BoolProperty(
        name="Annotations",
        description="Annotation strokes in the 3D view direct this photo, as arrows do",
        default=True,
        update=_only_one_reads_annotations,
        **_FIXED,
    )

    @property
    def chosen(self) -> CINE3D_PG_choices:
        """The choices that the panel shows: the active photo's, else the scene's; for presets."""
        from . import photo_scene  # which needs this module

        root = photo_scene.active_root(bpy.context)
        return self if root is None else root.cine3d.choices


def _timing_changed(settings: CINE3D_PG_root, _context: bpy.types.Context) -> None:
    from . import timing  # which needs this module

    timing.pass_on(settings.id_data)


class CINE3D_PG_root(bpy.types.PropertyGroup):
    """A photo's root object: which files and objects it stands for."""

    is_root: BoolProperty(name="Is a Cine3D Photo")
    shown_rendered: BoolProperty(name="Was Shown in Rendered Shading")
    layout: IntProperty(name="Layout", description="State of these properties")
    photo: StringProperty(
        name="Photo",
        description="Picture that the scene was built from",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
        override=_OVERRIDABLE,
    )
    scene_file: StringProperty(
        name="Scene File",
        description="The .cine3d file that the Cine3D engine renders",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
        override=_OVERRIDABLE,
    )
    home: StringProperty(
        name="Home", description="Folder that relative paths were relative to when they were set"
    )
    photo_sha256: StringProperty(name="Photo Checksum")
    scene_sha256: StringProperty(name="Scene Checksum", override=_OVERRIDABLE)
    models: StringProperty(name="Networks", description="Networks used in the build")
    num_frames: IntProperty(name="Loop Length", description="Frames until the picture repeats")
    first_frame: IntProperty(
        name="First Frame",
        description="Frame at which the loop begins",
        update=_timing_changed,
        override=_OVERRIDABLE,
    )
    use_time: BoolProperty(
        name="Own Time",
        description="Show the frame of the loop that Loop Frame gives, instead of the timeline",
        update=_timing_changed,
        override=_OVERRIDABLE,
        **_FIXED,
    )
    time: FloatProperty(
        name="Loop Frame",
        description="Frame of the loop that is shown, from 0, for animation: where its curve is "
        "flat the photo stands still, where it is half as steep it moves half as fast",
        override=_OVERRIDABLE,
    )
    photo_size: IntVectorProperty(name="Size", description="Width and height in pixels", size=2)
    intrinsics: FloatVectorProperty(
        name="Intrinsics", description="Focal lengths and centre, in pixels", size=4
    )
    framing: FloatVectorProperty(
        name="Framing",
        description="What camera moves have to know: disparity of the nearest and of the farthest "
        "surface, and the share of a full move that uncovers no more than it should",
        size=3,
        default=(1.0, 0.0, 1.0),
    )
    num_points: IntProperty(name="Points", description="Points of the 3D view as they were built")
    camera: PointerProperty(
        name="Camera", description="The camera that took the photo", type=bpy.types.Object
    )
    picture: PointerProperty(
        name="Picture", description="The photo inside this file", type=bpy.types.Image
    )
    motion: PointerProperty(
        name="Motion", description="Picture of the motion over the photo", type=bpy.types.Image
    )
    volume: PointerProperty(
        name="Safe Volume", description="How far the camera may go", type=bpy.types.Object
    )
    show_directions: BoolProperty(
        name="Show Arrows and Mask",
        description="Draw arrows and mask over the photo in every kind of shading, "
        "as seen through its camera",
        default=True,
        **_FIXED,
    )
    choices: PointerProperty(name="Choices", type=CINE3D_PG_choices)


class CINE3D_PG_view_layer(bpy.types.PropertyGroup):
    """Passes that only this engine has."""

    use_pass_moving: BoolProperty(
        name="Moving",
        description="Share of moving surface in every pixel",
        update=lambda self, context: context.view_layer.update_render_passes(),
    )


class CINE3D_PG_points(bpy.types.PropertyGroup):
    """An object of points, or the photo's camera."""

    cycles: IntProperty(
        name="Cycles", description="How many times the points flow per loop, 0 for static points"
    )
    region: IntProperty(
        name="Region", description="Number of the region that moves the points, 0 for none"
    )
    photo_sha256: StringProperty(
        name="Photo Checksum", description="Checksum of the photo that this belongs to"
    )


class CINE3D_PG_move(bpy.types.PropertyGroup):
    """What a camera was before it was given a move."""

    is_moved: BoolProperty(name="Moved", description="Has keys of a camera move")
    basis: FloatVectorProperty(name="Pose", size=16, subtype="MATRIX")
    lens: FloatProperty(name="Lens")
    shift: FloatVectorProperty(name="Shift", size=2)
    first: FloatProperty(name="First Key")
    last: FloatProperty(name="Last Key")


class CINE3D_PG_arrow(bpy.types.PropertyGroup):
    """A curve object that directs the motion."""

    is_arrow: BoolProperty(name="Directs the Motion")
    speed: FloatProperty(
        name="Speed",
        description="Multiplies the speed given by the arrow's length",
        default=1.0,
        min=0.01,
        soft_max=5.0,
    )
    mode: EnumProperty(
        name="Mode",
        description="How the masked area under this arrow moves",
        items=[(kind.name, kind.label, kind.description) for kind in KINDS.values()],
    )
    cycles: IntProperty(
        name="Cycles",
        description="How many times the motion repeats per loop (0 = automatic)",
        default=0,
        min=0,
        soft_max=20,
        **_FIXED,
    )


CLASSES = (
    CINE3D_PG_choices,
    CINE3D_PG_root,
    CINE3D_PG_view_layer,
    CINE3D_PG_points,
    CINE3D_PG_move,
    CINE3D_PG_arrow,
)
_POINTERS = (
    (bpy.types.Object, "cine3d", CINE3D_PG_root),
    (bpy.types.Scene, "cine3d", CINE3D_PG_choices),
    (bpy.types.ViewLayer, "cine3d", CINE3D_PG_view_layer),
    (bpy.types.Object, "cine3d_points", CINE3D_PG_points),
    (bpy.types.Object, "cine3d_move", CINE3D_PG_move),
    (bpy.types.Object, "cine3d_arrow", CINE3D_PG_arrow),
)


def register() -> None:
    """Attach the groups to Blender's types; the classes are registered already."""
    for owner, name, group in _POINTERS:
        setattr(owner, name, PointerProperty(type=group, override=_OVERRIDABLE))


def unregister() -> None:
    """Take the groups off again."""
    for owner, name, _ in reversed(_POINTERS):
        delattr(owner, name)
