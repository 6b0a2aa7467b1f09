"""The worker's jobs about the shelf of networks; `models_get` is the consent to fetch."""

from __future__ import annotations

import shutil
from pathlib import Path

from cine3d_core.files.models.catalogue import find_entry
from cine3d_core.files.models.places import user_models_folder
from cine3d_core.files.models.shelf import add, get, remove, shelf_state
from cine3d_core.worker.server import JobFunction, JobInput, JobResult


def models_list(job: JobInput) -> JobResult:
    """`entries`, each as `shelf_state` has it, `folder` and the bytes `free` there."""
    return _state(), {}


def models_get(job: JobInput) -> JobResult:
    """Fetch the entry `name`; can be cancelled, and goes on where it stopped when asked again."""
    get(find_entry(job.arguments["name"]), progress=job.progress)
    return _state(), {}


def models_add(job: JobInput) -> JobResult:
    """Take the entry `name` from `paths`, a folder or files."""
    paths = [Path(path) for path in job.arguments["paths"]]
    add(find_entry(job.arguments["name"]), paths, progress=job.progress)
    return _state(), {}


def models_remove(job: JobInput) -> JobResult:
    """Delete the entry `name`, and what was begun of it."""
    freed = remove(find_entry(job.arguments["name"]))
    return {**_state(), "freed": freed}, {}


def _state() -> dict[str, object]:
    place = folder = user_models_folder()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return {"entries": shelf_state(), "folder": str(folder), "free": free}


MODEL_JOBS: dict[str, JobFunction] = {
    "models_list": models_list,
    "models_get": models_get,
    "models_add": models_add,
    "models_remove": models_remove,
}
