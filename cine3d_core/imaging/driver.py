"""What NVIDIA's driver says of the graphics card; for programs without torch, too."""

from __future__ import annotations

import functools
import shutil
import subprocess

_SECONDS = 5.0  # a hanging driver never answers


@functools.cache
def driver_says() -> tuple[str, str] | None:
    """Name and driver version of the first NVIDIA card; None where its program is not installed."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    name, comma, driver = answer.stdout.partition("\n")[0].rpartition(",")
    return (name.strip(), driver.strip()) if comma else None
