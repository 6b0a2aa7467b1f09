"""Networks of the shelf (`catalogue`) that are on this machine, and which of them a task takes.

An entry lies in a folder of its name below a models folder, with its files as the hub has them and
`shelf.json`, which says where they came from and what their checksums are.
"""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import read_json, sha256_of
from cine3d_core.files.models.catalogue import ShelfEntry, Task, find_entry, shelf_entries
from cine3d_core.files.models.places import model_folders

RECORD = "shelf.json"
BUNDLED = "compact"  # the name of whatever comes along
CAME = {"hub": "got from the hub", "hand": "added from files"}


@dataclass(frozen=True)
class StoredFile:
    """One file as it lies on the disk."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Installed:
    """An entry that is on this machine."""

    entry: ShelfEntry
    folder: Path
    files: tuple[StoredFile, ...]
    commit: str  # "" where nobody said
    came: str  # a key of CAME

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def checksum(self) -> str:
        """For a scene's list of models: of its largest file, the weights."""
        return max(self.files, key=lambda file: file.size).sha256


def installed_entries() -> list[Installed]:
    """What is on this machine, in the order of the table; whatever is not whole is left out."""
    found = [find_anywhere(entry) for entry in shelf_entries()]
    return [one for one in found if one is not None and lack(one) is None]


def shelf_stamp() -> int:
    """A number that changes whenever an entry comes to this machine or goes."""
    places = [root / entry.name / RECORD for root in model_folders() for entry in shelf_entries()]
    return hash(tuple(os.stat(p).st_mtime_ns if os.path.isfile(p) else 0 for p in places))


def best_installed(task: Task) -> Installed | None:
    """The best entry of a task that is on this machine and whose package is."""
    usable = [
        one for one in installed_entries() if one.entry.task == task and has_package(one.entry)
    ]
    return max(usable, key=lambda one: one.entry.rank, default=None)


def chosen(task: Task, name: str | None) -> Installed | None:
    """The network of a task, in this order: a person's choice, the best installed, the bundled one.

    Args:
        task: what it is to do.
        name: an entry's; "compact" for the bundled one; None for the best one installed.

    Returns:
        None for the bundled network.

    Raises:
        InputError: the one chosen is not here, not whole, or for another task.
    """
    if name == BUNDLED:
        return None
    if name is None:
        best = best_installed(task)
        return None if best is None else find_installed(best.entry)
    entry = find_entry(name)
    if entry.task != task:
        fitting = [one.name for one in shelf_entries() if one.task == task]
        raise InputError(
            f"{entry.title} is for {entry.task}, not for {task}; choose one of "
            f"{BUNDLED}, {', '.join(fitting)}"
        )
    return find_installed(entry)


def find_installed(entry: ShelfEntry) -> Installed:
    """An entry ready to be opened, its files checked against their checksums.

    Raises:
        InputError: it is not on this machine, not whole, or its package is missing.
    """
    one = find_anywhere(entry)
    if one is None:
        raise InputError(
            f"{entry.title} is not on this machine ({megabytes(entry.size)}, {entry.license})",
            f"get it with {{get_network}} {entry.name}",
        )
    if not has_package(entry):
        raise InputError(
            f"{entry.title} needs the package {entry.package}, which is not installed",
            f"use {{install_package}} {entry.package}",
        )
    problem = lack(one) or damage(one)
    if problem:
        raise problem
    return one


def verify_installed() -> list[tuple[ShelfEntry, str | None]]:
    """Every entry on this machine, with None when whole, else with a sentence on what is wrong."""
    found = [one for entry in shelf_entries() if (one := find_anywhere(entry)) is not None]
    problems = [lack(one) or damage(one) for one in found]
    told = [None if problem is None else str(problem) for problem in problems]
    return [(one.entry, sentence) for one, sentence in zip(found, told, strict=True)]


def has_package(entry: ShelfEntry) -> bool:
    """Whether the package that runs an entry is installed; it is not imported."""
    return importlib.util.find_spec(entry.package) is not None


def megabytes(size: int) -> str:
    """A readable size: "99 MB", "0.1 MB"."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e6:.1f} MB"


def find_anywhere(entry: ShelfEntry) -> Installed | None:
    """The entry in the first models folder that has it."""
    for root in model_folders():
        folder = root / entry.name
        if os.path.isfile(folder / RECORD):
            with suppress(InputError):  # damaged: as if it were not there, to be got anew
                return _read_record(entry, folder)
    return None


def _read_record(entry: ShelfEntry, folder: Path) -> Installed:
    content = read_json(folder / RECORD, "record")
    try:
        files = tuple(
            StoredFile(str(one["path"]), int(one["size"]), str(one["sha256"]))
            for one in content["files"]
        )
        commit, came = str(content["commit"]), str(content["came"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the record {folder / RECORD} is damaged; get it again") from error
    if {file.path for file in files} != {file.path for file in entry.files} or came not in CAME:
        raise InputError(f"the record {folder / RECORD} belongs to another network; get it again")
    return Installed(entry, folder, files, commit, came)


def lack(one: Installed) -> InputError | None:
    """What is plainly wrong with an installed entry."""
    for file in one.files:
        place = one.folder / file.path
        if not place.is_file() or place.stat().st_size != file.size:
            return InputError(
                f"{one.entry.title} in {one.folder} lacks {file.path} or a part of it",
                f"get it again with {{get_network}} {one.entry.name}",
            )
    return None


def damage(one: Installed) -> InputError | None:
    """What the checksums say."""
    for file in one.files:
        place = one.folder / file.path
        if _checksum(place, place.stat().st_mtime_ns) != file.sha256:
            return InputError(
                f"{place} is damaged (wrong checksum)",
                f"get it again with {{remove_network}} {one.entry.name}, "
                f"then {{get_network}} {one.entry.name}",
            )
    return None


@lru_cache(maxsize=64)  # a stage asks for its network with every build
def _checksum(path: Path, _modified: int) -> str:
    return sha256_of(path)
