"""What the worker says while a person directs a photo: the motion at once, what a click is on.

One request is under way at a time. A drawing that changed in the meantime makes it unwanted, and
the newest drawing is asked for next; so an answer is never older than the last stroke but one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..scene import build_choices, photo_scene, scene_files
from ..worker import jobs
from ..worker.client import Job, JobCancelled, WorkerError
from . import direct_content, masks, motion_drawing

TOOL = "cine3d.motion"
FRAME_S = 1 / 25
LOOK_S = 0.1  # between two looks at the drawing


@dataclass(frozen=True)
class Motion:
    """An answer of the worker: what `live_motion` gives, and for which photo."""

    uid: int  # of the photo's root, by the number that outlives undo
    regions: tuple[int, ...]  # index in the list of regions, of each region that was sent
    num_frames: int
    harmonics: tuple[tuple[float, float, float], ...]
    assumed: tuple[str, ...]
    seconds: float  # that the worker took
    arrays: dict[str, np.ndarray]


@dataclass
class Click:
    """A click whose answer is on its way."""

    job: Job
    deliver: Callable[[dict[str, Any], np.ndarray], None]


@dataclass
class State:
    """What is asked and known; there is one."""

    asked: tuple[int, bytes] | None = None  # photo and message of the newest request
    regions: tuple[int, ...] = ()  # of the newest request
    job: Job | None = None
    motion: Motion | None = None
    problem: str = ""  # why there is no newer motion
    clicks: list[Click] = field(default_factory=list)
    prepared: dict[str, Any] = field(default_factory=dict)  # photo of which a click is expected
    looked: float = 0.0
    started: float = 0.0  # when the newest request was sent
    waited: float = 0.0  # from a stroke to its motion in the view, seconds


state = State()


def message(
    context: bpy.types.Context, root: bpy.types.Object
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Arguments and arrays that ask for the motion of a photo as it is drawn now.

    Raises:
        ValueError: a choice cannot be met.
    """
    choices = root.cine3d.choices
    arguments = _photo(root) | {
        "hints": motion_drawing.hints(context, root),
        "regions": motion_drawing.regions(context, root),
    }
    arrays = direct_content.sent(root)
    if choices.mask is not None:
        arrays["mask"] = masks.mask_array(choices.mask)
    return arguments, arrays


def ask(context: bpy.types.Context, root: bpy.types.Object) -> bool:
    """Ask for the motion if the drawing has changed since; whether something new was asked."""
    try:
        arguments, arrays = message(context, root)
        key = root.session_uid, _bytes(arguments, arrays)
        if state.asked == key:
            return False
        if state.job is not None and not state.job.done.is_set():
            jobs.worker().withdraw(state.job)
        state.asked, state.regions = key, direct_content.sent_regions(root)
        state.job = jobs.worker().submit("live_motion", arguments, arrays)
        state.started, state.problem = time.monotonic(), ""
    except (ValueError, WorkerError) as error:
        state.problem = str(error)
        return False
    return True


def _bytes(arguments: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    return repr(sorted(arguments.items())).encode() + b"".join(
        array.tobytes() for _, array in sorted(arrays.items())
    )


def receive() -> bool:
    """Take an answer that has come; whether there is a new motion."""
    job = state.job
    if job is None or not job.done.is_set():
        return False
    state.job = None
    try:
        value, arrays = job.result()
    except JobCancelled:
        return False
    except WorkerError as error:
        state.problem = str(error)
        return True
    assert state.asked is not None  # the job is what was asked for
    state.waited = time.monotonic() - state.started
    state.motion = Motion(
        uid=state.asked[0],
        regions=state.regions,
        num_frames=value["num_frames"],
        harmonics=tuple(tuple(harmonic) for harmonic in value["harmonics"]),
        assumed=tuple(value["assumed"]),
        seconds=value["seconds"],
        arrays=arrays,
    )
    return True


def ask_click(
    root: bpy.types.Object,
    clicks: list[tuple[float, float, bool]],
    deliver: Callable[[dict[str, Any], np.ndarray], None],
) -> None:
    """Ask what clicks are on; `deliver` gets the answer in Blender's own time.

    Raises:
        ValueError: a choice of the photo cannot be met.
        WorkerError: the worker cannot be started.
    """
    arguments = _photo(root) | {"clicks": [list(click) for click in clicks]}
    state.clicks.append(Click(jobs.worker().submit("click_thing", arguments), deliver))
    start()


def _photo(root: bpy.types.Object) -> dict[str, Any]:
    return {
        "photo": str(scene_files.photo_file(root)),
        "settings": build_choices.build_settings(root.cine3d.choices),
    }


def expect_clicks(root: bpy.types.Object) -> None:
    """Let the worker look at a photo before the first click on it, once."""
    try:
        if state.prepared != (photo := _photo(root)):
            jobs.worker().submit("prepare_click", photo)
            state.prepared = photo
    except (ValueError, WorkerError) as error:
        state.problem = str(error)


def receive_clicks() -> None:
    """Hand over the answers to clicks that have come."""
    for click in [click for click in state.clicks if click.job.done.is_set()]:
        state.clicks.remove(click)
        try:
            value, arrays = click.job.result()
            click.deliver(value, arrays["drawing"])
        except JobCancelled:
            continue
        except (ValueError, WorkerError) as error:
            state.problem = str(error)


def motion_of(root: bpy.types.Object) -> Motion | None:
    """The newest motion of a photo."""
    motion = state.motion
    return motion if motion is not None and motion.uid == root.session_uid else None


def owner_at(root: bpy.types.Object, place: tuple[float, float]) -> int | None:
    """Index of the region that directs a place, as the worker found it."""
    motion = motion_of(root)
    if motion is None:
        return None
    owner = motion.arrays["owner"]
    height, width = owner.shape
    x, y = int(place[0] * width), int((1 - place[1]) * height)
    number = int(owner[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])
    index = motion.regions[number - 1] if 0 < number <= len(motion.regions) else None
    known = index is not None and index < len(root.cine3d_direct.regions)
    return index if known else None


def sureness(root: bpy.types.Object, index: int) -> float | None:
    """How sure the network is that what a region moves does move, in [0, 1]; None for no area."""
    motion = motion_of(root)
    if motion is None or index not in motion.regions:
        return None
    inside = motion.arrays["owner"] == motion.regions.index(index) + 1
    return float(motion.arrays["sure"][inside].mean()) / 255 if inside.any() else None


def start() -> None:
    """Look at the drawing from now on; without a window nothing is drawn."""
    if not bpy.app.background and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=FRAME_S, persistent=True)


def is_tool_active(window: bpy.types.Window | None) -> bool:
    """Whether a window has the tool Cine3D Motion in its hand."""
    if window is None or window.workspace is None:
        return False
    active = window.workspace.tools.from_space_view3d_mode("OBJECT")
    return active is not None and active.idname == TOOL


def tick() -> float | None:
    """Ask, receive, and let the views draw; None when directing has ended."""
    context = bpy.context
    receive_clicks()
    windows = context.window_manager.windows
    directing = any(is_tool_active(window) for window in windows)
    live = directing and context.scene is not None and context.scene.cine3d_tool.live
    root = photo_scene.active_root(context) if live else None
    if root is None and not state.clicks:
        forget()
        redraw()
        return None
    new = receive()
    if root is not None:
        if time.monotonic() - state.looked >= LOOK_S:
            state.looked = time.monotonic()
            ask(context, root)
        if motion_of(root) is not None or new:
            redraw()
        if new and state.motion is not None and state.job is None:
            expect_clicks(root)
    return FRAME_S


def redraw() -> None:
    """Draw all 3D views again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def forget() -> None:
    """Everything that was asked and answered."""
    global state
    if state.job is not None and not state.job.done.is_set():
        jobs.worker().withdraw(state.job)
    state = State()


@persistent
def _file_opened(*_args) -> None:
    forget()


CLASSES = ()


def register() -> None:
    """What was known of a file is not true of the next one."""
    bpy.app.handlers.load_post.append(_file_opened)


def unregister() -> None:
    """Stop looking."""
    bpy.app.handlers.load_post.remove(_file_opened)
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
