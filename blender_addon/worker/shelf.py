"""The shelf: better networks that the artist may get, and how they are offered.

Nothing is fetched before a person has said so, and nothing at all while Blender is offline. What is
there is asked of the worker once, and again after every change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from bpy.props import StringProperty

from . import jobs, python
from .client import Job, WorkerError

TASKS = {
    "depth": "Better depth",
    "classes": "Better sky and water",
    "click": "Click on what moves",
    "fill": "Better filling",
}
_POLL_S = 0.2
_entries: list[dict[str, Any]] = []  # as `shelf_state` of the core has them
_asked: Job | None = None


def ask() -> None:
    """Learn what is there, in the background; at most once, and only with a Python for it."""
    global _asked
    if _entries or _asked is not None or bpy.app.background or not python.is_set_up():
        return
    try:
        _asked = jobs.worker().submit("models_list")
    except WorkerError:
        return  # Check tells what is wrong
    bpy.app.timers.register(_take_answer, first_interval=_POLL_S, persistent=True)


def _take_answer() -> float | None:
    """Keep the answer of `ask` once it is there."""
    global _asked
    if _asked is None or not _asked.done.is_set():
        return None if _asked is None else _POLL_S
    job, _asked = _asked, None
    if job.error is None:
        learn(job.value)
    return None


def learn(value: dict[str, Any]) -> None:
    """What the worker says is on the shelf."""
    _entries[:] = value["entries"]
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def entries() -> list[dict[str, Any]]:
    """All that can be downloaded; empty before the first request."""
    return _entries


def offered(task: str) -> dict[str, Any] | None:
    """The first network for a task that is not here, if none for that task is."""
    of_task = [entry for entry in _entries if entry["task"] == task]
    if any(entry["installed"] for entry in of_task):
        return None
    return next(iter(of_task), None)


def draw_offer(layout: bpy.types.UILayout, task: str) -> None:
    """A line that says what there is, and a button that gets it."""
    entry = offered(task)
    if entry is not None:
        row = layout.row()
        row.label(text=f"{TASKS[task]}: {entry['title']}, {entry['size_text']}")
        row.operator("cine3d.models_get", text="Get", icon="IMPORT").name = entry["name"]


def draw_list(layout: bpy.types.UILayout) -> None:
    """Every network of the shelf, with a button that gets or removes it."""
    layout.label(text="Better networks, used once they are installed:")
    if not _entries:
        layout.operator("cine3d.models_list")
        return
    for task, words in TASKS.items():
        column = layout.column(align=True)
        for number, entry in enumerate(e for e in _entries if e["task"] == task):
            _draw_entry(column, entry, words if not number else "")


def _draw_entry(layout: bpy.types.UILayout, entry: dict[str, Any], words: str) -> None:
    row = layout.row()
    split = row.split(factor=0.25)
    split.label(text=words)
    split.label(
        text=f"{entry['title']}, {entry['size_text']}, {entry['license']}",
        icon="CHECKMARK" if entry["installed"] else "BLANK1",
    )
    buttons = row.row(align=True)
    buttons.ui_units_x = 7
    if entry["installed"]:
        buttons.operator("cine3d.models_remove", text="Remove", icon="X").name = entry["name"]
        return
    text = "Go On" if entry["begun"] else "Get"
    buttons.operator("cine3d.models_get", text=text, icon="IMPORT").name = entry["name"]
    buttons.operator("cine3d.models_add", text="", icon="FILE_FOLDER").name = entry["name"]


def _plan(
    job: str, label: str, arguments: dict[str, Any], words: Callable[[dict[str, Any]], str]
) -> jobs.Plan:
    """A job of the shelf, whose answer is the new list."""

    def deliver(
        context: bpy.types.Context, value: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> jobs.Told:
        learn(value)
        return jobs.Told(words(value))

    return jobs.Plan(label, job, arguments, deliver, changes_file=False)


def _entry(name: str) -> dict[str, Any]:
    """An entry by its name.

    Raises:
        ValueError: the list is not known yet, or has no such entry.
    """
    for entry in _entries:
        if entry["name"] == name:
            return entry
    raise ValueError(f"no network is called {name!r}; press List Networks, then choose one")


class CINE3D_OT_models_list(jobs.WorkerOperator, bpy.types.Operator):
    """List the available networks and which are installed; downloads nothing"""

    bl_idname = "cine3d.models_list"
    bl_label = "List Networks"
    bl_options: set[str] = set()

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        return _plan("models_list", "List Networks", {}, _what_is_here)


def _what_is_here(value: dict[str, Any]) -> str:
    here = sum(entry["installed"] for entry in value["entries"])
    return f"{here} of {len(value['entries'])} better networks are installed"


class CINE3D_OT_models_get(jobs.WorkerOperator, bpy.types.Operator):
    """Download a network, after asking. It is then used. Esc stops; Go On continues"""

    bl_idname = "cine3d.models_get"
    bl_label = "Get Network"
    bl_options: set[str] = set()

    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context):
        if not bpy.app.online_access:
            where = "command line" if bpy.app.online_access_override else "preferences"
            cls.poll_message_set(f"Online access is switched off in the {where}")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        try:
            entry = _entry(self.name)
        except ValueError as error:
            self.report({"ERROR"}, str(error)[:1].upper() + str(error)[1:])
            return {"CANCELLED"}
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=f"Download {entry['title']}?",
            message=f"{entry['size_text']} from {entry['source']}, licence {entry['license']}. "
            f"What it does: {entry['better']}",
        )

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        title = _entry(self.name)["title"]
        return _plan(
            "models_get", f"Get {title}", {"name": self.name}, lambda value: f"{title} is here"
        )


class CINE3D_OT_models_add(jobs.WorkerOperator, bpy.types.Operator):
    """Install a network from a folder of downloaded files, after checking them"""

    bl_idname = "cine3d.models_add"
    bl_label = "Add Network"
    bl_options: set[str] = set()

    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        title = _entry(self.name)["title"]
        arguments = {"name": self.name, "paths": [bpy.path.abspath(self.directory)]}
        return _plan("models_add", f"Add {title}", arguments, lambda value: f"{title} is here")


class CINE3D_OT_models_remove(jobs.WorkerOperator, bpy.types.Operator):
    """Delete a network; Cine3D then uses the next best one"""

    bl_idname = "cine3d.models_remove"
    bl_label = "Remove Network"
    bl_options: set[str] = set()

    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def plan(self, context: bpy.types.Context) -> jobs.Plan:
        title = _entry(self.name)["title"]
        return _plan(
            "models_remove",
            f"Remove {title}",
            {"name": self.name},
            lambda value: f"{title} is removed, {value['freed'] / 1e6:.0f} MB are free again",
        )


CLASSES = (
    CINE3D_OT_models_list,
    CINE3D_OT_models_get,
    CINE3D_OT_models_add,
    CINE3D_OT_models_remove,
)


def unregister() -> None:
    """Forget what was learnt."""
    global _asked
    _entries.clear()
    _asked = None
    if bpy.app.timers.is_registered(_take_answer):
        bpy.app.timers.unregister(_take_answer)
