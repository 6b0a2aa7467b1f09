"""Somebody directs the sample by hand with the tool Cine3D Motion; steps for `drive.py`.

Water flows, a cloud drifts in its own way, the towers rest: with the mouse alone, each step ends
with what must be true afterwards. `actions.txt` lists what the hand did.
"""

import sys
import time

import bpy
import drive
from drive import OUT, click, drag, hand, holding, in_view, part, root, shot, view

MOTION_S = 1200  # until the first motion is there, on a busy machine
WATER, WATER_TIP = (0.30, 0.93), (0.45, 0.93)
TOWER = (0.33, 0.35)
SKY = (0.8, 0.12)
PAINTED, PAINTED_END = (0.55, 0.93), (0.7, 0.95)
WAIT_S = 400  # for Blender to take what the hand did
CLOCKS = time.monotonic, time.process_time
HORIZON = ((0.05, 0.66), (0.95, 0.66))
actions = []


def direct():
    return root().cine3d_direct


def live():
    return part("direct.live")


def at(place):
    """Pixel of the screen over a place of the photo."""
    window, area, region = view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        space = area.spaces.active
        with bpy.context.temp_override(region_data=space.region_3d, space_data=space):
            pixel = part("direct.hand").pixel_of(bpy.context, root(), place)
    return round(region.x + pixel.x), round(window.height - region.y - pixel.y)


def until(condition):
    """A step that waits for what must come true, and fails with a picture when it does not."""

    def step():
        step.end = step.end or time.monotonic() + WAIT_S
        if condition():
            return 1.0
        if time.monotonic() < step.end:
            return None
        shot(f"failed-{condition.__name__}")
        sys.stdout.flush()
        raise AssertionError(f"{condition.__name__}: {drawn()}, {live().state.problem}")

    step.end, step.__name__ = 0.0, condition.__name__
    return step


def drawn():
    regions = [(r.name, r.mode, r.rests, len(r.arrow_list())) for r in direct().regions]
    return regions, [stroke.label for stroke in direct().strokes]


def did(what):
    actions.append(what)
    (OUT / "actions.txt").write_text("".join(f"{n}. {a}\n" for n, a in enumerate(actions, 1)))


def look():
    with in_view():
        bpy.ops.cine3d.look_through()
    return 3.0


def stop_playing():
    if view()[0].screen.is_animation_playing:
        with in_view():
            bpy.ops.screen.animation_cancel(restore_frame=False)
    return 1.0


def take_tool():
    with in_view():
        bpy.ops.wm.tool_set_by_id(name="cine3d.motion")
    did("take the tool Cine3D Motion")
    wait_for_motion.until = time.monotonic() + MOTION_S
    return 1.0


def wait_for_motion():
    """The photo moves as it was built, before anything is drawn."""
    if live().motion_of(root()) is None and time.monotonic() < wait_for_motion.until:
        assert not live().state.problem, live().state.problem
        return None
    assert live().motion_of(root()) is not None, "no motion came"
    return 1.0


def draw_arrow():
    yield from drag(at(WATER), at(WATER_TIP))
    did("drag an arrow along the river")


def the_arrow_is_there():
    if len(direct().regions) != 1 or len(direct().regions[0].arrow_list()) != 1:
        return False
    (arrow,) = direct().regions[0].arrow_list()
    return max(abs(a - b) for a, b in zip(arrow, (*WATER, *WATER_TIP), strict=True)) < 0.02


def quiet():
    """The newest drawing is answered."""
    state = live().state
    if state.clicks or state.job is not None:
        return None
    arguments, arrays = live().message(bpy.context, root())
    newest = root().session_uid, live()._bytes(arguments, arrays)
    return 1.0 if state.asked == newest else None


def see_the_river_move():
    arrays = live().motion_of(root()).arrays
    assert arrays["flow"][..., 2].any(), "nothing flows"
    assert live().owner_at(root(), WATER) == 0
    waited, worked = live().state.waited, live().motion_of(root()).seconds
    times = f"{waited:.2f} s from stroke to motion, {worked:.2f} s in the worker"
    (OUT / "live.txt").write_text(times + "\n")
    print("LIVE", times, flush=True)
    shot("9-arrow")
    part("direct.live_view")._Drawn.frames.clear()
    see_how_fast.start = time.monotonic(), time.process_time()
    return 6.0


def see_how_fast():
    took, busy = (now() - start for now, start in zip(CLOCKS, see_how_fast.start, strict=True))
    each = busy / max(1.0, part("direct.live_view").rate() * took)
    rate = (
        f"{part('direct.live_view').rate():.1f} pictures a second, {each:.3f} s of processor each"
    )
    with (OUT / "live.txt").open("a") as file:
        file.write(rate + "\n")
    print("LIVE", rate, flush=True)
    return 0.2


def click_tower():
    yield from holding("ctrl", click(at(TOWER)))
    did("Ctrl-click on the tower: it rests")


def the_tower_rests():
    found = len(direct().regions) == 2 and direct().regions[1]
    return found and found.rests and bool(found.outline_list())


def choose_sway():
    bpy.context.scene.cine3d_tool.mode = "sway"
    did("choose Sway in the line above the view")
    return 0.5


def click_sky():
    yield from click(at(SKY))
    did("click on the sky: it moves")


def the_sky_sways():
    found = len(direct().regions) == 3 and direct().regions[2]
    return found and found.mode == "sway" and not found.rests and bool(found.outline_list())


def paint_rests():
    yield from holding("ctrl", drag(at(PAINTED), at(PAINTED_END)))
    did("Ctrl-drag: what is painted rests")


def the_paint_is_there():
    return [stroke.label for stroke in direct().strokes] == ["FREEZE"]


def pin():
    hand("mousemove", *at((0.2, 0.97)))
    yield drive.PAUSE_S
    hand("key", "p")
    did("P: a pin")


def the_pin_is_there():
    return len(direct().strokes) == 2


def look_at_it():
    shot("10-directed")
    return 0.5


def key(name):
    hand("key", name)
    yield drive.PAUSE_S


def undo():
    yield from holding("ctrl", key("z"))


def the_pin_is_undone():
    return len(direct().strokes) == 1 and len(direct().regions) == 3


def the_paint_is_undone():
    return len(direct().strokes) == 0 and len(direct().regions) == 3


def redo():
    yield from holding("ctrl", holding("shift", key("z")))


def the_paint_is_back():
    return len(direct().strokes) == 1


def move_handle():
    yield from drag(at(WATER_TIP), at((0.45, 0.88)), moves=20)


def the_handle_is_moved():
    arrows = direct().regions[0].arrow_list()
    return len(arrows) == 1 and abs(arrows[0][3] - 0.88) < 0.02


def freeze():
    scene = bpy.context.scene
    scene.frame_set(5)
    assert bpy.ops.cine3d.retime(speed=0.0) == {"FINISHED"}
    did("Freeze: from frame 5 on the photo stands still")
    scene.frame_set(15)
    return 1.0


def the_photo_is_frozen():
    scene = bpy.context.scene
    view, motion = part("direct.live_view"), live().motion_of(root())
    window, area, region = drive.view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        shown = view.loop_frame(bpy.context, root(), motion)
    assert abs(shown - (5 - root().cine3d.first_frame)) < 1e-4, shown
    assert scene.frame_current == 15
    root().cine3d.use_time = False
    return 0.5


def take_lens():
    with in_view():
        bpy.ops.wm.tool_set_by_id(name="cine3d.lens")
    return 1.0


def draw_horizon():
    yield from holding("ctrl", drag(at(HORIZON[0]), at(HORIZON[1])))
    did("Ctrl-drag with the tool Cine3D Lens: the horizon")


def the_photo_is_level():
    camera = root().cine3d.camera
    return bool(direct().lines) and abs(camera.matrix_world.to_euler().x - 1.5708) > 0.01


def see_all():
    shot("11-panel")
    return 0.5


def see_the_lens():
    shot("12-lens")
    return 0.5


STEPS = [
    drive.install, drive.enable, drive.drop_photo, drive.wait_for_job, look, stop_playing,
    take_tool, wait_for_motion, draw_arrow, until(the_arrow_is_there), quiet, see_the_river_move,
    see_how_fast, click_tower, until(the_tower_rests), choose_sway, click_sky,
    until(the_sky_sways), quiet, paint_rests, until(the_paint_is_there), pin,
    until(the_pin_is_there), look_at_it, undo, until(the_pin_is_undone), undo,
    until(the_paint_is_undone), redo, until(the_paint_is_back), move_handle,
    until(the_handle_is_moved), drive.open_sidebar, drive.show_tab, quiet, see_all,
    freeze, the_photo_is_frozen, take_lens, draw_horizon, until(the_photo_is_level),
    see_the_lens, drive.quit_blender,
]  # fmt: skip
