"""Where photos and scene files are, also after .blend and files moved, were linked or saved again.

Every build is a separate file, named by its content, so that undo and redo find theirs. It waits
in Blender's folder of the user until the .blend is saved; then it lies in the folder `cine3d`
beside it. What no saved file needs any more goes back, and is deleted after two weeks.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..names import user_folder
from ..worker import jobs
from . import handlers

KEPT_S = 14 * 24 * 3600  # builds that no saved file holds
_FOLDER = "cine3d"  # beside the .blend
_referenced: set[Path] = set()  # scene files that the .blend on disk names


def builds_folder() -> Path:
    """Where builds wait for the .blend to be saved."""
    try:
        made = user_folder("builds", create=True)
        if os.access(made, os.W_OK):
            return made
    except OSError:
        pass  # a home that cannot be written: then this session's folder must do
    return Path(bpy.app.tempdir)


def place_for_build(photo: Path) -> Path:
    """The name of a new file, for the worker to write; old builds make room for it."""
    folder = builds_folder()
    for old in folder.glob("*.cine3d"):
        if time.time() - old.stat().st_mtime > KEPT_S:
            old.unlink(missing_ok=True)
    return folder / f"{photo.stem}-{os.getpid()}-{time.monotonic_ns():x}.cine3d"


def named_by_content(built: Path, photo: Path, sha256: str) -> Path:
    """Give a build the name that it keeps wherever it goes."""
    path = built.with_name(f"{photo.stem}-{sha256[:8]}.cine3d")
    os.replace(built, path)
    os.utime(path)
    return path


def stored_path(path: Path) -> str:
    """A path as a .blend should keep it: relative where the .blend has a place."""
    if bpy.data.filepath and path.parent != builds_folder():
        try:
            return bpy.path.relpath(str(path))
        except ValueError:
            return str(path)  # another drive on Windows
    return str(path)


def keep_path(root: bpy.types.Object, name: str, path: Path) -> None:
    """Store a path in a property of a photo, and what it is relative to."""
    setattr(root.cine3d, name, stored_path(path))
    if root.library is None and root.override_library is None:
        root.cine3d.home = str(Path(bpy.data.filepath).parent) if bpy.data.filepath else ""


def candidates(root: bpy.types.Object, name: str) -> Iterator[Path]:
    """Where a file of a photo may be, likeliest first.

    Args:
        root: the photo; its own, linked, or a library override.
        name: of the property, `scene_file`, `photo` or (in its choices) `hints_file`.
    """
    owner = root.cine3d if hasattr(root.cine3d, name) else root.cine3d.choices
    stored = getattr(owner, name)
    if not stored:
        return
    library, changed = root.library, False
    if root.override_library is not None:
        library = root.override_library.reference.library
        changed = any(p.rna_path.endswith(name) for p in root.override_library.properties)
    # a .blend saved on Windows names its files with backslashes
    for text in dict.fromkeys((stored, stored.replace("\\", "/"))):
        here = Path(bpy.path.abspath(text))
        if library is None:
            yield here
        else:
            there = Path(bpy.path.abspath(text, library=library))
            yield from (here, there) if changed else (there, here)
        if text.startswith("//") and root.cine3d.home:  # appended, or undone past Save As
            yield Path(os.path.normpath(os.path.join(root.cine3d.home, text[2:])))
    file_name = re.split(r"[\\/]", stored)[-1]
    homes = [builds_folder()]
    if bpy.data.filepath:
        home = Path(bpy.data.filepath).parent
        homes = [home, home / _FOLDER, *homes]
    yield from (home / file_name for home in homes)


def find(root: bpy.types.Object, name: str) -> Path | None:
    """The first of `candidates` that is a file."""
    # Path.is_file raises for names that are too long
    return next((path for path in candidates(root, name) if os.path.isfile(path)), None)


def scene_file(root: bpy.types.Object) -> Path:
    """The scene file of a photo.

    Raises:
        ValueError: it is at none of the places where it may be.
    """
    found = find(root, "scene_file")
    if found is None:
        known = next(candidates(root, "scene_file"), "(none)")
        raise ValueError(
            f"the scene file {known} of {root.name!r} is not there; use Relink Scene File in the "
            "Cine3D tab to say where it is, or build the photo again"
        )
    return found


def photo_file(root: bpy.types.Object) -> Path:
    """The picture of a photo; the path that is stored where it is nowhere."""
    return find(root, "photo") or Path(bpy.path.abspath(root.cine3d.photo))


def own_roots() -> list[bpy.types.Object]:
    """Photos of this file, not of a library."""
    return [o for o in bpy.data.objects if o.cine3d.is_root and o.library is None]


_restored: list[tuple[bpy.types.bpy_struct, str, str]] = []


@persistent
def _before_saving(filepath: str, *_args) -> None:
    """Bring builds beside the .blend, make paths relative to its new place, keep painted masks."""
    _restored.clear()
    pack_masks()
    if not filepath:  # the start-up file
        return
    folder = Path(filepath).parent
    for root in own_roots():
        if root.override_library is not None:
            continue
        _rebase(root.cine3d, "photo", find(root, "photo"), folder)
        if not _bring_along(root, folder):
            _rebase(root.cine3d, "scene_file", find(root, "scene_file"), folder)
        _remember(root.cine3d, "home")
        root.cine3d.home = str(folder)
        _rebase_choices(root.cine3d.choices, folder)
    for scene in bpy.data.scenes:
        if scene.library is None:
            _rebase_choices(scene.cine3d, folder)


def _rebase_choices(choices: bpy.types.PropertyGroup, folder: Path) -> None:
    for name in ("hints_file", "depth_path"):
        text = getattr(choices, name)
        if text.startswith("//"):
            _rebase(choices, name, Path(bpy.path.abspath(text)), folder)


def _remember(owner: bpy.types.PropertyGroup, name: str) -> None:
    _restored.append((owner, name, getattr(owner, name)))


def _rebase(owner: bpy.types.PropertyGroup, name: str, path: Path | None, folder: Path) -> None:
    """Make a stored path relative to a folder; an absolute path was wanted so and stays."""
    if path is None or not getattr(owner, name).startswith("//"):
        return
    try:
        text = bpy.path.relpath(str(path), start=str(folder))
    except ValueError:
        text = str(path)  # another drive on Windows
    if text != getattr(owner, name):
        _remember(owner, name)
        setattr(owner, name, text)


def _bring_along(root: bpy.types.Object, folder: Path) -> bool:
    """Put a build that waits for it beside the .blend; whether there was one."""
    found = find(root, "scene_file")
    if found is None or found.parent != builds_folder():
        return False
    target = folder / _FOLDER / found.name
    try:
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            _link_or_copy(found, target)
    except OSError as error:
        jobs.tell_soon(
            jobs.Told(
                f"The scene file stays in {found.parent}, because {target.parent} cannot be "
                f"written ({error.strerror}); keep it, or save elsewhere",
                "WARNING",
            )
        )
        return True
    _remember(root.cine3d, "scene_file")
    root.cine3d.scene_file = bpy.path.relpath(str(target), start=str(folder))
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        partial = target.with_suffix(".part")
        shutil.copyfile(source, partial)
        os.replace(partial, target)


def pack_masks() -> None:
    """Keep what was painted in the .blend: Blender itself would ask only when it quits."""
    choices = [root.cine3d.choices for root in own_roots()]
    choices += [scene.cine3d for scene in bpy.data.scenes if scene.library is None]
    for mask in {owner.mask for owner in choices if owner.mask is not None}:
        if mask.library is None and mask.is_dirty:
            mask.pack()


@persistent
def _after_saving(filepath: str, *_args) -> None:
    """After a copy this session goes on with the old paths; else tidy up."""
    if not filepath:
        return
    if Path(bpy.data.filepath or "") != Path(filepath):
        for owner, name, text in reversed(_restored):
            setattr(owner, name, text)
    else:
        _tidy(Path(filepath))
    _restored.clear()


@persistent
def _after_failing(*_args) -> None:
    for owner, name, text in reversed(_restored):
        setattr(owner, name, text)
    _restored.clear()


def _tidy(blend: Path) -> None:
    """Take away the builds that only the former state of this .blend needed."""
    global _referenced
    now = {path for root in own_roots() if (path := find(root, "scene_file")) is not None}
    others = [path for path in blend.parent.glob("*.blend") if path != blend]
    for old in _referenced - now:
        if not others and old.parent == blend.parent / _FOLDER and old.is_file():
            shutil.move(old, builds_folder() / old.name)  # undo and older states still find it
            os.utime(builds_folder() / old.name)
    _referenced = now


@persistent
def _after_loading(*_args) -> None:
    global _referenced
    _referenced = {path for root in own_roots() if (path := find(root, "scene_file")) is not None}


CLASSES = ()
_HANDLERS = (
    ("save_pre", _before_saving),
    ("save_post", _after_saving),
    ("save_post_fail", _after_failing),
    ("load_post", _after_loading),
)


def register() -> None:
    """Watch saving and loading."""
    handlers.add(_HANDLERS)


def unregister() -> None:
    """Stop watching."""
    handlers.remove(_HANDLERS)
