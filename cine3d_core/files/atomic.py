"""Files appear under their name whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cine3d_core.errors import InputError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file grew beyond the size allowed here",
    errno.EACCES: "there is no permission to write there",
    errno.EPERM: "there is no permission to write there",
    errno.EROFS: "that disk is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the disk reported an error",
}
# Folders may be shared between machines, whose process numbers mean nothing here.
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_serial = itertools.count()  # two writers of one name in one process get two temporary names


def check_output(path: str | Path) -> Path:
    """The place `path` really names (links followed); InputError when no file can be put there."""
    if "\0" in str(path):  # which the system's functions refuse in their own way
        raise InputError(f"cannot write {str(path)!r}: a name cannot hold a null; rename it")
    with writing(path):
        place = Path(os.path.realpath(path))
        problem = _problem(place)
    if problem is not None:
        raise InputError(f"cannot write {path}: {problem}")
    return place


def _problem(place: Path) -> str | None:
    if not place.parent.is_dir():
        return f"the folder {place.parent} does not exist; create it first"
    if place.is_dir():
        return "that is a folder; give the name of a file"
    # renaming onto a device node would replace the device itself
    if place.exists() and not place.is_file():
        return "that is a device, not a file; name a file"
    if not os.access(place.parent, os.W_OK):
        return "there is no permission to write there; choose another place"
    return None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary sibling to write, renamed to `path` at the end if nothing was raised.

    The temporary name is hidden, belongs to this process alone and ends in the extension of `path`
    (encoders look at it). Whatever is raised inside removes it and leaves the old file as it was.

    Raises:
        InputError: the place cannot be written, or the disk filled up.
    """
    place = check_output(path)
    begin = f".{place.stem[:100]}.{_HOST}-"
    temporary = place.with_name(f"{begin}{os.getpid()}-{next(_serial)}.tmp{place.suffix}")
    _remove_orphans(place.parent, begin)
    try:
        with writing(path):
            yield temporary
            _flush(temporary)
            os.replace(temporary, place)
            _flush_folder(place.parent)
    finally:
        with suppress(FileNotFoundError):  # gone already where all went well
            temporary.unlink()


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn what the disk refuses inside into an InputError that names `path`."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise InputError(
            f"cannot write {path}: {reason}; make room or choose another place"
        ) from error


def _remove_orphans(folder: Path, begin: str) -> None:
    """Remove what writers of the same name left behind that were killed on this machine."""
    if os.name != "posix":  # Windows has no way to ask whether a process lives
        return
    for name in os.listdir(folder):
        owner = re.match(r"(\d+)-\d+\.tmp", name[len(begin) :])
        if name.startswith(begin) and owner is not None and not _is_alive(int(owner.group(1))):
            with suppress(OSError):  # somebody else was quicker, or may not
                (folder / name).unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another person's; no process of ours
        return True
    return True


def _flush(path: Path) -> None:
    """Wait until the bytes are on the disk: a rename must not overtake them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the rename itself last; Windows can neither do this nor needs it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
