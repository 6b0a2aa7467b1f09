"""A mask is painted in the session that imported the photo by the file browser; for `drive.py`."""

from pathlib import Path

import artist
import bpy
import drive


def import_by_file_browser():
    scene = bpy.context.scene
    scene.cine3d.size, scene.cine3d.frames = 320, drive.FRAMES
    with drive.in_view():
        assert bpy.ops.cine3d.import_photo("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    return 3.0


def browser():
    """Window, area and region of the file browser."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "FILE_BROWSER":
                return window, area, next(r for r in area.regions if r.type == "WINDOW")
    raise AssertionError("no file browser opened")


def choose_the_photo():
    window, area, region = browser()
    photo = Path(drive.PLACES["photo"])
    area.spaces.active.params.directory = str(photo.parent).encode()
    area.spaces.active.params.filename = photo.name
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.file.execute("INVOKE_DEFAULT")
    return 3.0


def new_mask():
    with drive.in_view():
        assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
    keys = bpy.context.window_manager.keyconfigs.addon.keymaps.new("3D View", space_type="VIEW_3D")
    keys.keymap_items.new("cine3d.paint_mask", "F7", "PRESS")
    return 1.0


def press_paint():
    """By a key, as by its button: a timer sees an Image Editor that Blender has not set up yet."""
    drive.hand("mousemove", *drive.on_screen(0.5, 0.5))
    drive.hand("key", "F7")
    return 0.5


def see_it_painted():
    mask = drive.root().cine3d.choices.mask
    painted = drive.part("direct.masks").mask_array(mask)
    assert 0 < (painted > 0).mean() < 0.9
    drive.shot("9-first-mask")
    return 0.5


STEPS = [
    drive.install, drive.enable, import_by_file_browser, choose_the_photo, drive.wait_for_job,
    artist.stop_playing, new_mask, press_paint, artist.wait_for_a_brush, artist.paint,
    see_it_painted, drive.quit_blender,
]  # fmt: skip
