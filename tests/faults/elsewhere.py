"""Doors that are tried in a process of their own: Blender's Python, and children to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from tests.command_line import ROOT

BLENDS, KILLS = ".blend files", "kills, disks, clocks"

Tried = list[tuple[str, str | None]]  # name and problem of every case
# Children are forked: of Numba's ways to run threads only this one outlives a fork.
_ONE_THREAD = {
    "NUMBA_THREADING_LAYER": "workqueue",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def try_elsewhere(door: str) -> Tried:
    """Try the cases of one of these doors; none where the machine lacks what they need."""
    with tempfile.TemporaryDirectory(prefix="cine3d-elsewhere-") as folder:
        if door == KILLS:
            return _tried([sys.executable, "-m", "tests.faults.kills"], _ONE_THREAD)
        python = _blender_python()
        if python is None:
            print("no bpy: the .blend files were not tried; run make test-blender first")
            return []
        command = [python, "-m", "tests.faults.blend_program", folder]
        return _tried(command, {"CINE3D_WORKER_PYTHON": sys.executable})


def _blender_python() -> str | None:
    """The interpreter of the newest environment that `make test-blender` has made."""
    named = os.environ.get("CINE3D_BPY_PYTHON")
    found = sorted(ROOT.glob(".venv-bpy-[45].*/bin/python"))
    return named or (str(found[-1]) if found else None)


def _tried(command: list[str], variables: dict[str, str]) -> Tried:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("CASE ")]
    results: Tried = [tuple(json.loads(line.removeprefix("CASE "))) for line in lines]
    if done.returncode:
        results.append(("the process ends by itself", f"{done.returncode}: {done.stderr[-2000:]}"))
    return results
