"""Write the scenes.

python -m blender_addon.development.truth OUT --split test|train --textures FOLDER
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .truth import TEST, TRAIN, write_scene

_SPLITS = {split.name: split for split in (TEST, TRAIN)}


def main(arguments: list[str] | None = None) -> int:
    """Write the scenes of a split that are not there yet; gives the exit code."""
    parser = argparse.ArgumentParser(prog="blender_addon.development.truth", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the scenes, one folder each")
    parser.add_argument("--split", choices=sorted(_SPLITS), required=True)
    parser.add_argument("--textures", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--scenes", type=int, help="how many (default: test 12, train 24)")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene")
    parser.add_argument("--size", type=_size, help="640x360; default: by the split")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = parser.parse_args(arguments)
    split = _SPLITS[options.split]
    needed = {name for crops in split.crops.values() for name, _ in crops}
    missing = sorted(n for n in needed if not (options.textures / f"{n}.jpg").is_file())
    if missing:
        print(f"{options.textures} lacks {', '.join(missing)} (.jpg); name the folder that has the "
              f"photographs of the {options.split} split", file=sys.stderr)  # fmt: skip
        return 2
    count = split.scenes if options.scenes is None else options.scenes
    for number in range(options.first, options.first + count):
        if list(options.out.glob(f"{options.split}-{number:02d}-*/scene.json")):
            continue
        started = time.monotonic()
        with _quiet():
            folder = write_scene(
                options.out,
                split,
                number,
                textures=options.textures,
                size=options.size or split.size,
                threads=options.threads,
            )
        print(f"{folder}: {time.monotonic() - started:.1f} s", flush=True)
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is not a size; write it like 640x360")
    return int(width), int(height)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what Blender itself prints for every frame to nowhere."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
