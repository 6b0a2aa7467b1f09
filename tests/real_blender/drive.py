"""Drives a Blender with a window, one step per tick of its timer; run by `__main__.py`.

`blender -P drive.py`, with the session and its places in the environment variable CINE3D_DRIVE.
Every step is what a person would do: operators of the interface, then waiting and looking.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy

ADDON = "bl_ext.user_default.cine3d"
PLACES = json.loads(os.environ["CINE3D_DRIVE"])
OUT = Path(PLACES["out"])
BLEND = OUT / "sample.blend"
PLAYED_FRAMES = 12
PLAY_S = 600  # at most, on a busy machine without a graphics card
COLOURS_S = 30  # to draw materials for the first time, without a graphics card


def shot(name):
    """A picture of the whole screen; Blender's own operator gives a black one without a GPU."""
    subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=True)


def view():
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return window, area, region


def in_view():
    window, area, region = view()
    return bpy.context.temp_override(window=window, area=area, region=region)


def jobs():
    return sys.modules[f"{ADDON}.jobs"]


def install():
    assert Path(PLACES["zip"]).is_file(), PLACES["zip"]
    done = bpy.ops.extensions.package_install_files(
        filepath=PLACES["zip"], repo="user_default", enable_on_install=True
    )
    assert done == {"FINISHED"}, done
    enable.until = time.monotonic() + 60
    return 1.0


def enable():
    """The operator enables in its own time; else the box is ticked, as a person would."""
    if ADDON not in bpy.context.preferences.addons:
        if time.monotonic() < enable.until:
            return None
        assert bpy.ops.preferences.addon_enable(module=ADDON) == {"FINISHED"}
    preferences = bpy.context.preferences.addons[ADDON].preferences
    preferences.python_path = PLACES["python"]
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    view()[1].spaces.active.show_region_ui = True
    return 1.0


def show_tab():
    sidebar = next(region for region in view()[1].regions if region.type == "UI")
    sidebar.active_panel_category = "Cine3D"
    bpy.ops.wm.save_userpref()
    return 1.0


def import_photo():
    scene = bpy.context.scene
    scene.cine3d.size, scene.cine3d.frames = 320, 24
    scene.cine3d.hints_file = PLACES["hints"]
    with in_view():
        assert bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", filepath=PLACES["photo"]) == {
            "RUNNING_MODAL"
        }
    return 1.5


def let_it_begin():
    """The sidebar shows the progress once the worker has told some."""
    return 2.0 if jobs().current.fraction > 0.02 or not jobs().running() else None


def look_at_progress():
    shot("1-progress")
    return 0.2


def wait_for_job():
    if jobs().running():
        return None  # this step again
    assert jobs().current.error is None, jobs().current.error
    return 1.0


def look_through_camera():
    assert bpy.context.scene.render.engine == "CINE3D" and bpy.context.scene.camera
    space = view()[1].spaces.active
    space.region_3d.view_perspective = "CAMERA"
    space.shading.type = "MATERIAL"
    return 6.0


def play():
    shot("2-imported")
    play.first = bpy.context.scene.frame_current
    play.seen = {play.first}
    play.until = time.monotonic() + PLAY_S
    with in_view():
        bpy.ops.screen.animation_play()
    return 0.05


def watch_playing():
    play.seen.add(bpy.context.scene.frame_current)
    if len(play.seen) < PLAYED_FRAMES and time.monotonic() < play.until:
        return None
    shot("3-playing")
    with in_view():
        bpy.ops.screen.animation_cancel()
    assert len(play.seen) >= PLAYED_FRAMES, sorted(play.seen)
    return 0.5


def render():
    scene = bpy.context.scene
    scene.frame_set(7)
    scene.render.filepath = str(OUT / f"{PLACES['session']}-frame.png")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return 1.0


def save():
    assert bpy.ops.wm.save_as_mainfile(filepath=str(BLEND)) == {"FINISHED"}
    return 0.5


def reopen():
    assert ADDON in bpy.context.preferences.addons, "the add-on was not remembered"
    bpy.ops.wm.open_mainfile(filepath=str(BLEND))
    look_at_colours.until = time.monotonic() + COLOURS_S
    return 3.0


def look_at_colours():
    """Materials are compiled when they are first seen; a view without them shows white points."""
    view()[1].tag_redraw()
    return None if time.monotonic() < look_at_colours.until else 2.0


def look_at_reopened():
    roots = [obj for obj in bpy.context.scene.objects if obj.cine3d.is_root]
    assert len(roots) == 1 and bpy.context.scene.render.engine == "CINE3D"
    shot("4-reopened")
    return 0.5


def copy_system_info():
    assert bpy.ops.cine3d.copy_system_info() == {"FINISHED"}
    (OUT / "system-info.txt").write_text(bpy.context.window_manager.clipboard)
    return 0.2


def quit_blender():
    print("DRIVEN", PLACES["session"], flush=True)
    bpy.ops.wm.quit_blender()
    return 60.0


SESSIONS = {
    "first": [
        install, enable, show_tab, import_photo, let_it_begin, look_at_progress, wait_for_job,
        look_through_camera, play, watch_playing, render, save, quit_blender,
    ],
    "second": [reopen, look_at_colours, look_at_reopened, render, copy_system_info, quit_blender],
}  # fmt: skip
steps = iter(SESSIONS[PLACES["session"]])
current = next(steps)


def tick():
    """Do the current step; a step that gives None is done again."""
    global current
    try:
        pause = current()
        if pause is None:
            return 0.05
        print("DID", current.__name__, flush=True)
        current = next(steps, None)
        return pause if current else None  # None ends the timer
    except Exception:  # a window that waits for ever would tell nobody
        traceback.print_exc()
        os._exit(3)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=2.0, persistent=True)
