"""The `cine3d` command: parses, calls, prints.

Exit codes: 0 done, 1 our fault (a traceback, and where to report it), 2 wrong input (one sentence),
130 stopped with Ctrl-C, 141 whoever read stdout is gone. Nothing half-written is left in any case.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from cine3d_core import __version__
from cine3d_core.cli.say import ReaderGone, add_progress, say, showing_progress, tell
from cine3d_core.errors import InputError
from cine3d_core.files.log import logged_to
from cine3d_core.moves import CAMERA_MOVES

# The modules that import torch are imported by the command that needs them: `cine3d --help` and
# wrong options answer at once.


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name must not fail where it is printed
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with logged_to(args.log, sys.argv[1:] if argv is None else argv):
            args.run(args)
    except InputError as error:
        sentence = " ".join(str(error).splitlines())  # names of files may break lines
        print(f"cine3d: {sentence}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cine3d: stopped; nothing unfinished was left behind", file=sys.stderr)
        return 130
    except ReaderGone:
        # Python flushes stdout once more at its end, which must not fail aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what a shell says of a program that a closed pipe has ended
    except Exception:  # the program's last line of defence, and a loud one
        traceback.print_exc()
        print(
            "cine3d: this is our fault, not yours; please report the lines above to the project",
            file=sys.stderr,
        )
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line of all commands."""
    parser = argparse.ArgumentParser(
        prog="cine3d", description="One still photo becomes a moving 3D scene."
    )
    parser.add_argument("--version", action="version", version=f"cine3d {__version__}")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append what happens to a log")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands)
    _add_motion(commands)
    _add_render(commands)
    _add_batch(commands)
    _add_export(commands)
    info = commands.add_parser("info", help="say what a scene holds")
    info.add_argument("scene", type=Path)
    info.set_defaults(run=_info)
    doctor = commands.add_parser("doctor", help="check this installation and say what is missing")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)
    demo = commands.add_parser("demo", help="build and render the sample photo that comes along")
    demo.add_argument("-o", "--output", default="sample.mp4", metavar="OUT.mp4|.webm|.gif|FOLDER")
    demo.add_argument("--size", type=int, default=640, help="long side, pixels (640)")
    add_progress(demo)
    demo.set_defaults(run=_demo)
    _add_models(commands)
    _add_learning(commands)
    worker = commands.add_parser("worker", help="serve jobs over stdin and stdout, for Blender")
    worker.set_defaults(run=_worker)
    return parser


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    build = commands.add_parser("build", help="make a scene from a photo")
    build.add_argument("photo", type=Path)
    build.add_argument("-o", "--output", type=Path, required=True, metavar="SCENE.cine3d")
    _add_directing(build)
    build.add_argument("--fps", type=float, default=25.0, help="frames per second (25)")
    build.add_argument("--models", default="compact", choices=("compact", "official"))
    build.add_argument("--preset", default="default", choices=("default", "paper", "draft"))
    _add_device(build)
    add_progress(build)
    build.set_defaults(run=_build)


def _add_directing(parser: argparse.ArgumentParser) -> None:
    """What decides about the motion of a photo."""
    parser.add_argument(
        "--depth", metavar="NAME|FOLDER|IMAGE", help="depth network, model folder or depth picture"
    )
    parser.add_argument("--mask", type=Path, metavar="IMAGE", help="picture of what moves")
    parser.add_argument("--hints", type=Path, metavar="FILE.json", help="arrows, outlines, regions")
    parser.add_argument(
        "--motion",
        choices=("analytic", "network"),
        help="flow from the arrows: solved, or solved and refined (where the network is installed)",
    )
    parser.add_argument("--frames", type=int, default=60, help="length of the loop (60)")
    parser.add_argument("--size", type=int, default=1280, help="long side at most, pixels (1280)")


def _add_motion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    motion = commands.add_parser("motion", help="show what would move in a photo, and where to")
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
    _add_directing(motion)
    _add_device(motion)
    add_progress(motion)
    motion.set_defaults(run=_motion)


def _add_render(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    render = commands.add_parser("render", help="make a video or pictures of a scene")
    render.add_argument("scene", type=Path)
    render.add_argument("-o", "--output", required=True, metavar="OUT.mp4|.webm|.gif|FOLDER")
    render.add_argument("--camera", metavar="|".join((*CAMERA_MOVES, "FILE.json")), help="(orbit)")
    render.add_argument(
        "--strength", type=float, default=1.0, help="of the camera's move, -3 to 3 (1)"
    )
    render.add_argument("--frames", metavar="A:B", help="frames A to B-1 (the whole loop)")
    render.add_argument("--size", type=int, metavar="W", help="width of the frames, pixels")
    render.add_argument("--format", default="png", choices=("png", "exr"), help="in a folder")
    render.add_argument("--resume", action="store_true", help="keep finished frames of a folder")
    render.add_argument(
        "--decoder", default="scene", choices=("scene", "none"), help="none: the plain splat"
    )
    _add_device(render)
    add_progress(render)
    render.set_defaults(run=_render)


def _add_batch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    batch = commands.add_parser(
        "batch",
        help="make clips of many photos; arrows for NAME.jpg are read from NAME.json beside it",
    )
    batch.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    batch.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    batch.add_argument("--jobs", type=int, default=1, metavar="N", help="photos at a time (1)")
    batch.add_argument("--clip", default="mp4", choices=("mp4", "webm", "gif"), help="(mp4)")
    batch.add_argument("--camera", help="as in cine3d render (orbit)")
    batch.add_argument("--strength", type=float, help="as in cine3d render (1)")
    batch.add_argument("--width", type=int, metavar="W", help="of the clips, pixels")
    batch.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work, tcp://..."
    )
    for name in _BATCH_BUILD:
        batch.add_argument(f"--{name}", help="as in cine3d build")
    add_progress(batch)
    batch.set_defaults(run=_batch)


# Options of `build` that one batch may share; `build` itself checks their values.
_BATCH_BUILD = ("depth", "frames", "fps", "size", "models", "preset", "motion", "device")


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="write the points of a scene as PLY")
    export.add_argument("scene", type=Path)
    export.add_argument("-o", "--output", type=Path, required=True, metavar="CLOUD.ply")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--frame", type=int, default=0, metavar="T", help="frame to write (0)")
    which.add_argument("--frames", metavar="A:B", help="one file per frame: CLOUD_0000.ply, ...")
    kind = export.add_mutually_exclusive_group()
    kind.add_argument("--binary", dest="binary", action="store_true", default=True)
    kind.add_argument("--ascii", dest="binary", action="store_false")
    add_progress(export)
    export.set_defaults(run=_export)


def _add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from cine3d_core.cli.models import add_actions

    models = commands.add_parser("models", help="list, get, add, remove, verify, import networks")
    add_actions(models.add_subparsers(required=True, metavar="ACTION"))


def _add_learning(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for verb, help_text, modules in (
        ("train", "train a network (cine3d train depth --help)", _TRAINING),
        ("evaluate", "measure quality against truth (cine3d evaluate depth --help)", _EVALUATION),
    ):
        parser = commands.add_parser(verb, help=help_text)
        parser.add_argument("subject", choices=tuple(modules))
        parser.add_argument("arguments", nargs=argparse.REMAINDER)
        parser.set_defaults(run=_learn, verb=verb, modules=modules)


# Subject -> module below `cine3d_core` with `add_arguments` and `run`.
_TRAINING = {
    name: f"training.{name}.train" for name in ("see", "motion", "inpaint", "render")
}
_EVALUATION = {
    "renderer": "evaluation.renderer.measure",
    "notes": "evaluation.notes.measure",
    **{name: f"evaluation.{name}" for name in ("depth", "motion", "stereo", "photos", "fluid")},
}


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")


def _build(args: argparse.Namespace) -> None:
    from cine3d_core.build import BuildSettings, build_scene
    from cine3d_core.files.atomic import check_output
    from cine3d_core.files.scene.scene_file import save_scene

    if args.output.suffix != ".cine3d":
        raise InputError(f"the scene {args.output} must be named NAME.cine3d; rename the output")
    check_output(args.output)
    settings = BuildSettings(
        depth=args.depth,
        mask=args.mask,
        hints=args.hints,
        motion=args.motion,
        frames=args.frames,
        fps=args.fps,
        size=args.size,
        models=args.models,
        preset=args.preset,
        device=args.device,
    )
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


def _motion(args: argparse.Namespace) -> None:
    from cine3d_core.build import BuildSettings, direct_photo, read_inputs
    from cine3d_core.output.motion_files import check_motion_outputs, write_motions

    check_motion_outputs(args.output)
    settings = BuildSettings(
        depth=args.depth,
        mask=args.mask,
        hints=args.hints,
        motion=args.motion,
        frames=args.frames,
        size=args.size,
        device=args.device,
    )
    started = time.perf_counter()
    with showing_progress(args.progress) as progress:
        photo, drawing = read_inputs(args.photo, settings, progress=progress)
        directed = direct_photo(photo, drawing, settings, progress=progress)
        progress("writing", 0.9)
        kinds = write_motions(args.output, directed)
        progress("done", 1.0)
    for sentence in directed.assumed:
        tell(f"assumed: {sentence}", args)
    seconds = time.perf_counter() - started
    for path, kind in zip(args.output, kinds, strict=True):
        tell(f"{path}: {kind}, {seconds:.1f} s", args)


def _tell_memory(args: argparse.Namespace) -> None:
    """Says what a large photo takes, before it takes it."""
    from cine3d_core.memory import SAID_FROM, available_gib, memory_sentence, photo_size

    size = photo_size(args.photo, args.size)
    if size is not None and size[0] * size[1] >= SAID_FROM:
        tell(memory_sentence(*size, available_gib())[0], args)


def _render(args: argparse.Namespace) -> None:
    from cine3d_core.device import choose_device
    from cine3d_core.files.inputs import sha256_of
    from cine3d_core.files.scene.scene_file import load_scene
    from cine3d_core.files.video.writer import open_frame_writer
    from cine3d_core.output import clip

    scene = load_scene(args.scene)
    path = clip.open_camera_path(scene, args.camera, args.size, strength=args.strength)
    frames = clip.frame_range(args.frames, path, scene)
    device = choose_device(args.device)
    writer = open_frame_writer(
        args.output,
        height=path.height,
        width=path.width,
        fps=scene.fps,
        image_format=args.format,
        resume=args.resume,
        fingerprint=clip.fingerprint(
            scene,
            sha256_of(args.scene),
            args.camera,
            path,
            strength=args.strength,
            decoder=args.decoder,
        ),
    )
    started = time.perf_counter()
    with showing_progress(args.progress) as progress, writer:
        progress("preparing the motion", 0.0)
        clip.render_clip(
            clip.frame_drawer(scene, device, decoder=args.decoder),
            path,
            frames,
            writer,
            motion_vectors=args.format == "exr",
            progress=progress,
        )
    seconds = time.perf_counter() - started
    size = f"{path.width}x{path.height}"
    tell(f"{args.output}: {len(frames)} frames of {size}, {seconds:.1f} s", args)


def _batch(args: argparse.Namespace) -> None:
    from cine3d_core.cli import batch

    def given(*pairs: tuple[str, object]) -> tuple[str, ...]:
        return tuple(part for k, v in pairs if v is not None for part in (f"--{k}", str(v)))

    settings = batch.BatchSettings(
        build=given(*((name, getattr(args, name)) for name in _BATCH_BUILD)),
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


def _export(args: argparse.Namespace) -> None:
    from cine3d_core.files.scene.ply import write_ply
    from cine3d_core.files.scene.scene_file import load_scene
    from cine3d_core.output import clip
    from cine3d_core.render.animation import prepare

    scene = load_scene(args.scene)
    if args.output.suffix.lower() != ".ply":
        raise InputError(f"cannot write {args.output}: points are exported as .ply; rename it")
    still = clip.open_camera_path(scene, "still", None)
    frames = clip.frame_range(args.frames or str(args.frame), still, scene)
    prepared = prepare(scene)
    with showing_progress(args.progress) as progress:
        for count, frame in enumerate(frames):
            progress(f"frame {frame}", count / len(frames))
            numbered = args.output.with_stem(f"{args.output.stem}_{frame:04d}")
            output = numbered if args.frames else args.output
            write_ply(output, clip.cloud_at(prepared, frame), binary=args.binary)
        progress("done", 1.0)
    tell(f"{args.output}: {len(scene.cloud.positions)} points, {len(frames)} files", args)


def _info(args: argparse.Namespace) -> None:
    from cine3d_core.files.scene.scene_file import load_scene
    from cine3d_core.output.clip import describe

    say(json.dumps(describe(load_scene(args.scene), args.scene), indent=2))


def _doctor(args: argparse.Namespace) -> None:
    from cine3d_core.cli.doctor import examine

    findings = examine()
    if args.json:
        say(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            say(f"{'ok ' if finding.ok else 'NO '} {finding.subject}: {finding.text}")
    wanting = [finding.subject for finding in findings if not finding.ok]
    if wanting:
        raise InputError(f"not in order: {', '.join(wanting)}; what to do stands behind each NO")


def _demo(args: argparse.Namespace) -> None:
    import tempfile

    from cine3d_core.files.inputs import sample_folder

    parser, sample = make_parser(), sample_folder()
    with tempfile.TemporaryDirectory() as folder:
        scene, size = f"{folder}/sample.cine3d", str(args.size)
        photo, hints = str(sample / "photo.jpg"), str(sample / "hints.json")
        for words in (
            ["build", photo, "--hints", hints, "-o", scene, "--size", size],
            ["render", scene, "-o", args.output],
        ):
            chosen = parser.parse_args([*words, "--progress", args.progress])
            chosen.run(chosen)


def _learn(args: argparse.Namespace) -> None:
    module = importlib.import_module(f"cine3d_core.{args.modules[args.subject]}")
    parser = argparse.ArgumentParser(prog=f"cine3d {args.verb} {args.subject}")
    module.add_arguments(parser)
    module.run(parser.parse_args(args.arguments))


def _worker(args: argparse.Namespace) -> None:
    from cine3d_core.worker.program import main as serve

    serve()
