"""A real Blender with a real window, keys and mouse: the first minute, and an artist at work.

    python -m tests.real_blender --zip dist/cine3d-VERSION.zip --out out/real [--root FOLDER]

Needs `blender`, `xvfb-run`, `xdotool` and ImageMagick's `import`. With --root they are those of a
system in that folder, as `debian.sh` beside this file makes it; only root may do that. What of this
machine the system must see is mounted there for the time. Leaves screenshots, the .blend and frames
in --out, and fails unless the frame of the reopened file is the frame of before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.command_line import HINTS, PHOTO, ROOT

DRIVE = Path(__file__).with_name("drive.py")
LIMIT_S = {"photographs": 4000}  # eight of them; every other session has
SESSION_S = 1800
SCREEN = "-screen 0 1400x900x24 +extension GLX"
WINDOW = ("--window-geometry", "0", "0", "1400", "900")
SHOTS = (
    *("1-progress", "2-first-minute", "3-playing", "4-reopened", "5-after-repeating"),
    *("6-annotation-and-preview", "7-mask", "8-drop-asks"),
)
SESSIONS = ("first", "second", "artist")  # the later ones go on with the file of the first
ALONE = ("hand", "mask", "photographs")  # sessions that go on with no other
PROGRAMS = ("xvfb-run", "import", "xdotool")


def missing(chosen: argparse.Namespace) -> str | None:
    """What is not there, and what to do about it."""
    if not chosen.zip.is_file():
        return f"there is no {chosen.zip}; run make dist, or name another zip"
    if chosen.root and (not hasattr(os, "geteuid") or os.geteuid() != 0):
        return "only root may change into another system; use sudo, or leave --root away"
    if chosen.root and not (chosen.root / "bin/sh").exists():
        return f"{chosen.root} holds no system; make one with tests/real_blender/debian.sh"
    if chosen.only == "photographs" and not (chosen.photos and chosen.photos.is_dir()):
        return "name the folder of the eight test photographs with --photos"
    for program in (chosen.blender, *PROGRAMS):
        found = ["sh", "-c", 'command -v "$0"', program]
        command = ["chroot", str(chosen.root), *found] if chosen.root else found
        if subprocess.run(command, capture_output=True, check=False).returncode:
            where = chosen.root or "this system"
            return f"{where} has no {program}; see tests/real_blender/debian.sh for what is needed"
    return None


@contextlib.contextmanager
def mounted(root: Path, places: list[Path]) -> Iterator[None]:
    """Show folders of this machine to the system in `root`, under their own names."""
    with contextlib.ExitStack() as stack:
        for place in places:
            inside = root / place.relative_to("/")
            if inside.is_dir() and inside.stat().st_dev != root.stat().st_dev:
                continue  # mounted already
            if inside.is_dir() and os.path.samestat(inside.stat(), place.stat()):
                continue
            inside.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", str(place), str(inside)], check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", str(inside)], check=False)
        yield


def needed(chosen: argparse.Namespace) -> list[Path]:
    """Folders that Blender and the worker must see."""
    python = Path(chosen.python).absolute()
    own = [python.parent.resolve().parent, python.resolve().parent.parent]  # environment and base
    photos = [] if chosen.photos is None else [chosen.photos.resolve()]
    return [Path("/proc"), Path("/dev"), ROOT, chosen.out, *photos, *own]


def run_session(name: str, chosen: argparse.Namespace, profile: Path) -> None:
    """One start of Blender, to its end."""
    places = {
        "session": name,
        "zip": str(chosen.zip.resolve()),
        "photo": str(chosen.out / "photo.jpg"),
        "hints": str(HINTS),
        "photos": "" if chosen.photos is None else str(chosen.photos.resolve()),
        "out": str(chosen.out),
        "python": chosen.python,
    }
    variables = {
        "CINE3D_DRIVE": json.dumps(places),
        "BLENDER_USER_RESOURCES": str(profile),
        "HOME": str(profile),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "XDG_RUNTIME_DIR": "/tmp",
        "PATH": os.environ["PATH"],
    }
    outside = ["chroot", str(chosen.root)] if chosen.root else []
    environment = ["env", *(f"{key}={value}" for key, value in variables.items())]
    screen = ["xvfb-run", "-a", "-s", SCREEN]
    blender = [chosen.blender, "--python-exit-code", "3", *WINDOW, "-P", str(DRIVE)]
    with (chosen.out / f"{name}.log").open("w") as log:
        code = subprocess.run(
            [*outside, *environment, *screen, *blender],
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S.get(name, SESSION_S),
            check=False,
        ).returncode
    told = (chosen.out / f"{name}.log").read_text(errors="replace")
    assert code == 0 and f"DRIVEN {name}" in told and "Traceback" not in told, (code, told[-3000:])


def check_results(out: Path) -> None:
    """The pictures are there, and the reopened file draws what the first one drew."""
    first, second = (np.asarray(Image.open(out / f"{s}-frame.png")) for s in ("first", "second"))
    assert first.std() > 10, "the frame is empty"
    assert np.array_equal(first, second), "the reopened file draws another frame"
    for name in SHOTS:
        assert np.asarray(Image.open(out / f"{name}.png")).std() > 10, f"{name} is empty"
    assert "Cine3D" in (out / "system-info.txt").read_text()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_blender", description=__doc__)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "real")
    parser.add_argument("--root", type=Path, help="a system to change root into")
    parser.add_argument("--blender", default="blender", help="the binary (blender)")
    parser.add_argument("--python", default=sys.executable, help="the worker's Python")
    parser.add_argument(
        "--only",
        choices=(*SESSIONS, *ALONE, "pictures"),
        help="one session; all but hand and photographs go on with what a run left in --out",
    )
    parser.add_argument(
        "--photos", type=Path, help="folder of the eight test photographs, for --only photographs"
    )
    chosen = parser.parse_args()
    if (sentence := missing(chosen)) is not None:
        print(sentence, file=sys.stderr)
        return 2
    chosen.out = chosen.out.resolve()
    chosen.root = chosen.root and chosen.root.resolve()
    profile = chosen.out / "profile"
    if chosen.only is None or chosen.only in ALONE:
        shutil.rmtree(chosen.out, ignore_errors=True)
        profile.mkdir(parents=True)
    elif not profile.is_dir():
        print(f"nothing is in {chosen.out} yet; run all sessions first", file=sys.stderr)
        return 2
    # both where the other system sees them; the scene file goes beside the photo
    shutil.copy(PHOTO, chosen.out / "photo.jpg")
    chosen.zip = Path(shutil.copy(chosen.zip, chosen.out))
    with mounted(chosen.root or Path("/"), needed(chosen) if chosen.root else []):
        for session in (chosen.only,) if chosen.only else SESSIONS:
            run_session(session, chosen, profile)
    if chosen.only is None:
        check_results(chosen.out)
    print(f"passed; look at {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
