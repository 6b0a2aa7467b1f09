"""Files of Blender with missing or edited data, tried within Blender's Python; no torch here.

Run by `blends.py` as `python -m tests.faults.blend_program FOLDER`; prints one JSON line per case.
Every case opens the same saved import, edits it as an artist, a script or another program might,
and then uses it: what cannot work must be refused by a report in words, never by a traceback.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from blender_addon.scene import photo_scene, scene_files
from blender_addon.ui import commands
from blender_addon.worker import jobs
from blender_addon.worker.client import WorkerError
from tests.blender.river_photo import import_river, write_river
from tests.faults.blend_edits import (
    FOLDER,
    NAN,
    PLY,
    PREVIEW,
    REBUILD,
    Do,
    arrow,
    at_frame,
    camera,
    chosen,
    empty_meshes,
    idproperty,
    mask,
    mask_of_file,
    no_attributes,
    no_modifiers,
    no_node_groups,
    nothing,
    of_render,
    of_root,
    operator,
    passes,
    points,
    renamed,
    render,
    second_root,
    several,
    stored,
    unlinked_root,
    without,
)

PNG_TEXT = "no picture"
KILLS = 20


# name: (what the edit does, what is used then, whether that must work, must be refused, or either)
CASES: dict[str, tuple[Do, Do, str]] = {
    "nothing edited": (nothing, render, "works"),
    "no scene file named": (stored(scene_file=""), render, "refused"),
    "scene file gone": (stored(scene_file="/gone/x.cine3d"), render, "refused"),
    "scene file is a folder": (stored(scene_file="{folder}"), render, "refused"),
    "scene file is text": (stored(scene_file="{folder}/text.cine3d"), render, "refused"),
    "scene file is a photo": (stored(scene_file="{folder}/river.png"), render, "refused"),
    "scene file with a drive": (stored(scene_file="C:\\Users\\me\\river.cine3d"), render, "works"),
    "scene file on a share": (stored(scene_file="\\\\nas\\a\\river.cine3d"), render, "works"),
    "scene file with backslashes": (stored(scene_file="//sub\\river.cine3d"), render, "works"),
    "scene file climbs": (stored(scene_file="//../../../../etc/passwd"), render, "refused"),
    "scene file of 5000 letters": (stored(scene_file="/" + "x" * 5000), render, "refused"),
    "photo's checksum lost": (stored(photo_sha256="", scene_sha256=""), render, "works"),
    "loop of 0 frames": (stored(num_frames=0), render, "works"),
    "loop of -7 frames": (stored(num_frames=-7), render, "works"),
    "loop begins at 2 billion": (stored(first_frame=2**31 - 1), render, "works"),
    "loop begins at -2 billion": (stored(first_frame=-(2**31)), render, "works"),
    "root deleted": (without(lambda s, r: [r]), render, "refused"),
    "two roots": (second_root, render, "refused"),
    "root not marked": (stored(is_root=False), render, "refused"),
    "root renamed": (renamed, render, "works"),
    "root in another collection": (unlinked_root, render, "works"),
    "root scaled to 0": (of_root(scale=(0, 0, 0)), render, "refused"),
    "root scaled unevenly": (of_root(scale=(1, 2, 1)), render, "refused"),
    "root mirrored": (of_root(scale=(-1, 1, 1)), render, "refused"),
    "root at NaN": (of_root(location=(NAN, 0, 0)), render, "either"),
    "root far away": (of_root(location=(1e30, 0, 0)), render, "either"),
    "camera deleted": (without(lambda s, r: [s.camera]), render, "refused"),
    "camera orthographic": (camera(type="ORTHO"), render, "refused"),
    "camera panoramic": (camera(type="PANO"), render, "refused"),
    "lens of 1 mm": (camera(lens=1), render, "works"),
    "lens of 5 m": (camera(lens=5000), render, "works"),
    "shift of 10": (camera(shift_x=10, shift_y=-10), render, "works"),
    "sensor of 100 m": (camera(sensor_width=1e5), render, "works"),
    "clipping turned round": (camera(clip_start=100, clip_end=1), render, "works"),
    "camera scaled to 0": (camera(scale=(0, 0, 0)), render, "either"),
    "camera at NaN": (camera(location=(NAN, 0, 0)), render, "either"),
    "camera far away": (camera(location=(0, 1e20, 0)), render, "either"),
    "points deleted": (without(points), render, "works"),
    "meshes emptied": (empty_meshes, render, "works"),
    "attributes removed": (no_attributes, render, "works"),
    "modifiers removed": (no_modifiers, render, "works"),
    "node groups removed": (no_node_groups, render, "works"),
    "frame of 4x4": (of_render(resolution_x=4, resolution_y=4), render, "works"),
    "frame of 1 %": (of_render(resolution_percentage=1), render, "either"),
    "wide pixels": (of_render(pixel_aspect_x=200), render, "works"),
    "empty region": (of_render(use_border=True, border_min_x=0.5, border_max_x=0.5), render,
                     "either"),
    "region turned round": (of_render(use_border=True, border_min_x=0.9, border_max_x=0.1), render,
                            "either"),
    "frame -100000": (at_frame(-100_000), render, "works"),
    "last frame of Blender": (at_frame(1_048_574), render, "works"),
    "all passes": (passes, render, "works"),
    "stereo": (of_render(use_multiview=True), render, "works"),
    "guard property of words": (idproperty("scene", "cine3d_engine", "text"), render, "works"),
    "photo gone": (stored(photo="/gone/lost.png"), REBUILD, "refused"),
    "photo with a drive": (stored(photo="C:\\photos\\gone.png"), REBUILD, "refused"),
    "photo is text": (stored(photo="{folder}/text.png"), REBUILD, "refused"),
    "no photo named": (stored(photo=""), REBUILD, "refused"),
    "mask empty": (mask(160, 90, 0.0), REBUILD, "refused"),
    "mask of NaN": (mask(160, 90, NAN), REBUILD, "refused"),
    "mask of one pixel": (mask(1, 1, 1.0), REBUILD, "works"),
    "mask of another shape": (mask(9, 90, 1.0), REBUILD, "works"),
    "mask whose file is gone": (mask_of_file("none.png"), REBUILD, "refused"),
    "mask whose file is text": (mask_of_file("text.png"), REBUILD, "refused"),
    "arrows file gone": (several(chosen(hints_file="/gone.json", mask=None)), REBUILD, "refused"),
    "arrows file is text": (several(chosen(hints_file="{folder}/text.png", mask=None)), REBUILD,
                            "refused"),
    "depth picture gone": (chosen(depth_path="/gone.png"), REBUILD, "refused"),
    "depth picture is text": (chosen(depth_path="{folder}/text.png"), REBUILD, "refused"),
    "no depth picture": (chosen(depth_path=""), REBUILD, "refused"),
    "unknown depth model": (chosen(depth_source="MODEL", depth_path="nonsense"), REBUILD,
                            "refused"),
    "arrow without points": (arrow(), REBUILD, "works"),
    "arrow of one point": (arrow((0, 1, 0)), REBUILD, "works"),
    "arrow at one place": (arrow((0, 1, -0.2), (0, 1, -0.2)), REBUILD, "works"),
    "arrow behind the camera": (arrow((0, -5, 0), (1, -5, 0)), REBUILD, "works"),
    "arrow far outside": (arrow((1e6, 1, 0), (2e6, 1, 0)), REBUILD, "works"),
    "arrow of NaN": (arrow((NAN, 1, 0), (0.1, 1, 0)), REBUILD, "either"),
    "camera deleted before building": (without(lambda s, r: [s.camera]), REBUILD, "works"),
    "points deleted before building": (without(points), REBUILD, "works"),
    "node groups removed before building": (no_node_groups, REBUILD, "works"),
    "root in no photo's collection": (unlinked_root, REBUILD, "works"),
    "photo of no size, arrow": (stored(photo_size=(0, 0)), operator("add_arrow"), "either"),
    "lens of zeros, arrow": (stored(intrinsics=(0, 0, 0, 0)), operator("add_arrow"), "either"),
    "photo of no size, mask": (stored(photo_size=(0, 0)), operator("propose_mask"), "either"),
    "photo of no size, preview": (
        several(arrow((0, 1, -0.2), (0.2, 1, -0.2)), stored(photo_size=(0, 0))), PREVIEW, "either",
    ),
    "photo gone, preview": (stored(photo="/gone/lost.png"), PREVIEW, "refused"),
    "camera deleted, preview": (without(lambda s, r: [s.camera]), PREVIEW, "refused"),
    "photo gone, mask proposed": (stored(photo="/gone.png"), operator("propose_mask"), "refused"),
    "camera deleted, path checked": (
        without(lambda s, r: [s.camera]), operator("check_path"), "refused",
    ),
    "camera orthographic, path checked": (
        camera(type="ORTHO"), operator("check_path"), "refused",
    ),
    "scene file gone, path checked": (
        stored(scene_file="/gone"), operator("check_path"), "refused",
    ),
    "scene file gone, volume": (stored(scene_file="/gone"), operator("safe_volume"), "refused"),
    "loop of 0 frames, camera move": (
        stored(num_frames=0), operator("camera_move", move="published-circle"), "either",
    ),
    "points exported without a scene file": (stored(scene_file="/gone"), PLY, "refused"),
    "points exported to nowhere": (
        nothing, operator("export_ply", filepath="/gone/x.ply"), "refused",
    ),
    "points exported onto a folder": (
        nothing, operator("export_ply", filepath="{folder}"), "refused",
    ),
    "Alembic to nowhere": (
        nothing, operator("export_alembic", filepath="/gone/x.abc"), "refused",
    ),
    "USD to nowhere": (nothing, operator("export_usd", filepath="/gone/x.usdc"), "refused"),
    "Alembic without points": (
        without(points), operator("export_alembic", filepath="{folder}/out/x.abc"), "either",
    ),
    "relinked to nothing": (nothing, operator("relink", filepath="/gone.cine3d"), "refused"),
    "relinked to text": (
        nothing, operator("relink", filepath="{folder}/text.cine3d"), "refused",
    ),
    "relinked to a folder": (nothing, operator("relink", filepath="{folder}"), "refused"),
    "nothing imported": (nothing, operator("import_photo", filepath="/gone.png"), "refused"),
    "text imported": (
        nothing, operator("import_photo", filepath="{folder}/text.png"), "refused",
    ),
    "a folder imported": (nothing, operator("import_photo", filepath="{folder}"), "refused"),
    "a photo as scene": (
        nothing, operator("import_scene", filepath="{folder}/river.png"), "refused",
    ),
    "text as scene": (
        nothing, operator("import_scene", filepath="{folder}/text.cine3d"), "refused",
    ),
    "look without points": (
        several(without(points)), operator("points_look"), "either",
    ),
    "timeline of 0 frames": (stored(num_frames=0), operator("set_timeline"), "either"),
}  # fmt: skip

FILES = {
    "text as .blend": b"no blend",
    "empty .blend": b"",
    "first bytes of a .blend": None,
}


def prepared(folder: Path) -> Path:
    """A saved import of the river, and bad files beside it."""
    import blender_addon

    (folder / "out").mkdir(parents=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    use_worker()
    import_river(bpy.context.scene, write_river(folder))
    blend = folder / "river.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    built = scene_files.scene_file(photo_scene.roots(bpy.context.scene)[0])
    shutil.copy(built, folder / "river.cine3d")  # what a moved .blend is told to look for
    for name in ("text.png", "text.cine3d"):
        (folder / name).write_text(PNG_TEXT)
    return blend


def use_worker() -> None:
    addons = bpy.context.preferences.addons
    if "blender_addon" not in addons:
        addons.new().module = "blender_addon"
    addons["blender_addon"].preferences.python_path = os.environ["CINE3D_WORKER_PYTHON"]


def problem_of(blend: Path, edit: Do, use: Do, wanted: str) -> str | None:
    """None, or what went wrong when an edited file was used."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    use_worker()
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 32, 18
    scene.render.filepath = str(FOLDER / "out/frame.png")
    root = photo_scene.roots(scene)[0]
    edit(scene, root)
    try:
        use(scene, root)
    except RuntimeError as error:  # an operator's report
        told = str(error)
        if "Traceback" in told or "see the console" in told:
            return told
        return f"refused: {told}" if wanted == "works" else None
    return "accepted" if wanted == "refused" else None


def problem_of_file(blend: Path, content: bytes | None) -> str | None:
    """A .blend that is none, given to the command."""
    path = FOLDER / "bad.blend"
    path.write_bytes(blend.read_bytes()[:500] if content is None else content)
    code = commands.main(["render", str(path), "-o", str(FOLDER / "out/x")])
    return None if code == commands.WRONG_INPUT else f"exit code {code}"


def killed_worker(blend: Path, moment: float) -> str | None:
    """kill -9 of the worker in mid-build: told in words, and nothing half-written."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    use_worker()
    worker, out = jobs.worker(), FOLDER / "out/killed.cine3d"
    job = worker.submit("build", build_request(out))
    time.sleep(moment)
    if worker.pid is not None and not job.done.is_set():
        os.kill(worker.pid, signal.SIGKILL)
    if not job.done.wait(30):
        return "the job never ended"
    if not isinstance(job.error, (WorkerError, type(None))):
        return repr(job.error)
    if out.exists() and out.read_bytes() != (FOLDER / "whole.cine3d").read_bytes():
        return "half a scene file"
    left = [path.name for path in out.parent.iterdir() if "killed" in path.name]
    return None if len(left) <= 2 else f"left {left}"  # the file, and the last writer's orphan


def build_request(out: Path) -> dict[str, Any]:
    settings = {"depth": str(FOLDER / "depth.png"), "mask": str(FOLDER / "mask.png"), "frames": 12}
    return {"photo": str(FOLDER / "river.png"), "scene_file": str(out), "settings": settings}


def kills(blend: Path) -> list[tuple[str, Callable[[], str | None]]]:
    """Twenty moments of a build, its worker's start included."""
    worker = jobs.worker()
    worker.wait(worker.submit("build", build_request(FOLDER / "whole.cine3d")))
    worker.stop()
    start = time.monotonic()
    worker.wait(worker.submit("build", build_request(FOLDER / "whole.cine3d")))
    seconds = time.monotonic() - start
    generator = random.Random(8)
    moments = sorted(generator.uniform(0, 1.1) * seconds for _ in range(KILLS))
    return [
        (f"worker killed, moment {n}", lambda moment=moment: killed_worker(blend, moment))
        for n, moment in enumerate(moments)
    ]


def main() -> None:
    blend = prepared(FOLDER)
    tried: list[tuple[str, Callable[[], str | None]]] = [
        (name, lambda case=case: problem_of(blend, *case)) for name, case in CASES.items()
    ]
    tried += [
        (name, lambda data=data: problem_of_file(blend, data)) for name, data in FILES.items()
    ]
    for name, attempt in [*tried, *kills(blend)]:
        try:
            problem = attempt()
        except Exception:  # told as what it is: a fault
            problem = traceback.format_exc()
        print("CASE", json.dumps([name, problem]), flush=True)



if __name__ == "__main__":
    main()
