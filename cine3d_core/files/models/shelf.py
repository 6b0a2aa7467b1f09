"""Getting, bringing, listing and removing networks of the shelf (`catalogue`).

An entry lies in a folder of its name below the user's models folder, with its files as the hub has
them and `shelf.json`, which says where they came from and what their checksums are. What is being
got lies beside it in `.NAME.part` until it is whole and checked; then the folder is renamed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import writing
from cine3d_core.files.inputs import input_file, read_json, sha256_of
from cine3d_core.files.models import hub
from cine3d_core.files.models.catalogue import (
    ShelfEntry,
    ShelfFile,
    Task,
    find_entry,
    shelf_entries,
)
from cine3d_core.files.models.places import model_folders, user_models_folder
from cine3d_core.progress import Progress, ignore_progress

RECORD = "shelf.json"
BUNDLED = "compact"  # the name of whatever comes along
_SPARE_BYTES = 64 << 20  # left free on the disk
_MODES = {"hub": "got from the hub", "hand": "brought by hand"}


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
    came: str  # a key of _MODES

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
    found = [_find(entry) for entry in shelf_entries()]
    return [one for one in found if one is not None and _lack(one) is None]


def best_installed(task: Task) -> Installed | None:
    """The best entry of a task that is on this machine and whose package is."""
    usable = [
        one for one in installed_entries() if one.entry.task == task and has_package(one.entry)
    ]
    return max(usable, key=lambda one: one.entry.rank, default=None)


def chosen(task: Task, name: str | None) -> Installed | None:
    """The network of a task by the one order: a person's choice, the best here, what comes along.

    Args:
        task: what it is to do.
        name: an entry's; "compact" for what comes along; None for the best that is here.

    Returns:
        None for what comes along.

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
            f"{entry.title} is for {entry.task}, not for {task}; there are {BUNDLED}, "
            f"{', '.join(fitting)}"
        )
    return find_installed(entry)


def find_installed(entry: ShelfEntry) -> Installed:
    """An entry ready to be opened, its files checked against their checksums.

    Raises:
        InputError: it is not on this machine, not whole, or its package is missing.
    """
    one = _find(entry)
    if one is None:
        raise InputError(
            f"{entry.title} is not on this machine; get it with: cine3d models get {entry.name} "
            f"({megabytes(entry.size)}, {entry.license})"
        )
    if not has_package(entry):
        raise InputError(
            f"{entry.title} needs the package {entry.package}, which is not installed; install "
            f"it: pip install {entry.package}"
        )
    problem = _lack(one) or _damage(one)
    if problem:
        raise InputError(problem)
    return one


def verify_installed() -> list[tuple[ShelfEntry, str | None]]:
    """Every entry on this machine, with None when whole, else with a sentence on what is wrong."""
    found = [one for entry in shelf_entries() if (one := _find(entry)) is not None]
    return [(one.entry, _lack(one) or _damage(one)) for one in found]


def has_package(entry: ShelfEntry) -> bool:
    """Whether the package that runs an entry is installed; it is not imported."""
    return importlib.util.find_spec(entry.package) is not None


def get(entry: ShelfEntry, *, progress: Progress = ignore_progress) -> Installed:
    """Fetch an entry from the hub: to be called only when a person asks for it.

    What is there already is kept. What was fetched before the connection broke, or before
    `progress` raised to cancel, is kept too, and the next call goes on from there.

    Raises:
        InputError: the hub, the connection or the disk refuse, or what came is not what was wanted.
    """
    hub.check_allowed()
    one = _find(entry)
    if one is not None and (_lack(one) or _damage(one)) is None:
        return one
    part = _part_folder(entry)
    _check_space(entry.size - _bytes_below(part), part)
    with _writing_alone(part, entry):
        stored, commit = _fetch_all(entry, part, progress)
        progress(f"Putting {entry.title} in place", 1.0)
        return _put_in_place(entry, part, stored, commit, "hub")


def add(
    entry: ShelfEntry, sources: Sequence[Path], *, progress: Progress = ignore_progress
) -> Installed:
    """Take an entry's files from a folder, or from files, that a person brought.

    Raises:
        InputError: files are missing, or are others than the entry's.
    """
    found = {file: _brought(file, entry, sources) for file in entry.files}
    for path in found.values():
        check_kind(path)
    part = _part_folder(entry)
    _check_space(sum(path.stat().st_size for path in found.values()), part)
    with _writing_alone(part, entry):
        try:
            stored = _copy_all(entry, found, part, progress)
        except BaseException:  # a part of a copy is of no use: the whole of it is at hand
            shutil.rmtree(part)
            raise
        return _put_in_place(entry, part, stored, "", "hand")


def _copy_all(
    entry: ShelfEntry, found: dict[ShelfFile, Path], part: Path, progress: Progress
) -> list[StoredFile]:
    done, whole = 0, max(sum(path.stat().st_size for path in found.values()), 1)
    stored: list[StoredFile] = []
    for file, path in found.items():
        target = part / file.path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        for count in _copied(path, target):
            progress(f"Copying {entry.title}", (done + count) / whole)
        done += target.stat().st_size
        stored.append(StoredFile(file.path, target.stat().st_size, sha256_of(target)))
        if file.sha256 not in (None, stored[-1].sha256):
            raise InputError(
                f"{path} is another file than {entry.title}'s {file.path} (wrong checksum); "
                f"download that from {entry.source}"
            )
    return stored


def check_kind(path: Path) -> None:
    """InputError when a file's first bytes are not of the kind that its name says."""
    with path.open("rb") as file:
        head = file.read(16)
    good = {
        ".safetensors": len(head) > 8 and head[8:9] == b"{",
        ".json": head.lstrip()[:1] == b"{",
        ".bin": head[:4] == b"PK\x03\x04",
        ".onnx": head[:1] == b"\x08",  # the first field of the message, a version
    }
    if not good.get(path.suffix, True):
        raise InputError(f"{path} is no {path.suffix} file (perhaps a web page); download it again")


def remove(entry: ShelfEntry) -> int:
    """Delete an entry, and what was begun of it; the bytes that became free.

    Raises:
        InputError: there is nothing of it in the user's folder, or the disk refuses.
    """
    places = [user_models_folder() / entry.name, _part_folder(entry)]
    there = [place for place in places if place.is_dir()]
    if not there:
        one = _find(entry)
        where = f"; the one in {one.folder} belongs to the installation" if one else ""
        raise InputError(f"{entry.title} is not in {user_models_folder()}{where}")
    freed = sum(map(_bytes_below, there))
    for place in there:
        with writing(place):
            shutil.rmtree(place)
    return freed


def begun(entry: ShelfEntry) -> int:
    """Bytes of an entry that were fetched before it was cancelled."""
    return _bytes_below(_part_folder(entry))


def shelf_state() -> list[dict[str, Any]]:
    """Every entry and whether it is here, in JSON's types, for lists that people see."""
    here = {one.entry.name: one for one in installed_entries()}
    return [
        {
            "name": entry.name,
            "title": entry.title,
            "task": entry.task,
            "size": entry.size,
            "size_text": megabytes(here[entry.name].size if entry.name in here else entry.size),
            "license": entry.license,
            "license_url": entry.license_url,
            "source": entry.source,
            "replaces": entry.replaces,
            "better": entry.better,
            "package": entry.package,
            "package_installed": has_package(entry),
            "installed": entry.name in here,
            "folder": str(here[entry.name].folder) if entry.name in here else "",
            "begun": begun(entry),
        }
        for entry in shelf_entries()
    ]


def megabytes(size: int) -> str:
    """A size for people: "99 MB", "0.1 MB"."""
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e6:.1f} MB"


def _find(entry: ShelfEntry) -> Installed | None:
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
    if {file.path for file in files} != {file.path for file in entry.files} or came not in _MODES:
        raise InputError(f"the record {folder / RECORD} is of another entry; get it again")
    return Installed(entry, folder, files, commit, came)


def _lack(one: Installed) -> str | None:
    """What is plainly wrong with an installed entry, in one sentence."""
    for file in one.files:
        place = one.folder / file.path
        if not place.is_file() or place.stat().st_size != file.size:
            return f"{one.entry.title} in {one.folder} lacks {file.path} or a part of it; " + (
                f"get it again: cine3d models get {one.entry.name}"
            )
    return None


def _damage(one: Installed) -> str | None:
    """What the checksums say, in one sentence."""
    for file in one.files:
        place = one.folder / file.path
        if _checksum(place, place.stat().st_mtime_ns) != file.sha256:
            return f"{place} is damaged (wrong checksum); get it again: " + (
                f"cine3d models remove {one.entry.name}, then cine3d models get {one.entry.name}"
            )
    return None


@lru_cache(maxsize=64)  # a stage asks for its network with every build
def _checksum(path: Path, _modified: int) -> str:
    return sha256_of(path)


def _fetch_all(entry: ShelfEntry, part: Path, progress: Progress) -> tuple[list[StoredFile], str]:
    """All files of an entry in its part folder, and their commit."""

    def told(done: int, whole: int) -> Callable[[int], None]:
        stage = f"Getting {entry.title}"
        return lambda count: progress(
            f"{stage}: {megabytes(done + count)} of {megabytes(whole)}",
            (done + count) / max(whole, 1),
        )

    asking = told(0, entry.size)
    offers: list[hub.HubFile] = []
    revision = entry.revision
    for file in entry.files:
        url = hub.file_address(entry.repository, revision, file.path)
        said = hub.ask(url, tick=asking)
        hub.check_offer(said, url, largest=file.size, sha256=file.sha256)
        # a branch may move between two files: all come from the commit of the first
        revision = said.commit or revision
        offers.append(said)
    whole, done = sum(said.size for said in offers), 0
    _check_space(whole - _bytes_below(part), part)
    stored = []
    for file, said in zip(entry.files, offers, strict=True):
        target = part / file.path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        tick = told(done, whole)
        url = hub.file_address(entry.repository, revision, file.path)
        hub.fetch(url, target, said, tick=tick)
        stored.append(
            StoredFile(file.path, said.size, hub.checked(target, said, file.sha256, tick=tick))
        )
        done += said.size
    return stored, revision


def _put_in_place(
    entry: ShelfEntry, part: Path, stored: list[StoredFile], commit: str, came: str
) -> Installed:
    """The part folder, whole, under its name."""
    content = {
        "name": entry.name,
        "repository": entry.repository,
        "commit": commit,
        "license": entry.license,
        "came": came,
        "files": [asdict(file) for file in stored],
    }
    target = user_models_folder() / entry.name
    with writing(target):
        wanted = {file.path for file in stored}
        for path in sorted(part.rglob("*")):
            if path.is_file() and path.relative_to(part).as_posix() not in wanted:
                path.unlink()
        (part / RECORD).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        if target.is_dir():  # damaged, else we would not be here
            shutil.rmtree(target)
        os.replace(part, target)
    return Installed(entry, target, tuple(stored), commit, came)


def _brought(file: ShelfFile, entry: ShelfEntry, sources: Sequence[Path]) -> Path:
    """Where a person's folder or files hold one of an entry's files."""
    name = file.path.rpartition("/")[2]
    for source in sources:
        if source.is_dir():
            for path in (source / file.path, source / name):
                if path.is_file():
                    return input_file(path, "network's file")
        elif source.name == name or len(entry.files) == len(sources) == 1:
            return input_file(source, "network's file")
    missing = ", ".join(str(source) for source in sources)
    raise InputError(
        f"{entry.title} consists of {', '.join(one.path for one in entry.files)}, and {file.path} "
        f"is not in {missing}; download it from {entry.source} first"
    )


def _copied(source: Path, target: Path) -> Iterator[int]:
    """Copies a file; the bytes that are there, again and again."""
    with writing(target), source.open("rb") as old, target.open("wb") as new:
        count = 0
        while chunk := old.read(1 << 22):
            new.write(chunk)
            count += len(chunk)
            yield count


def _part_folder(entry: ShelfEntry) -> Path:
    return user_models_folder() / f".{entry.name}.part"


def _bytes_below(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _check_space(needed: int, part: Path) -> None:
    """InputError when the disk has no room, before anything is fetched."""
    place = part
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise InputError(
            f"{megabytes(needed + _SPARE_BYTES)} are needed in {part.parent} and "
            f"{megabytes(free)} are free; make room, or name another folder in CINE3D_MODELS"
        )


@contextmanager
def _writing_alone(part: Path, entry: ShelfEntry) -> Iterator[None]:
    """The part folder, for one process at a time."""
    # beside the folder: Windows renames no folder that has an open file in it
    place = part.with_suffix(".lock")
    with writing(part):
        part.mkdir(parents=True, exist_ok=True)
        lock = place.open("ab")
    with lock:  # whose closing unlocks, as the end of a process does
        _lock(lock.fileno(), entry)
        try:
            yield
        finally:
            if part.is_dir() and not _bytes_below(part):
                shutil.rmtree(part)
            if os.name == "posix":  # elsewhere an open file cannot be removed, and this one stays
                place.unlink(missing_ok=True)


def _lock(descriptor: int, entry: ShelfEntry) -> None:
    if os.name != "posix":  # Windows: two writers of one file refuse each other by themselves
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(
            f"{entry.title} is being got by another Cine3D already; wait for it"
        ) from error
