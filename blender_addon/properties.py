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

from .compat import RELATIVE_PATH

DEPTH_SOURCES = (
    ("SHIPPED", "Shipped Network", "Estimate depth with the network that comes with Cine3D"),
    ("FILE", "Depth Picture", "Take depth from a greyscale picture, near is bright"),
    ("MODEL", "Model", "A depth-estimation model: a folder, or a name on the model hub"),
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


class CINE3D_PG_root(bpy.types.PropertyGroup):
    """A photo's root object: which files it stands for."""

    is_root: BoolProperty(name="Is a Cine3D Photo")
    photo: StringProperty(
        name="Photo",
        description="Picture that the scene was built from",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    scene_file: StringProperty(
        name="Scene File",
        description="The .cine3d file that the Cine3D engine renders",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
    )
    photo_sha256: StringProperty(name="Photo Checksum")
    scene_sha256: StringProperty(name="Scene Checksum")
    models: StringProperty(name="Networks", description="Networks that took part in the build")
    num_frames: IntProperty(name="Loop Length", description="Frames until the picture repeats")
    first_frame: IntProperty(name="First Frame", description="Frame at which the loop begins")
    photo_size: IntVectorProperty(name="Size", description="Width and height in pixels", size=2)
    intrinsics: FloatVectorProperty(
        name="Intrinsics", description="Focal lengths and centre, in pixels", size=4
    )


class CINE3D_PG_scene(bpy.types.PropertyGroup):
    """Choices for the next build in this scene."""

    depth_source: EnumProperty(
        name=LABELS["depth"], description="Where depth comes from", items=DEPTH_SOURCES
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
    )
    fps: FloatProperty(
        name=LABELS["fps"],
        description="Frames per second",
        **_numbers("fps"),
        soft_min=1,
        soft_max=240,
    )
    size: IntProperty(
        name=LABELS["size"],
        description="Long side of the picture in pixels; a smaller photo is not enlarged",
        subtype="PIXEL",
        **_numbers("size"),
        soft_min=64,
        soft_max=8192,
    )
    preset: EnumProperty(
        name=LABELS["preset"], description="How much work to spend", items=_menu("preset")
    )
    mask: PointerProperty(
        name=LABELS["mask"],
        description="Picture in which what moves is painted white; none proposes one",
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
        description="Factor for the speed of all arrows",
        default=1.0,
        min=0.01,
        soft_max=5.0,
    )


class CINE3D_PG_view_layer(bpy.types.PropertyGroup):
    """Passes that only this engine has."""

    use_pass_moving: BoolProperty(
        name="Moving",
        description="Deliver the share of moving surface in every pixel",
        update=lambda self, context: context.view_layer.update_render_passes(),
    )


class CINE3D_PG_points(bpy.types.PropertyGroup):
    """An object of points."""

    cycles: IntProperty(
        name="Cycles", description="How often the points flow within one loop, 0 if they rest"
    )


class CINE3D_PG_arrow(bpy.types.PropertyGroup):
    """A curve object that directs the motion."""

    is_arrow: BoolProperty(name="Directs the Motion")
    speed: FloatProperty(
        name="Speed",
        description="Factor for the speed that the arrow's length says",
        default=1.0,
        min=0.01,
        soft_max=5.0,
    )
    mode: EnumProperty(
        name="Mode",
        description="How the painted part moves that the arrow stands on",
        items=[(kind.name, kind.label, kind.description) for kind in KINDS.values()],
    )
    cycles: IntProperty(
        name="Cycles",
        description="How often the motion starts anew within one loop; 0 chooses",
        default=0,
        min=0,
        soft_max=20,
    )


CLASSES = (
    CINE3D_PG_root,
    CINE3D_PG_scene,
    CINE3D_PG_view_layer,
    CINE3D_PG_points,
    CINE3D_PG_arrow,
)
_POINTERS = (
    (bpy.types.Object, "cine3d", CINE3D_PG_root),
    (bpy.types.Scene, "cine3d", CINE3D_PG_scene),
    (bpy.types.ViewLayer, "cine3d", CINE3D_PG_view_layer),
    (bpy.types.Object, "cine3d_points", CINE3D_PG_points),
    (bpy.types.Object, "cine3d_arrow", CINE3D_PG_arrow),
)


def register() -> None:
    """Attach the groups to Blender's types; the classes are registered already."""
    for owner, name, group in _POINTERS:
        setattr(owner, name, PointerProperty(type=group))


def unregister() -> None:
    """Take the groups off again."""
    for owner, name, _ in reversed(_POINTERS):
        delattr(owner, name)
