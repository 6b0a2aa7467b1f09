"""`cine3d depth`: the depth that `build` would use, as files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from cine3d_core.cli.choices import add_settings, settings_from
from cine3d_core.cli.say import add_progress, showing_progress, tell


def add_depth(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options, which mean what those of `build` mean."""
    depth = commands.add_parser("depth", help="write the depth that build would use for a photo")
    depth.add_argument("photo", type=Path)
    depth.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        action="append",
        metavar="DEPTH.png|DEPTH.exr|NAME-preview.png",
        help=".png: 16 bit, near is bright; .exr: distances; both may be painted on and given back "
        "with --depth; a picture named ...preview is for viewing; may be given several times",
    )
    add_settings(depth, "depth", "size", "view", "device")
    add_progress(depth)
    depth.set_defaults(run=_depth)


def _depth(args: argparse.Namespace) -> None:
    from cine3d_core.build import estimate_depth, read_working_photo
    from cine3d_core.files.models.networks import Networks
    from cine3d_core.output.depth_files import check_depth_outputs, write_depth

    check_depth_outputs(args.output)
    settings = settings_from(args)
    started = time.perf_counter()
    with showing_progress(args.progress) as progress:
        progress("reading the photo", 0.0)
        photo = read_working_photo(args.photo, settings)
        progress("estimating depth", 0.05)
        estimated = estimate_depth(photo.rgb, settings, Networks(), find_fluids=True)
        progress("writing", 0.9)
        kinds = [write_depth(path, estimated.depth.depth) for path in args.output]
        progress("done", 1.0)
    height, width = photo.rgb.shape[1:]
    seconds = time.perf_counter() - started
    for path, kind in zip(args.output, kinds, strict=True):
        said = f"{kind}, {width}x{height}, {estimated.source.description}"
        tell(f"{path}: {said}, {seconds:.1f} s", args)
