"""This Blender's one worker, and operators that hand it work without stopping Blender.

An operator plans a job, starts it and has finished: Blender may repeat or free it as it likes. A
timer of the application watches the job and puts its result into the file, whatever has become
of the window that it was started in. Without a window the operator itself waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..names import user_folder
from . import python
from .client import Job, JobCancelled, Worker, WorkerError

TIMER_S = 0.1
_worker: Worker | None = None


@dataclass(frozen=True)
class Told:
    """A sentence for the person in front of Blender."""

    text: str
    kind: str = "INFO"  # or WARNING, ERROR


Deliver = Callable[[bpy.types.Context, dict[str, Any], dict[str, np.ndarray]], Told]


@dataclass(frozen=True)
class Plan:
    """What an operator wants of the worker, and what is to be done with the answer."""

    label: str  # for the undo history and the progress
    name: str  # of the worker's job
    arguments: dict[str, Any]
    deliver: Deliver
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    refused: Callable[[Exception], str] = lambda error: ""  # what to do beside the error's words
    changes_file: bool = True  # so that it can be undone


@dataclass
class Task:
    """A plan at work."""

    plan: Plan
    job: Job
    delivered: bool = False

    @property
    def stage(self) -> str:
        return self.job.stage

    @property
    def fraction(self) -> float:
        return self.job.fraction

    @property
    def error(self) -> WorkerError | JobCancelled | None:
        return self.job.error


current: Task | None = None  # what the panels show; stays when it has ended
waiting_to_be_told: list[Told] = []
# While an artist drags something its data must not change; these are Blender's own such operators.
_DRAGGING = ("TRANSFORM_OT_", "PAINT_OT_", "SCULPT_OT_", "GPENCIL_OT_", "GREASE_PENCIL_OT_")


def worker() -> Worker:
    """The worker with the preferences' Python; another Python means another worker."""
    global _worker
    program, memory_mb = Path(python.executable()), python.preferences().memory_mb
    if _worker is not None and (_worker.python, _worker.memory_mb) != (program, memory_mb):
        stop()
    if _worker is None:
        _worker = Worker(program, memory_mb, log_folder=log_folder())
    return _worker


def log_folder() -> Path | None:
    """Where the worker's log is; None where Blender has no place that can be written."""
    try:
        return user_folder("log", create=True)
    except OSError:
        return None


def stop() -> None:
    """End the worker, which frees its memory; the next job starts it again."""
    global _worker
    if _worker is not None:
        _worker.stop()
        _worker = None


def running() -> bool:
    """Whether a job of an operator is under way, or its result on its way into the file."""
    return current is not None and not current.delivered


def begin(plan: Plan) -> Task:
    """Hand a plan to the worker.

    Raises:
        WorkerError: the worker cannot be started.
    """
    global current
    current = Task(plan, worker().submit(plan.name, plan.arguments, plan.arrays))
    return current


def cancel() -> None:
    """Ask the current job to end."""
    if current is not None and not current.job.done.is_set():
        worker().cancel(current.job)


def finish(context: bpy.types.Context, task: Task) -> Told:
    """Put the result of an ended job into the file; gives what to tell.

    Raises:
        JobCancelled: it is no longer wanted.
    """
    task.delivered = True
    try:
        value, arrays = task.job.result()
        told = task.plan.deliver(context, value, arrays)
    except (ValueError, WorkerError) as error:
        return Told(_sentence(task.plan, error), "ERROR")
    if task.plan.changes_file and bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=task.plan.label)
    return told


def _sentence(plan: Plan | None, error: Exception) -> str:
    """What is told of an error, once its plan knows of it."""
    way = "" if plan is None else plan.refused(error)
    text = "; ".join([str(error), way] if way else [str(error)])
    return text[:1].upper() + text[1:]


if TYPE_CHECKING:
    Mixed = bpy.types.Operator  # what mix-ins of operators may count on
else:
    Mixed = object


class WorkerOperator(Mixed):
    """Mix-in for operators whose work is one job of the worker.

    They have neither REGISTER nor UNDO: Blender repeats operators with these flags behind their
    back (Adjust Last Operation, Shift R). The undo step is made when the result arrives.
    """

    bl_options: set[str] = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return cls.is_worker_free()

    @classmethod
    def is_worker_free(cls) -> bool:
        """Whether a job can begin; it tells the person if not."""
        if running():
            cls.poll_message_set("Cine3D is at work; wait, or press Esc to cancel")
            return False
        return True

    def plan(self, context: bpy.types.Context) -> Plan:
        """The job, and what to do with its result.

        Raises:
            ValueError: something is missing; the sentence is shown to the person.
        """
        raise NotImplementedError

    def execute(self, context: bpy.types.Context):
        plan = None
        try:
            plan = self.plan(context)
            task = begin(plan)
        except (ValueError, WorkerError) as error:
            self.report({"ERROR"}, _sentence(plan, error))
            return {"CANCELLED"}
        if not bpy.app.background and context.window_manager.windows:
            _start_ticking()
            return {"FINISHED"}
        worker_of_task = worker()
        try:
            worker_of_task.wait(task.job, on_progress=_print_progress)
        except (WorkerError, JobCancelled):
            pass  # told by `finish`
        try:
            told = finish(context, task)
        except JobCancelled:
            return {"CANCELLED"}
        self.report({told.kind}, told.text)
        return {"CANCELLED"} if told.kind == "ERROR" else {"FINISHED"}


def _tick() -> float | None:
    """Watch the current job from Blender's main loop; None when there is nothing left to watch."""
    manager = bpy.context.window_manager
    task = current
    if not manager.windows:
        return None
    if task is None or task.delivered:
        if waiting_to_be_told:
            _watch(manager)
        return TIMER_S if waiting_to_be_told else None
    show_progress(None if task.job.done.is_set() else f"{task.stage} {task.fraction:.0%}")
    _watch(manager)
    if not task.job.done.is_set() or _busy(manager):
        return TIMER_S
    try:
        with bpy.context.temp_override(window=manager.windows[0]):
            waiting_to_be_told.append(finish(bpy.context, task))
    except JobCancelled:
        waiting_to_be_told.append(Told(f"{task.plan.label} was cancelled"))
    show_progress(None)
    return TIMER_S


def tell_soon(told: Told) -> None:
    """Show a sentence as soon as some window can; without windows the terminal is all there is."""
    if bpy.app.background:
        print(f"Cine3D: {told.text}")
        return
    waiting_to_be_told.append(told)
    _start_ticking()


def _start_ticking() -> None:
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TIMER_S, persistent=True)


def _busy(manager: bpy.types.WindowManager) -> bool:
    """Whether Blender is about something that would suffer if objects were exchanged under it."""
    if bpy.app.is_job_running("RENDER"):
        return True
    names = [op.bl_idname for window in manager.windows for op in window.modal_operators]
    return is_dragging(names)


def is_dragging(names: list[str]) -> bool:
    """Whether one of the operators at work changes the data under its hands."""
    return any(name.startswith(_DRAGGING) for name in names)


def _watch(manager: bpy.types.WindowManager) -> None:
    """One listener for Esc in every window."""
    for window in manager.windows:
        if not any(op.bl_idname == "CINE3D_OT_watch" for op in window.modal_operators):
            with bpy.context.temp_override(window=window):
                bpy.ops.cine3d.watch("INVOKE_DEFAULT")


class CINE3D_OT_watch(bpy.types.Operator):
    """Watch for Esc while Cine3D works, and report the result"""

    bl_idname = "cine3d.watch"
    bl_label = "Cine3D at Work"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        self._timer = context.window_manager.event_timer_add(TIMER_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event):
        if event.type == "ESC" and event.value == "PRESS" and running():
            cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        while waiting_to_be_told:
            told = waiting_to_be_told.pop(0)
            self.report({told.kind}, told.text)
        if running():
            return {"PASS_THROUGH"}
        self.cancel(context)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context):
        context.window_manager.event_timer_remove(self._timer)


def _print_progress(stage: str, fraction: float) -> None:
    """In background mode the terminal is the only window; one line per stage."""
    if stage != _print_progress.__dict__.get("last"):
        _print_progress.__dict__["last"] = stage
        print(f"Cine3D: {stage} ({fraction:.0%})", flush=True)


_SHOWN = {"VIEW_3D": {"UI", "HEADER"}, "IMAGE_EDITOR": {"HEADER"}, "PREFERENCES": {"WINDOW"}}


def show_progress(text: str | None) -> None:
    """A line in the status bar of every window, and the bars in headers and sidebars, drawn again.

    The 3D view itself is left alone, for it may be slow to draw.
    """
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set_internal(text and f"Cine3D: {text}    Esc: Cancel")
        for area in window.screen.areas:
            for region in area.regions:
                if region.type in _SHOWN.get(area.type, ()):
                    region.tag_redraw()


def draw_progress(layout: bpy.types.UILayout) -> None:
    """The bar with its cross, wherever one is wanted."""
    if running():
        row = layout.row(align=True)
        row.progress(factor=current.fraction, type="BAR", text=current.stage)
        row.operator("cine3d.cancel", text="", icon="X")


def _draw_header(self, context: bpy.types.Context):
    if running():
        row = self.layout.row()
        row.ui_units_x = 12
        draw_progress(row)


class CINE3D_OT_cancel(bpy.types.Operator):
    """Stop what Cine3D is doing"""

    bl_idname = "cine3d.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context):
        return running()

    def execute(self, context: bpy.types.Context):
        cancel()
        return {"FINISHED"}


class CINE3D_OT_free_memory(bpy.types.Operator):
    """Stop the worker process and free its memory, including graphics memory"""

    bl_idname = "cine3d.free_memory"
    bl_label = "Free Memory"
    bl_options: set[str] = set()

    def execute(self, context: bpy.types.Context):
        stop()
        self.report({"INFO"}, "The worker has ended; the next job starts it again")
        return {"FINISHED"}


@persistent
def _before_loading(*_args) -> None:
    """The result belongs to the file that is being closed; the next one must not wait for it."""
    if running():
        cancel()
        current.delivered = True
        label = current.plan.label
        tell_soon(Told(f"{label} was cancelled, because another file was opened"))
        show_progress(None)


CLASSES = (CINE3D_OT_watch, CINE3D_OT_cancel, CINE3D_OT_free_memory)
_HEADERS = ("VIEW3D_HT_header", "IMAGE_HT_header")


def register() -> None:
    """Show progress in the headers, and watch files being opened."""
    bpy.app.handlers.load_pre.append(_before_loading)
    for name in _HEADERS:
        getattr(bpy.types, name).append(_draw_header)


def unregister() -> None:
    """End the worker with the add-on."""
    for name in _HEADERS:
        getattr(bpy.types, name).remove(_draw_header)
    bpy.app.handlers.load_pre.remove(_before_loading)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    stop()
