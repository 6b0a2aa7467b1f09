"""`cine3d render`, `export` and `info`: scenes become frames, points, and a description."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from cine3d_core.cli.choices import add_settings
from cine3d_core.cli.say import add_progress, say, showing_progress, tell
from cine3d_core.errors import InputError
from cine3d_core.moves import CAMERA_MOVES


def add_render(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d render`."""
    render = commands.add_parser("render", help="make a video or pictures of a scene")
    render.add_argument("scene", type=Path)
    render.add_argument("-o", "--output", required=True, metavar="OUT.mp4|.webm|.gif|FOLDER")
    render.add_argument(
        "--camera",
        metavar="|".join((*CAMERA_MOVES, "FILE.json")),
        help="camera move or path (orbit)",
    )
    render.add_argument(
        "--strength", type=float, default=1.0, help="size of the camera move, -3 to 3 (1)"
    )
    render.add_argument("--frames", metavar="A:B", help="frames A to B-1 (the whole loop)")
    render.add_argument("--size", type=int, metavar="W", help="width of the frames, pixels")
    render.add_argument(
        "--format",
        default="png",
        choices=("png", "exr"),
        help="file type of the frames in a folder (png)",
    )
    render.add_argument("--resume", action="store_true", help="keep finished frames of a folder")
    render.add_argument(
        "--decoder",
        default="scene",
        choices=("scene", "none"),
        help="none: leave out the sharpening network",
    )
    add_settings(render, "device")
    add_progress(render)
    render.set_defaults(run=_render)


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
        cameras=path.camera,
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


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d export`."""
    export = commands.add_parser("export", help="write the points of a scene as PLY")
    export.add_argument("scene", type=Path)
    export.add_argument("-o", "--output", type=Path, required=True, metavar="CLOUD.ply")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--frame", type=int, default=0, metavar="T", help="frame to write (0)")
    which.add_argument("--frames", metavar="A:B", help="one file per frame: CLOUD_0000.ply, ...")
    export.add_argument(
        "--up",
        default="camera",
        choices=("camera", "y", "z"),
        help="axis that points up; camera: x right, y down, z forward (camera)",
    )
    kind = export.add_mutually_exclusive_group()
    kind.add_argument("--binary", dest="binary", action="store_true", default=True)
    kind.add_argument("--ascii", dest="binary", action="store_false")
    add_progress(export)
    export.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> None:
    from cine3d_core.files.scene.ply import turned, write_ply
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
            points = turned(clip.cloud_at(prepared, frame), args.up)
            write_ply(output, points, binary=args.binary, up=args.up)
        progress("done", 1.0)
    tell(f"{args.output}: {len(scene.cloud.positions)} points, {len(frames)} files", args)


def add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`cine3d info`."""
    info = commands.add_parser("info", help="describe a scene")
    info.add_argument("scene", type=Path)
    info.set_defaults(run=_info)


def _info(args: argparse.Namespace) -> None:
    from cine3d_core.files.scene.scene_file import load_scene
    from cine3d_core.output.clip import describe

    say(json.dumps(describe(load_scene(args.scene), args.scene), indent=2))
