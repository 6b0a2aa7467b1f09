"""Somebody directs each of a folder's photographs with the mouse alone; steps for `drive.py`.

For every photograph: import, the tool, a few gestures, a look, and the directions as a file, which
`cine3d build --hints` takes. `NAME-actions.txt` lists what the hand did and how long it took.
"""

import time
from pathlib import Path

import bpy
import drive
import hand as by_hand
from drive import OUT, PLACES, click, drag, hand, holding, in_view, part, root, shot

SIZE, FRAMES = 256, 60  # px: as large as the motion is solved while somebody draws
TOOLS = {"arrow": "", "moves": "shift", "rests": "ctrl"}
# What the hand does to each: a gesture, then the places it goes through; shares of the photo.
PHOTOGRAPHS = {
    "life": (
        ("brush", 70),
        ("moves", (0.56, 0.38), (0.48, 0.5), (0.47, 0.62), (0.42, 0.74), (0.37, 0.86), (0.4, 0.97)),
        ("arrow", (0.47, 0.53), (0.455, 0.61)),
        ("arrow", (0.42, 0.72), (0.39, 0.79)),
        ("arrow", (0.37, 0.90), (0.36, 0.96)),
    ),
    "EveningGlow": (  # the network takes the beach for water, so a click there is on the lake
        ("brush", 170),
        ("rests", (0.02, 0.9), (0.3, 0.9), (0.6, 0.9), (0.98, 0.9)),
        ("rests", (0.02, 0.66), (0.25, 0.66), (0.45, 0.66), (0.7, 0.64), (0.98, 0.6)),
        ("arrow", (0.3, 0.12), (0.42, 0.12)),
        ("arrow", (0.25, 0.43), (0.3, 0.43)),
    ),
    "summer_1am": (
        ("arrow", (0.3, 0.2), (0.4, 0.2)),
        ("arrow", (0.3, 0.85), (0.36, 0.85)),
        ("brush", 110),
        ("rests", (0.52, 0.755), (0.75, 0.75), (0.98, 0.745)),
    ),
    "Valendas": (
        ("arrow", (0.15, 0.15), (0.3, 0.12)),
        ("rests", (0.4, 0.72), (0.47, 0.7), (0.67, 0.59), (0.76, 0.54), (0.86, 0.48), (0.99, 0.53)),
    ),
    "fog": (
        ("brush", 110),
        ("moves", (0.02, 0.57), (0.15, 0.56), (0.3, 0.53), (0.59, 0.47), (0.84, 0.43), (0.99, 0.4)),
        ("arrow", (0.3, 0.54), (0.4, 0.52)),
    ),
    "picosdeeuropa": (("click", (0.22, 0.17)), ("arrow", (0.22, 0.17), (0.3, 0.14))),
    "Path": (("sway",), ("brush", 150), ("moves", (0.42, 0.87), (0.7, 0.86), (0.97, 0.84))),
    "friends": (("sway",), ("brush", 70), ("moves", (0.44, 0.1), (0.44, 0.15), (0.44, 0.19))),
}  # fmt: skip
state = {"name": "", "actions": [], "start": 0.0}


def did(what):
    state["actions"].append(what)


def import_photo(name):
    def import_it():
        bpy.ops.wm.read_homefile(use_factory_startup=False)
        return 2.0

    def drop():
        state.update(name=name, actions=[], start=0.0)
        scene = bpy.context.scene
        scene.cine3d.size, scene.cine3d.frames = SIZE, FRAMES
        path = str(Path(PLACES["photos"]) / f"{name}.jpg")
        with in_view():
            done = bpy.ops.cine3d.import_photo("INVOKE_DEFAULT", filepath=path)
        assert done == {"FINISHED"}, done
        return 1.5

    return [import_it, drop]


def begin():
    state["start"] = time.monotonic()
    state["asked"] = 0.0
    return 0.2


def gesture(kind, *places):
    """One gesture of the mouse; a step of `drive`."""

    def one():
        if kind == "brush":
            bpy.context.scene.cine3d_tool.brush = places[0]
            did(f"F: brush of {places[0]} px")
            return 0.3
        if kind == "sway":
            bpy.context.scene.cine3d_tool.mode = "sway"
            did("Motion: Sway")
            return 0.3
        return move(kind, places)

    one.__name__ = f"{kind}_{places[0] if places else ''}"
    return one


def move(kind, places):
    pixels = [by_hand.at(place) for place in places]
    if len(pixels) == 1:
        yield from holding(TOOLS.get(kind, ""), click(pixels[0]))
        did({"rests": "Ctrl click: it rests", "click": "click: it moves"}.get(kind, kind))
    else:
        yield from holding(TOOLS.get(kind, ""), along(pixels))
        words = {"arrow": "drag an arrow", "moves": "Shift drag: it moves"}
        did(words.get(kind, "Ctrl drag: it rests"))


def along(pixels):
    """A drag through several places."""
    if len(pixels) == 2:
        yield from drag(*pixels, moves=6)
        return
    hand("mousemove", *pixels[0])
    yield drive.PAUSE_S
    hand("mousedown", 1)
    yield drive.PAUSE_S
    for start, end in zip(pixels[:-1], pixels[1:], strict=True):
        for share in (0.5, 1.0):
            hand(
                "mousemove", *(round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
            )
            yield drive.PAUSE_S
    hand("mouseup", 1)
    yield drive.PAUSE_S


def settled():
    """Clicks are answered, and the newest drawing moves."""
    return by_hand.quiet()


def look_at_it():
    took = time.monotonic() - state["start"]
    lines = [f"{n}. {what}" for n, what in enumerate(state["actions"], 1)]
    text = "\n".join([*lines, f"{took:.0f} s, with waiting for the machine"])
    (OUT / f"{state['name']}-actions.txt").write_text(text + "\n")
    assert root().cine3d_direct.regions or root().cine3d_direct.strokes, state["name"]
    shot(f"directed-{state['name']}")
    return 0.5


def save_directions():
    path = str(OUT / f"{state['name']}.json")
    assert bpy.ops.cine3d.directions_export(filepath=path) == {"FINISHED"}
    return 1.0


def saved():
    return None if part("worker.jobs").running() else 0.5


STEPS = [drive.install, drive.enable]
for photograph, gestures in PHOTOGRAPHS.items():
    if not (Path(PLACES["photos"]) / f"{photograph}.jpg").is_file():
        continue  # a folder of fewer directs fewer
    STEPS += [
        *import_photo(photograph), drive.wait_for_job, by_hand.look, by_hand.stop_playing,
        by_hand.take_tool, by_hand.wait_for_motion, begin,
    ]  # fmt: skip
    for words in gestures:
        STEPS += [gesture(*words), settled]
    STEPS += [settled, look_at_it, save_directions, saved]
STEPS.append(drive.quit_blender)
