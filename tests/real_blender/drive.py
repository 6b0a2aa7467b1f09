"""Drives a Blender with a window, one step per tick of its timer; run by `__main__.py`.

`blender -P drive.py`, with the session and its places in the environment variable CINE3D_DRIVE.
Every step is what a person would do: operators of the interface, keys and the mouse, then waiting
and looking. What an artist does beyond the first minute is in `artist.py`.
"""

import inspect
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
FRAMES = 24
PLAY_S = 900  # at most, on a busy machine without a graphics card
COLOURS_S = 30  # to draw materials for the first time, without a graphics card
PAUSE_S = 0.5  # between two events of the mouse
WATCH_S = 10.0  # of playing from memory


def shot(name):
    """A picture of the whole screen; Blender's own operator gives a black one without a GPU."""
    subprocess.run(["import", "-window", "root", str(OUT / f"{name}.png")], check=True)


def hand(*words):
    """Keys and the mouse of the person in front of the screen.

    Blender stands still meanwhile. When it looks again it takes a key that is up by then for one
    that was let go of before the click; so a key is held over ticks, see `holding`.
    """
    subprocess.run(["xdotool", *map(str, words)], check=True)


def holding(key, act):
    """Do something with a key held down; an empty name holds none."""
    if key:
        hand("keydown", key)
        yield PAUSE_S
    yield from act
    if key:
        yield PAUSE_S
        hand("keyup", key)
        yield PAUSE_S


def click(pixel):
    """Press and let go of the button over a pixel."""
    hand("mousemove", *pixel)
    yield PAUSE_S
    hand("click", 1)
    yield PAUSE_S


def drag(start, end, moves=10):
    """Hold the button from one pixel to another: a tick each, so that Blender sees every event."""
    hand("mousemove", *start)
    yield PAUSE_S
    hand("mousedown", 1)
    yield PAUSE_S
    for move in range(1, moves + 1):
        hand(
            "mousemove",
            *(round(a + (b - a) * move / moves) for a, b in zip(start, end, strict=True)),
        )
        yield PAUSE_S
    hand("mouseup", 1)
    yield PAUSE_S


def view():
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return window, area, region


def in_view():
    window, area, region = view()
    return bpy.context.temp_override(window=window, area=area, region=region)


def on_screen(x, y):
    """Pixel of the screen, counted from the top, of a share of the 3D view."""
    window, _, region = view()
    across = region.x + x * region.width
    return round(across), round(window.height - region.y - (1 - y) * region.height)


def part(name):
    """A module of the installed add-on."""
    return sys.modules[f"{ADDON}.{name}"]


def root():
    return next(obj for obj in bpy.context.scene.objects if obj.cine3d.is_root)


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
    bpy.ops.wm.save_userpref()
    return 1.0


def drop_photo():
    """As a drop does it: nothing is asked in a new scene, the start-up cube is still there."""
    scene = bpy.context.scene
    assert "Cube" in scene.objects
    scene.cine3d.size, scene.cine3d.frames = 320, FRAMES
    scene.cine3d.hints_file = PLACES["hints"]
    with in_view():
        done = bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", filepath=PLACES["photo"])
    assert done == {"FINISHED"}, done
    return 1.5


def let_it_begin():
    """The header shows the progress once the worker has told some."""
    jobs = part("worker.jobs")
    return 2.0 if jobs.current.fraction > 0.02 or not jobs.running() else None


def look_at_progress():
    shot("1-progress")
    return 0.2


def wait_for_job():
    if part("worker.jobs").running():
        return None  # this step again
    assert part("worker.jobs").current.error is None, part("worker.jobs").current.error
    return 1.0


def look_at_first_minute():
    """Through the photo's camera, in colour, playing, and the cube is out of the way."""
    window, area, _ = view()
    space, scene = area.spaces.active, bpy.context.scene
    assert scene.render.engine == "CINE3D" and scene.camera == root().cine3d.camera
    assert space.region_3d.view_perspective == "CAMERA" and space.shading.type == "RENDERED"
    assert window.screen.is_animation_playing
    assert not scene.objects["Cube"].visible_get() and scene.objects["Cube"].hide_render
    watch_playing.until = time.monotonic() + PLAY_S
    return 0.5


def watch_playing():
    """All frames of the loop are drawn once ..."""
    frames = part("render.viewport").store._frames
    if len({frame for _, frame in frames}) < FRAMES and time.monotonic() < watch_playing.until:
        return None
    assert len({frame for _, frame in frames}) == FRAMES, sorted(frames)
    shot("2-first-minute")
    bpy.app.handlers.frame_change_post.append(count_frames)
    count_frames.seen = []
    count_frames.start = time.monotonic(), time.process_time()
    return WATCH_S


def count_frames(scene, *_args):
    count_frames.seen.append(scene.frame_current)


def look_at_speed():
    """... and then played from memory."""
    bpy.app.handlers.frame_change_post.remove(count_frames)
    took, busy = time.monotonic() - count_frames.start[0], time.process_time()
    count, busy = len(count_frames.seen), busy - count_frames.start[1]
    text = f"{count} frames in {took:.1f} s, {busy / max(1, count):.2f} s of processor time each"
    (OUT / "rate.txt").write_text(text + "\n")
    print("RATE", text, flush=True)
    shot("3-playing")
    with in_view():
        bpy.ops.screen.animation_cancel()
    assert count and busy / count < 2, text  # the whole window by a processor alone
    return 0.5


def open_sidebar():
    view()[1].spaces.active.show_region_ui = True
    return 1.0


def show_tab():
    sidebar = next(region for region in view()[1].regions if region.type == "UI")
    sidebar.active_panel_category = "Cine3D"
    return 1.0


def render():
    scene = bpy.context.scene
    scene.frame_set(7)
    scene.render.filepath = str(OUT / f"{PLACES['session']}-frame.png")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return 1.0


def save():
    assert bpy.ops.wm.save_as_mainfile(filepath=str(BLEND)) == {"FINISHED"}
    assert root().cine3d.scene_file.startswith("//cine3d/"), root().cine3d.scene_file
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
    assert view()[1].spaces.active.shading.type == "RENDERED"
    shot("4-reopened")
    return 0.5


def look_at_exports():
    """Fault 29: Debian's Blender has no Alembic; the menu must not offer it."""
    can = bpy.app.build_options.alembic
    with in_view():
        assert bpy.ops.cine3d.export_alembic.poll() == can
        assert bpy.ops.cine3d.export_usd.poll() == bpy.app.build_options.usd
    print("ALEMBIC", can, flush=True)
    return 0.2


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
        install, enable, drop_photo, let_it_begin, look_at_progress, wait_for_job,
        look_at_first_minute, watch_playing, look_at_speed, open_sidebar, show_tab, render, save,
        quit_blender,
    ],
    "second": [
        reopen, look_at_colours, look_at_reopened, render, look_at_exports, copy_system_info,
        quit_blender,
    ],
}  # fmt: skip


def run(steps):
    """Do the steps, one a tick; one that gives None is done again, a generator tick by tick."""
    left = iter(steps)
    current, at_work = next(left), None

    def tick():
        nonlocal current, at_work
        try:
            pause = current() if at_work is None else next(at_work, PAUSE_S)
            if at_work is None and inspect.isgenerator(pause):
                at_work = pause
                return 0.05
            if at_work is not None and inspect.getgeneratorstate(at_work) != inspect.GEN_CLOSED:
                return pause
            at_work = None
            if pause is None:
                return 0.05
            print("DID", current.__name__, flush=True)
            current = next(left, None)
            return pause if current else None  # None ends the timer
        except Exception:  # a window that waits for ever would tell nobody
            traceback.print_exc()
            shot(f"failed-{PLACES['session']}")
            os._exit(3)

    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)


if __name__ == "__main__":
    sys.modules["drive"] = sys.modules[__name__]
    sys.path.insert(0, str(Path(__file__).parent))
    if PLACES["session"] == "artist":
        import artist

        SESSIONS["artist"] = artist.STEPS
    if PLACES["session"] == "pictures":
        import pictures

        SESSIONS["pictures"] = pictures.STEPS
    if PLACES["session"] == "hand":
        import hand as by_hand

        SESSIONS["hand"] = by_hand.STEPS
    if PLACES["session"] == "mask":
        import mask

        SESSIONS["mask"] = mask.STEPS
    if PLACES["session"] == "photographs":
        import photographs

        SESSIONS["photographs"] = photographs.STEPS
    run(SESSIONS[PLACES["session"]])
