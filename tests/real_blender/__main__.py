"""A real Blender with a real window: install the zip, import, play, render, save, quit, reopen.

    python -m tests.real_blender --zip dist/cine3d-0.1.0.zip --out out/real [--root CHROOT]

Needs `blender`, `xvfb-run` and ImageMagick's `import`; with --root they are taken from a system in
that folder (made by debootstrap; /proc, /dev, this repository and the interpreter's folder must be
mounted there under their own paths). Leaves screenshots, the .blend and two frames in --out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.command_line import HINTS, PHOTO, ROOT

DRIVE = Path(__file__).with_name("drive.py")
LIMIT_S = 1800  # for each session
SCREEN = "-screen 0 1400x900x24 +extension GLX"
SHOTS = ("1-progress", "2-imported", "3-playing", "4-reopened")


def run_session(name: str, chosen: argparse.Namespace, profile: Path) -> None:
    """One start of Blender, to its end."""
    places = {
        "session": name,
        "zip": str(chosen.zip.resolve()),
        "photo": str(chosen.out / "photo.jpg"),
        "hints": str(HINTS),
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
    blender = [
        chosen.blender,
        "--python-exit-code",
        "3",
        "--window-geometry",
        "0",
        "0",
        "1400",
        "900",
    ]
    command = [*outside, *environment, "xvfb-run", "-a", "-s", SCREEN, *blender, "-P", str(DRIVE)]
    with (chosen.out / f"{name}.log").open("w") as log:
        code = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
        ).returncode
    told = (chosen.out / f"{name}.log").read_text(errors="replace")
    assert f"DRIVEN {name}" in told and "Traceback" not in told, (code, told[-3000:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_blender", description=__doc__)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "real")
    parser.add_argument("--root", type=Path, help="a system to change root into")
    parser.add_argument("--blender", default="blender", help="the binary (blender)")
    parser.add_argument("--python", default=sys.executable, help="the worker's Python")
    chosen = parser.parse_args()
    chosen.out = chosen.out.resolve()
    shutil.rmtree(chosen.out, ignore_errors=True)
    profile = chosen.out / "profile"
    profile.mkdir(parents=True)
    # both where the other system sees them; the scene file goes beside the photo
    shutil.copy(PHOTO, chosen.out / "photo.jpg")
    chosen.zip = Path(shutil.copy(chosen.zip, chosen.out))
    run_session("first", chosen, profile)
    run_session("second", chosen, profile)
    frames = [(chosen.out / f"{name}-frame.png").read_bytes() for name in ("first", "second")]
    assert len(frames[0]) > 10_000, "the frame is empty"
    assert all((chosen.out / f"{name}.png").stat().st_size > 10_000 for name in SHOTS)
    print(f"passed; look at {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
