"""Getting, bringing, listing and removing networks of the shelf (`catalogue`, `installed`).

What is being got lies in `.NAME.part` of the user's models folder until it is whole and checked;
then that folder is renamed to NAME.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import writing
from cine3d_core.files.inputs import input_file, sha256_of
from cine3d_core.files.models import hub
from cine3d_core.files.models.catalogue import ShelfEntry, ShelfFile, shelf_entries
from cine3d_core.files.models.installed import (
    RECORD,
    Installed,
    StoredFile,
    damage,
    find_anywhere,
    has_package,
    installed_entries,
    lack,
    megabytes,
)
from cine3d_core.files.models.places import user_models_folder
from cine3d_core.progress import Progress, ignore_progress

_SPARE_BYTES = 64 << 20  # left free on the disk


def get(entry: ShelfEntry, *, progress: Progress = ignore_progress) -> Installed:
    """Fetch an entry from the hub: to be called only when a person asks for it.

    What is there already is kept. What was fetched before the connection broke, or before
    `progress` raised to cancel, is kept too, and the next call goes on from there.

    Raises:
        InputError: the hub, the connection or the disk refuse, or what came is not what was wanted.
    """
    hub.check_allowed()
    one = find_anywhere(entry)
    if one is not None and (lack(one) or damage(one)) is None:
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
    """Take an entry's files from a folder, or from files, that a person named.

    Raises:
        InputError: files are missing, or are others than the entry's.
    """
    found = {file: _offered(file, entry, sources) for file in entry.files}
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
        raise InputError(
            f"{path} is not a {path.suffix} file (perhaps a web page); download it again"
        )


def remove(entry: ShelfEntry) -> int:
    """Delete an entry, and what was begun of it; the bytes that became free.

    Raises:
        InputError: there is nothing of it in the user's folder, or the disk refuses.
    """
    places = [user_models_folder() / entry.name, _part_folder(entry)]
    there = [place for place in places if place.is_dir()]
    if not there:
        one = find_anywhere(entry)
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


def shelf_words(one: dict[str, Any], names: Mapping[str, str]) -> str:
    """One entry of `shelf_state` in a line: what it is here, or would add, and what it weighs.

    Args:
        one: the entry.
        names: how the front end calls what can be done, see `errors.COMMANDS`.
    """
    if one["installed"]:
        unused = f", but not used: {names['install_package']} {one['package']}"
        return f"installed, {one['size_text']}, {one['license']}" + (
            "" if one["package_installed"] else unused
        )
    return (
        f"not installed ({one['size_text']}), optional: {one['better']} "
        f"({names['get_network']} {one['name']})"
    )


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


def _offered(file: ShelfFile, entry: ShelfEntry, sources: Sequence[Path]) -> Path:
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
            f"{entry.title} is already being downloaded by another Cine3D; wait for it"
        ) from error
