"""The pictures of docs/blender-quickstart.md, and a look at what no other session shows.

Steps for `drive.py`; goes on with what the first session has left.
"""

import math

import bpy
import drive
import mathutils
from drive import in_view, on_screen, shot, view

SIZE = 800  # px: fine enough for a picture of a window
LABEL_SHOTS, WHEEL = 4, 8  # screenfuls of the tab; turns of the mouse wheel between them


def new_photo():
    """Another file, and the sample in it; the start-up cube is hidden by the import."""
    bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=False)
    scene = bpy.context.scene
    scene.cine3d.size, scene.cine3d.frames = SIZE, drive.FRAMES
    scene.cine3d.hints_file = drive.PLACES["hints"]
    return 3.0


def drop():
    with in_view():
        done = bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", filepath=drive.PLACES["photo"])
    assert done == {"FINISHED"}, done
    return 1.5


def stop():
    if view()[0].screen.is_animation_playing:
        with in_view():
            bpy.ops.screen.animation_cancel(restore_frame=False)
    bpy.context.scene.frame_set(6)
    drive.hand("mousemove", *on_screen(0.1, 0.9))
    return 20.0  # until the frame has come


def show_camera():
    drive.show_tab()
    shot("doc-camera")
    return 0.5


def preview():
    assert bpy.ops.object.select_all(action="DESELECT") == {"FINISHED"}
    with in_view():
        assert bpy.ops.cine3d.preview_motion("INVOKE_DEFAULT") == {"FINISHED"}
    return 0.5


def show_motion():
    shot("doc-motion")
    with in_view():
        assert bpy.ops.cine3d.hide_motion() == {"FINISHED"}
    return 0.5


def look_from(turn_deg, tilt_deg, away):
    """Turn the view round what lies before the photo's camera."""
    space = view()[1].spaces.active.region_3d
    space.view_perspective = "PERSP"
    tilt = mathutils.Euler((math.radians(90 - tilt_deg), 0, math.radians(turn_deg)))
    space.view_rotation = tilt.to_quaternion()
    space.view_location, space.view_distance = (0.0, 2.2, 0.0), away


def orbit_points():
    view()[1].spaces.active.shading.type = "MATERIAL"
    look_from(-35, 15, 5.0)
    return 30.0  # materials are compiled when they are first seen


def show_orbit():
    shot("doc-orbit")
    view()[1].spaces.active.shading.type = "RENDERED"
    look_from(-10, 4, 3.2)
    return 20.0


def show_rendered():
    shot("doc-rendered")
    return 0.5


def close_preferences():
    window = bpy.context.window_manager.windows[-1]
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
    return 1.0


def open_panels():
    """In a view whose sidebar was never open they begin as they are registered now."""
    classes = [
        cls
        for cls in bpy.types.Panel.__subclasses__()
        if cls.__name__.startswith("CINE3D_PT") and cls.bl_space_type == "VIEW_3D"
    ]
    classes.sort(key=lambda cls: hasattr(cls, "bl_parent_id"))  # parents first
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
    for cls in classes:
        cls.bl_options = set(getattr(cls, "bl_options", ())) - {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)
    view()[0].workspace = bpy.data.workspaces["Modeling"]
    return 3.0


def select_an_arrow():
    with in_view():
        assert bpy.ops.cine3d.add_arrow() == {"FINISHED"}
    return 2.0


def read_labels():
    """The whole tab at the width that the sidebar opens with, a screenful at a time."""
    sidebar = next(region for region in view()[1].regions if region.type == "UI")
    middle = sidebar.x + sidebar.width // 2, view()[0].height - sidebar.y - sidebar.height // 2
    drive.hand("mousemove", *middle)
    for number in range(1, LABEL_SHOTS + 1):
        yield 3.0
        shot(f"labels-{number}")
        for _ in range(WHEEL):
            drive.hand("click", 5)


def show_preferences():
    with in_view():
        assert bpy.ops.cine3d.show_preferences() == {"FINISHED"}
    return 4.0


def list_networks():
    window = bpy.context.window_manager.windows[-1]
    with bpy.context.temp_override(window=window, area=window.screen.areas[0]):
        assert bpy.ops.cine3d.models_list("INVOKE_DEFAULT") == {"FINISHED"}
    return 0.5


def show_networks():
    shot("9-networks")
    return 0.5


STEPS = [
    new_photo, drop, drive.wait_for_job, stop, drive.open_sidebar,
    show_camera, preview,
    drive.wait_for_job, show_motion, orbit_points, show_orbit, show_rendered, show_preferences,
    list_networks, drive.wait_for_job, show_networks, close_preferences, open_panels,
    drive.open_sidebar, drive.show_tab, select_an_arrow, read_labels, drive.quit_blender,
]  # fmt: skip
