"""Jobs about the shelf of networks, and clicks; asking for `models_get` is the consent to it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import input_file
from cine3d_core.files.models.catalogue import find_entry, shelf_entries
from cine3d_core.files.models.installed import chosen
from cine3d_core.files.models.places import user_models_folder
from cine3d_core.files.models.runtimes import open_model
from cine3d_core.files.models.shelf import add, get, remove, shelf_state
from cine3d_core.networks.shelf.clicks import Click, EncodedPhoto, encode, mask_of
from cine3d_core.settings import BuildSettings
from cine3d_core.worker.requests import settings_asked, working_photo
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


def click_mask(job: JobInput) -> JobResult:
    """The thing that `clicks` are on: `mask` [H, W] float32 probability, bottom row first.

    `clicks` are (x, y, inside), shares of the sides of the photo as `settings` have it built, y
    from the top. The first click on a `photo` takes seconds, the others a moment. `network` is an
    entry's name; without it the best one here is asked.
    """
    path, settings = job.arguments["photo"], settings_asked(job)
    if "size" in job.arguments:
        settings = replace(settings, size=int(job.arguments["size"]))
    job.progress("Looking at the photo", 0.1)
    modified = input_file(path, "photo").stat().st_mtime_ns
    clicker = _clicker(path, modified, settings, job.arguments.get("network"))
    job.progress("Finding the outline", 0.9)
    clicks = tuple(Click(float(x), float(y), bool(inside)) for x, y, inside in _given(job))
    mask = mask_of(clicker.model, clicker.photo, clicks)
    return {"network": clicker.name}, {"mask": mask[0].flip(0).contiguous().numpy()}


def found_by_network(
    path: str, settings: BuildSettings, clicks: tuple[Click, ...]
) -> tuple[str, np.ndarray] | None:
    """The best network for clicks here and what it says they are on, [H, W] bool; None: none is.

    Args:
        path: of the photo.
        settings: of the size that the mask has.
        clicks: at least one.
    """
    clicker = _best_clicker(path, settings)
    if clicker is None:
        return None
    mask = mask_of(clicker.model, clicker.photo, clicks)[0] > 0.5
    return clicker.name, mask.numpy()


def prepare_clicks(path: str, settings: BuildSettings) -> None:
    """Let the best network for clicks look at a photo, where one is here."""
    _best_clicker(path, settings)


@dataclass(frozen=True)
class _Clicker:
    """A model that has looked at a photo."""

    name: str
    model: Any
    photo: EncodedPhoto


def _best_clicker(path: str, settings: BuildSettings) -> _Clicker | None:
    best = chosen("click", None)
    if best is None:
        return None
    modified = input_file(path, "photo").stat().st_mtime_ns
    return _clicker(path, modified, settings, best.entry.name)


@lru_cache(maxsize=1)  # clicking is a dialogue about one photo
def _clicker(path: str, _modified: int, settings: BuildSettings, network: str | None) -> _Clicker:
    one = chosen("click", network)
    if one is None:
        names = ", ".join(entry.name for entry in shelf_entries() if entry.task == "click")
        raise InputError(f"no network for clicks is on this machine; get one: {names}")
    model = open_model("Sam2Model", one.folder, one.entry.title)
    return _Clicker(one.entry.name, model, encode(model, working_photo(path, settings).rgb))


def _given(job: JobInput) -> list[tuple[float, float, bool]]:
    clicks = job.arguments["clicks"]
    if not clicks:
        raise InputError("no click was given; click on the thing that moves")
    return clicks


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
    "click_mask": click_mask,
}
