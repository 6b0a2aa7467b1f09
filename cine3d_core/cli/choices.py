"""Options of the command line that choose how a scene is built, made of `settings`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cine3d_core.settings import CHOICES, DEFAULTS, BuildSettings

# what decides about the motion
MOTION = ("depth", "classes", "mask", "hints", "motion", "frames", "size", "border", "view")
_TYPES = {"mask": Path, "hints": Path, "frames": int, "fps": float, "size": int}
_TYPES |= {"fov": float, "focal_mm": float, "depth_strokes": Path}


def add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """An option for each of these fields of `BuildSettings`, with its default and its values."""
    for name in names:
        choice, default = CHOICES[name], DEFAULTS[name]
        said = f"{default:g}" if isinstance(default, (int, float)) else default
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_TYPES.get(name, str),
            default=default,
            metavar=choice.metavar,
            choices=[option.name for option in choice.options] or None,
            help=choice.help if said is None else f"{choice.help} ({said})",
        )


def settings_from(args: argparse.Namespace) -> BuildSettings:
    """The settings that the given options say; what the command does not ask for is as ever."""
    given = {name: value for name, value in vars(args).items() if name in CHOICES}
    return BuildSettings(**given)
