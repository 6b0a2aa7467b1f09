"""`blender --command cine3d ...`: import, render and export without a window."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

import bpy

from cine3d_core.cli.choices import add_settings

from ..compat import set_video_output
from ..scene import photo_scene

OK, OUR_FAULT, WRONG_INPUT = 0, 1, 2
_VIDEOS = {".mp4": "MPEG4", ".mkv": "MKV", ".webm": "WEBM"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender --command cine3d", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    importer = commands.add_parser("import", help="a photo becomes a .blend")
    importer.add_argument("photo", type=Path)
    importer.add_argument("-o", "--output", type=Path, required=True, help="the .blend")
    add_settings(importer, "frames", "fps", "size", "preset", "mask", "hints")
    renderer = commands.add_parser("render", help="render a .blend with the Cine3D engine")
    renderer.add_argument("blend", type=Path)
    renderer.add_argument("-o", "--output", required=True, help="folder/name_ or .mp4, .mkv, .webm")
    renderer.add_argument("--frames", help="A:B, both included; default the file's range")
    exporter = commands.add_parser("export", help="write the points of a .blend")
    exporter.add_argument("blend", type=Path)
    exporter.add_argument("-o", "--output", type=Path, required=True, help=".ply, .abc or .usdc")
    exporter.add_argument("--frame", type=int, help="default the file's current frame")
    exporter.add_argument("--all", action="store_true", help="one PLY for each frame of the range")
    return parser


def main(arguments: list[str]) -> int:
    """Run one command; 0 done, 2 wrong input, 1 our fault."""
    try:
        chosen = _parser().parse_args(arguments)
    except SystemExit as leaving:  # argparse has said what was wrong
        return OK if leaving.code in (0, None) else WRONG_INPUT
    try:
        {"import": _import, "render": _render, "export": _export}[chosen.command](chosen)
    except (ValueError, RuntimeError) as error:  # operators raise RuntimeError with their report
        print(f"cine3d: {str(error).removeprefix('Error: ').strip()}", file=sys.stderr)
        return WRONG_INPUT
    except Exception:  # a script that calls us needs an exit code, not a crash
        traceback.print_exc()
        return OUR_FAULT
    return OK


def _import(chosen: argparse.Namespace) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    choices = bpy.context.scene.cine3d
    choices.frames, choices.fps = chosen.frames, chosen.fps
    choices.size, choices.preset = chosen.size, chosen.preset
    if chosen.mask is not None:
        choices.mask = bpy.data.images.load(str(chosen.mask.resolve()))
    if chosen.hints is not None:
        choices.hints_file = str(chosen.hints.resolve())
    output = str(chosen.output.resolve())
    bpy.ops.wm.save_as_mainfile(filepath=output)  # paths in the file are relative to its place
    bpy.ops.cine3d.import_photo(filepath=str(chosen.photo.resolve()))
    bpy.ops.wm.save_as_mainfile(filepath=output)


def _open(blend: Path) -> bpy.types.Scene:
    if not blend.is_file():
        raise ValueError(f"there is no file {blend}; name a .blend that exists")
    bpy.ops.wm.open_mainfile(filepath=str(blend.resolve()))
    scene = bpy.context.scene
    if not photo_scene.roots(scene):
        raise ValueError(f"{blend} holds no Cine3D photo; import one first")
    return scene


def _render(chosen: argparse.Namespace) -> None:
    scene = _open(chosen.blend)
    scene.render.engine = "CINE3D"
    if chosen.frames:
        first, _, last = chosen.frames.partition(":")
        scene.frame_start, scene.frame_end = int(first), int(last or first)
    output = Path(chosen.output)
    scene.render.filepath = str(output.resolve()) + ("/" if output.is_dir() else "")
    container = _VIDEOS.get(output.suffix.lower())
    if container:
        set_video_output(scene.render.image_settings)
        scene.render.ffmpeg.format = container
        scene.render.ffmpeg.codec = "WEBM" if container == "WEBM" else "H264"
        scene.render.ffmpeg.constant_rate_factor = "HIGH"
        scene.render.use_file_extension = False
    try:
        bpy.ops.render.render(animation=True)
    except RuntimeError:
        if container:  # begun, and of no use to anybody
            output.unlink(missing_ok=True)
        raise


def _export(chosen: argparse.Namespace) -> None:
    scene = _open(chosen.blend)
    if chosen.frame is not None:
        scene.frame_set(chosen.frame)
    path = str(chosen.output.resolve())
    kind = chosen.output.suffix.lower()
    if kind == ".ply":
        bpy.ops.cine3d.export_ply(filepath=path, frames="RANGE" if chosen.all else "CURRENT")
    elif kind == ".abc":
        bpy.ops.cine3d.export_alembic(filepath=path)
    elif kind in (".usd", ".usda", ".usdc"):
        bpy.ops.cine3d.export_usd(filepath=path)
    else:
        raise ValueError(f"{chosen.output} has no known ending; use .ply, .abc or .usdc")


CLASSES = ()
_handle = None


def register() -> None:
    """Make the command known to Blender."""
    global _handle
    _handle = bpy.utils.register_cli_command("cine3d", main)


def unregister() -> None:
    """Take the command back."""
    bpy.utils.unregister_cli_command(_handle)
