"""What an artist does after the first minute, with keys and mouse; steps for `drive.py`.

Every step ends with what must be true afterwards. The numbers are those of the faults that an
artist's test found: repeating (1), annotations (2), progress and Esc (5), masks (10, 23, 24), undo
of a build (13), a drop on a scene in production (17), a window that is closed (32).
"""

import shutil
import time

import bpy
import drive
from drive import BLEND, OUT, drag, hand, in_view, on_screen, part, root, shot, view

WAIT_S = 300
OTHER = OUT / "other"


def jobs():
    return part("worker.jobs")


def open_file():
    bpy.ops.wm.open_mainfile(filepath=str(BLEND))
    return 3.0


def open_sidebar():  # not at once: Blender 4.3 crashes before it has drawn the new file
    view()[1].spaces.active.show_region_ui = True
    return 2.0


def look():
    drive.show_tab()
    with in_view():
        assert bpy.ops.cine3d.look_through() == {"FINISHED"}
    return 3.0


def stop_playing():
    if view()[0].screen.is_animation_playing:
        with in_view():
            bpy.ops.screen.animation_cancel(restore_frame=False)
    hand("mousemove", *on_screen(0.5, 0.5))
    return 1.0


def build_again():
    with in_view():
        assert bpy.ops.cine3d.rebuild("INVOKE_DEFAULT") == {"FINISHED"}
    return 0.5


def let_it_begin():
    return 0.5 if jobs().current.fraction > 0.02 or not jobs().running() else None


def press_escape():
    hand("key", "Escape")
    press_escape.until = time.monotonic() + 30
    return 0.5


def see_it_cancelled():
    """Fault 5: Esc ends the job, wherever the mouse is in the window."""
    if jobs().running() and time.monotonic() < press_escape.until:
        return None
    assert not jobs().running()
    assert type(jobs().current.error).__name__ == "JobCancelled", jobs().current.error
    return 1.0


def choose_another_length():
    root().cine3d.choices.frames = 16
    bpy.ops.ed.undo_push(message="Choose")
    return 0.5


def wait():
    if jobs().running():
        return None
    assert jobs().current.error is None, jobs().current.error
    return 2.0


def repeat_with_shift_r():
    """Fault 1: twice the segmentation fault of the test."""
    assert root().cine3d.num_frames == 16
    hand("key", "shift+r")
    return 3.0


def adjust_last_operation():
    hand("key", "F9")
    return 2.0


def see_that_it_lives():
    shot("5-after-repeating")
    hand("key", "Escape")
    assert len([obj for obj in bpy.context.scene.objects if obj.cine3d.is_root]) == 1
    return 1.0


def undo():
    hand("key", "ctrl+z")
    return 3.0


def see_it_undone():
    """Fault 13: points and scene file are those of before, together."""
    assert root().cine3d.num_frames == drive.FRAMES, root().cine3d.num_frames
    assert root().cine3d.scene_sha256[:8] in part("scene.scene_files").scene_file(root()).name
    hand("key", "ctrl+shift+z")
    return 3.0


def see_it_redone():
    assert root().cine3d.num_frames == 16
    assert root().cine3d.scene_sha256[:8] in part("scene.scene_files").scene_file(root()).name
    return 0.5


def draw_annotation():
    """Fault 2: while the 3D cursor is where the camera is."""
    bpy.context.scene.cursor.location = (0, 0, 0)
    with in_view():
        bpy.ops.wm.tool_set_by_id(name="builtin.annotate")
    yield from drag(on_screen(0.3, 0.8), on_screen(0.6, 0.8))


def preview_motion():
    strokes = part("compat").annotation_strokes(bpy.context.scene)
    assert len(strokes) == 1, "nothing was drawn"
    with in_view():
        assert bpy.ops.cine3d.preview_motion("INVOKE_DEFAULT") == {"FINISHED"}
    return 0.5


def see_the_annotation_followed():
    hints = part("direct.motion_drawing").hints(bpy.context, root())
    assert hints and all(0 <= value <= 1 for hint in hints for value in hint), hints
    assert all(tip > tail for tail, _, tip, _ in hints), hints
    heights = [hint[1] for hint in hints]
    assert max(heights) - min(heights) < 0.02, hints  # a level stroke stays level
    shot("6-annotation-and-preview")
    with in_view():
        bpy.ops.cine3d.hide_motion()
        bpy.ops.wm.tool_set_by_id(name="builtin.select_box")
    return 0.5


def new_mask():
    with in_view():
        assert bpy.ops.cine3d.new_mask() == {"FINISHED"}
        assert bpy.ops.cine3d.paint_mask() == {"FINISHED"}
    return 3.0


def wait_for_a_brush():
    """From 4.3 on brushes are assets; an Image Editor had none, and painting did nothing."""
    return None if bpy.context.scene.tool_settings.image_paint.brush is None else 0.5


def editor():
    window = view()[0]
    area = next(area for area in window.screen.areas if area.type == "IMAGE_EDITOR")
    return area, next(region for region in area.regions if region.type == "WINDOW")


def paint():
    """Faults 23 and 24: white paint tints, and the photo stays in sight."""
    area, region = editor()
    window = view()[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.image.view_all(fit_view=True)
    middle = region.y + region.height // 2
    y = window.height - middle
    x = region.x + region.width // 3
    yield from drag((x, y), (x + 120, y))


def see_the_paint():
    mask = root().cine3d.choices.mask
    painted = part("direct.masks").mask_array(mask)
    assert 0 < (painted > 0).mean() < 0.9
    shot("7-mask")
    see_the_paint.share = float((painted > 0).mean())
    return 0.5


def save_as_elsewhere():
    """Faults 8 and 10."""
    shutil.rmtree(OTHER, ignore_errors=True)
    OTHER.mkdir()
    assert bpy.ops.wm.save_as_mainfile(filepath=str(OTHER / "v2.blend")) == {"FINISHED"}
    bpy.ops.wm.open_mainfile(filepath=str(OTHER / "v2.blend"))
    return 3.0


def see_that_nothing_is_lost():
    assert part("scene.scene_files").scene_file(root()).is_file()
    assert part("scene.scene_files").photo_file(root()).is_file()
    painted = part("direct.masks").mask_array(root().cine3d.choices.mask)
    assert float((painted > 0).mean()) == see_the_paint.share
    bpy.context.scene.render.filepath = str(OUT / "elsewhere.png")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return 0.5


def build_from_a_second_window():
    """Fault 32."""
    root().cine3d.choices.frames = 12
    bpy.ops.wm.window_new()
    second = bpy.context.window_manager.windows[-1]
    with bpy.context.temp_override(window=second):
        assert bpy.ops.cine3d.rebuild("INVOKE_DEFAULT") == {"FINISHED"}
    return 2.0


def close_that_window():
    second = bpy.context.window_manager.windows[-1]
    with bpy.context.temp_override(window=second):
        bpy.ops.wm.window_close()
    assert len(bpy.context.window_manager.windows) == 1
    return 0.5


def see_its_result():
    assert root().cine3d.num_frames == 12, root().cine3d.num_frames
    return 0.5


def drop_on_a_scene_in_production():
    """Fault 17: it asks, and what it would change is unticked."""
    scene = bpy.context.scene
    drop_on_a_scene_in_production.before = (scene.frame_end, scene.camera)
    hand("mousemove", *on_screen(0.3, 0.4))
    with in_view():
        done = bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", filepath=drive.PLACES["photo"])
    assert done == {"RUNNING_MODAL"}, done
    return 2.0


def see_the_question():
    shot("8-drop-asks")
    hand("key", "Escape")
    return 1.0


def see_that_nothing_changed():
    scene = bpy.context.scene
    assert (scene.frame_end, scene.camera) == drop_on_a_scene_in_production.before
    assert not jobs().running()
    return 0.5


STEPS = [
    open_file, open_sidebar, look, stop_playing, build_again, let_it_begin, press_escape,
    see_it_cancelled,
    choose_another_length, build_again, wait, repeat_with_shift_r, adjust_last_operation, wait,
    see_that_it_lives, undo, see_it_undone, see_it_redone, draw_annotation, preview_motion, wait,
    see_the_annotation_followed, new_mask, wait_for_a_brush, paint, see_the_paint,
    save_as_elsewhere, see_that_nothing_is_lost, build_from_a_second_window, close_that_window,
    wait, see_its_result, drop_on_a_scene_in_production, see_the_question,
    see_that_nothing_changed, build_again, let_it_begin, drive.quit_blender,
]  # fmt: skip
