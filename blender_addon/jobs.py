"""This Blender's one worker, and operators that wait for it without stopping Blender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import preferences
from .worker_client import Job, JobCancelled, Worker, WorkerError

TIMER_S = 0.1
_worker: Worker | None = None
current: Job | None = None  # the job that the panel shows


def worker() -> Worker:
    """The worker with the preferences' Python; another Python means another worker."""
    global _worker
    wanted = preferences.get()
    python, memory_mb = Path(preferences.worker_python()), wanted.memory_mb
    if _worker is not None and (_worker.python, _worker.memory_mb) != (python, memory_mb):
        stop()
    if _worker is None:
        _worker = Worker(python, memory_mb, log_folder=log_folder())
    return _worker


def log_folder() -> Path | None:
    """Where the worker's log is; None where Blender has no place that can be written."""
    try:
        if __package__.startswith("bl_ext."):
            return Path(bpy.utils.extension_path_user(__package__, path="log", create=True))
        return Path(bpy.utils.user_resource("DATAFILES", path="cine3d_log", create=True))
    except OSError:
        return None


def stop() -> None:
    """End the worker, which frees its memory; the next job starts it again."""
    global _worker
    if _worker is not None:
        _worker.stop()
        _worker = None


def running() -> bool:
    """Whether a job of an operator is under way."""
    return current is not None and not current.done.is_set()


class WorkerOperator:
    """Mix-in for operators whose work is one job of the worker.

    With a window the operator is modal: Blender stays usable and the panel shows the progress.
    Without one it blocks until the job has ended.
    """

    job_name = ""

    @classmethod
    def poll(cls, context):
        if running():
            cls.poll_message_set("Cine3D is at work; wait or cancel")
            return False
        return True

    def request(self, context) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Arguments and arrays of the job.

        Raises:
            ValueError: something is missing; the sentence is shown to the person.
        """
        raise NotImplementedError

    def deliver(self, context, value: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Put the result into Blender."""
        raise NotImplementedError

    def execute(self, context):
        try:
            self._submit(context)
            if bpy.app.background or context.window is None:
                value, arrays = worker().wait(current, on_progress=_print_progress)
                self.deliver(context, value, arrays)
                return {"FINISHED"}
        except (ValueError, WorkerError) as error:
            return self._refuse(str(error))
        except JobCancelled:
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(TIMER_S, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        _redraw(context)
        if not self._job.done.is_set():
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        try:
            value, arrays = self._job.result()
            self.deliver(context, value, arrays)
        except (ValueError, WorkerError) as error:
            return self._refuse(str(error))
        except JobCancelled:
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        return {"FINISHED"}

    def _submit(self, context) -> None:
        global current
        arguments, arrays = self.request(context)
        self._job = current = worker().submit(self.job_name, arguments, arrays)

    def _refuse(self, sentence: str) -> set[str]:
        self.report({"ERROR"}, sentence[:1].upper() + sentence[1:])
        return {"CANCELLED"}


def _print_progress(stage: str, fraction: float) -> None:
    """In background mode the terminal is the only window; one line per stage."""
    if stage != _print_progress.__dict__.get("last"):
        _print_progress.__dict__["last"] = stage
        print(f"Cine3D: {stage} ({fraction:.0%})", flush=True)


def _redraw(context) -> None:
    """Show the progress: the sidebars alone, for the 3D view itself may be slow to draw."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            wanted = {"VIEW_3D": "UI", "PREFERENCES": "WINDOW"}.get(area.type)
            for region in area.regions:
                if region.type == wanted:
                    region.tag_redraw()


class CINE3D_OT_cancel(bpy.types.Operator):
    """Stop what Cine3D is doing"""

    bl_idname = "cine3d.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return running()

    def execute(self, context):
        worker().cancel(current)
        return {"FINISHED"}


class CINE3D_OT_free_memory(bpy.types.Operator):
    """End the worker process and give its memory back, the graphics card's too"""

    bl_idname = "cine3d.free_memory"
    bl_label = "Free Memory"

    def execute(self, context):
        stop()
        self.report({"INFO"}, "The worker has ended; the next job starts it again")
        return {"FINISHED"}


CLASSES = (CINE3D_OT_cancel, CINE3D_OT_free_memory)


def unregister() -> None:
    """End the worker with the add-on."""
    stop()
