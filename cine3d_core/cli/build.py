"""`cine3d build`, `motion` and `batch`: photos become scenes, pictures of motion, and clips."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from cine3d_core.cli.choices import MOTION, add_settings, settings_from
from cine3d_core.cli.say import add_progress, showing_progress, tell
from cine3d_core.errors import InputError
from cine3d_core.settings import CHOICES

# Options of `build` that one batch may share; `build` itself checks their values.
_SHARED = tuple(name for name in CHOICES if name not in ("mask", "hints", "depth_strokes"))


def add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d build`."""
    build = commands.add_parser("build", help="make a scene from a photo")
    build.add_argument("photo", type=Path)
    build.add_argument("-o", "--output", type=Path, required=True, metavar="SCENE.cine3d")
    add_settings(build, *CHOICES)
    add_progress(build)
    build.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> None:
    from cine3d_core.families import build_scene
    from cine3d_core.files.atomic import check_output
    from cine3d_core.files.scene.scene_file import save_scene

    if args.output.suffix != ".cine3d":
        raise InputError(f"the scene {args.output} must be named NAME.cine3d; rename the output")
    check_output(args.output)
    settings = settings_from(args)
    _tell_memory(args)
    started = time.perf_counter()
    with showing_progress(args.progress) as progress:
        scene = build_scene(args.photo, settings, progress=progress)
    save_scene(scene, args.output)
    for sentence in scene.parameters["assumed"]:
        tell(f"assumed: {sentence}", args)
    points = len(scene.cloud.positions)
    seconds = time.perf_counter() - started
    tell(f"{args.output}: {points} points, {scene.num_frames} frames, {seconds:.1f} s", args)


def _tell_memory(args: argparse.Namespace) -> None:
    """Says what a large photo takes, before it takes it."""
    from cine3d_core.files.pictures.panorama import read_view
    from cine3d_core.memory import (
        SAID_FROM,
        available_gib,
        memory_sentence,
        photo_size,
        reading_sentence,
    )

    view = None if args.view is None else read_view(args.view)
    said = reading_sentence(args.photo, args.size, view, available_gib())
    if said is not None:
        tell(said[0], args)
    size = photo_size(args.photo, args.size)
    if size is not None and size[0] * size[1] >= SAID_FROM:
        tell(memory_sentence(*size, available_gib())[0], args)


def add_motion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d motion`."""
    motion = commands.add_parser("motion", help="preview what would move in a photo and how")
    motion.add_argument("photo", type=Path)
    motion.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        action="append",
        metavar="PREVIEW.png|FLOW.flo|MASK.png",
        help="may be given several times; a picture named ...mask is the mask",
    )
    add_settings(motion, *MOTION, "device")
    add_progress(motion)
    motion.set_defaults(run=_motion)


def _motion(args: argparse.Namespace) -> None:
    from cine3d_core.build import direct_photo, read_inputs
    from cine3d_core.files.models.networks import Networks
    from cine3d_core.output.motion_files import check_motion_outputs, write_motions

    check_motion_outputs(args.output)
    settings = settings_from(args)
    started = time.perf_counter()
    with showing_progress(args.progress) as progress:
        photo, drawing = read_inputs(args.photo, settings, progress=progress)
        directed = direct_photo(photo, drawing, settings, Networks(), progress=progress)
        progress("writing", 0.9)
        kinds = write_motions(args.output, directed)
        progress("done", 1.0)
    for sentence in directed.assumed:
        tell(f"assumed: {sentence}", args)
    seconds = time.perf_counter() - started
    for path, kind in zip(args.output, kinds, strict=True):
        tell(f"{path}: {kind}, {seconds:.1f} s", args)


def add_batch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d batch`."""
    batch = commands.add_parser(
        "batch",
        help="make clips of many photos; arrows for NAME.jpg are read from NAME.json beside it",
    )
    batch.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    batch.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    batch.add_argument("--jobs", type=int, default=1, metavar="N", help="photos at a time (1)")
    batch.add_argument(
        "--clip", default="mp4", choices=("mp4", "webm", "gif"), help="file type (mp4)"
    )
    batch.add_argument("--camera", help="as in cine3d render (orbit)")
    batch.add_argument("--strength", type=float, help="as in cine3d render (1)")
    batch.add_argument("--width", type=int, metavar="W", help="width of the clips, pixels")
    batch.add_argument("--scheduler", metavar="ADDRESS", help="Dask cluster to work on, tcp://...")
    for name in _SHARED:
        batch.add_argument(f"--{name.replace('_', '-')}", help="as in cine3d build")
    add_progress(batch)
    batch.set_defaults(run=_batch)


def _batch(args: argparse.Namespace) -> None:
    from cine3d_core.cli import batch

    def given(*pairs: tuple[str, object]) -> tuple[str, ...]:
        # in one word, since a view may begin with a minus
        return tuple(f"--{k.replace('_', '-')}={v}" for k, v in pairs if v is not None)

    settings = batch.BatchSettings(
        build=given(*((name, getattr(args, name)) for name in _SHARED)),
        render=given(
            ("camera", args.camera),
            ("strength", args.strength),
            ("size", args.width),
            ("device", args.device),
        ),
        suffix=f".{args.clip}",
    )
    tasks = batch.plan(args.photos, args.output, settings)
    with showing_progress(args.progress) as progress:
        if args.scheduler:
            outcomes = batch.run_on_cluster(tasks, args.scheduler, progress)
        else:
            outcomes = batch.run_here(tasks, args.jobs, progress)
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        tell(f"{outcome.task.photo}: {outcome.error}", args)
    done, kept = len(tasks) - len(failed), len(args.photos) - len(tasks)
    tell(f"{args.output}: {done} clips made, {kept} kept, {len(failed)} failed", args)
    if failed:
        raise InputError(f"{len(failed)} of {len(tasks)} photos failed; see above")
