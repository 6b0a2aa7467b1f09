"""Runs `blend_program.py` in the Python of a `bpy` package, where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from tests.command_line import ROOT

DOOR = ".blend files"


def blender_python() -> str | None:
    """The interpreter of the newest environment that `make test-blender` has made."""
    named = os.environ.get("CINE3D_BPY_PYTHON")
    found = sorted(ROOT.glob(".venv-bpy-[45].[0-9]*/bin/python"))
    return named or (str(found[-1]) if found else None)


def try_blends() -> list[tuple[str, str | None]]:
    """Name and problem of every case; empty where there is no `bpy`."""
    python = blender_python()
    if python is None:
        print("no bpy: the .blend files were not tried; run make test-blender first")
        return []
    with tempfile.TemporaryDirectory(prefix="cine3d-blends-") as folder:
        done = subprocess.run(
            [python, "-m", "tests.faults.blend_program", folder],
            capture_output=True, text=True, check=False, cwd=ROOT,
            env={**os.environ, "CINE3D_WORKER_PYTHON": sys.executable},
        )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("CASE ")]
    results = [tuple(json.loads(line.removeprefix("CASE "))) for line in lines]
    if done.returncode:
        results.append(("Blender ends by itself", f"{done.returncode}: {done.stderr[-2000:]}"))
    return results
