"""A monkey at the buttons: seeded random sequences of operators, undo, save, reopen, delete."""

import contextlib
import io
import random
import traceback

import bpy
import pytest

from blender_addon.scene import photo_points, photo_scene, playback
from tests.blender.synthetic_scene import show

pytestmark = pytest.mark.blender

SEQUENCES, STEPS = 50, 12


def everything_that_needs_no_worker(addon):
    """Idnames of all our operators that run without a job, and without a window or a file."""
    from blender_addon.worker import jobs

    left_out = {"cine3d.relink", "cine3d.watch", "cine3d.set_up", "cine3d.show_preferences"}
    names = [
        cls.bl_idname
        for module in addon._MODULES
        for cls in module.CLASSES
        if issubclass(cls, bpy.types.Operator)
        and not issubclass(cls, jobs.WorkerOperator)
        and not cls.bl_idname.startswith("cine3d.export")
    ]
    return sorted(set(names) - left_out)


class Monkey:
    def __init__(self, addon, folder, seed):
        self.random = random.Random(seed)
        self.operators = everything_that_needs_no_worker(addon)
        self.blend = str(folder / "monkey.blend")
        self.done = []

    def step(self):
        actions = [self.press] * 6 + [self.undo, self.redo, self.save, self.reopen]
        actions += [self.delete, self.rename, self.import_photo, self.scrub, self.play, self.edit]
        action = self.random.choice(actions)
        self.done.append(action.__name__)
        action()

    def press(self):
        name = self.random.choice(self.operators)
        self.done.append(name)
        operator = getattr(bpy.ops.cine3d, name.split(".")[1])
        if operator.poll():
            with contextlib.suppress(RuntimeError):  # a refusal in words
                operator()

    def undo(self):
        with contextlib.suppress(RuntimeError):  # nothing to undo
            bpy.ops.ed.undo()

    def redo(self):
        with contextlib.suppress(RuntimeError):
            bpy.ops.ed.redo()

    def save(self):
        bpy.ops.wm.save_as_mainfile(filepath=self.blend)

    def reopen(self):
        self.save()
        bpy.ops.wm.open_mainfile(filepath=self.blend)

    def some_object(self):
        objects = list(bpy.context.scene.objects)
        return self.random.choice(objects) if objects else None

    def delete(self):
        if (obj := self.some_object()) is not None:
            bpy.data.objects.remove(obj)
            bpy.ops.ed.undo_push(message="Delete")

    def rename(self):
        if (obj := self.some_object()) is not None:
            obj.name = self.random.choice(["a", "lake", "lake Static", "Ünïcode", "x" * 60])
            bpy.ops.ed.undo_push(message="Rename")

    def import_photo(self):
        name = self.random.choice(["lake.jpg", "sea.jpg"])
        show(bpy.context.scene, photo=name, seed=self.random.randrange(9))
        bpy.ops.ed.undo_push(message="Import")

    def scrub(self):
        bpy.context.scene.frame_set(self.random.randrange(-20, 100))

    def play(self):
        rendered = self.random.choice([True, False, None])
        playback.set_share(bpy.context.scene, rendered)

    def edit(self):
        obj = self.some_object()
        if obj is not None:
            bpy.context.view_layer.objects.active = obj
            obj.hide_render = not obj.hide_render


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_no_sequence_ends_in_a_traceback(addon, scene, tmp_path, seed):
    monkey = Monkey(addon, tmp_path, seed)
    printed = io.StringIO()
    bpy.ops.ed.undo_push(message="Start")
    with contextlib.redirect_stderr(printed):
        monkey.import_photo()
        for _ in range(STEPS):
            try:
                monkey.step()
            except Exception:
                pytest.fail(f"{monkey.done}\n{traceback.format_exc()}")
    assert "Traceback" not in printed.getvalue(), (monkey.done, printed.getvalue()[-2000:])
    for root in photo_scene.roots(bpy.context.scene):
        for obj in photo_points.point_objects(root):
            assert len(obj.data.vertices)
