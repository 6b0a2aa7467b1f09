"""`cine3d models`: what networks there are, and getting better ones."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cine3d_core.cli.say import add_progress, say, showing_progress, tell
from cine3d_core.errors import InputError


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`list`, `get`, `add`, `remove`, `verify` and `import-official`."""
    listing = actions.add_parser("list", help="list the installed and the available networks")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    getting = actions.add_parser("get", help="download a network of the shelf")
    getting.add_argument("names", nargs="+", metavar="NAME")
    add_progress(getting)
    getting.set_defaults(run=_get)
    adding = actions.add_parser("add", help="install a network from files on this machine")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("sources", nargs="+", type=Path, metavar="FOLDER|FILE")
    add_progress(adding)
    adding.set_defaults(run=_add)
    removing = actions.add_parser("remove", help="delete a downloaded network")
    removing.add_argument("names", nargs="+", metavar="NAME")
    removing.set_defaults(run=_remove)
    actions.add_parser("verify", help="check all checksums").set_defaults(run=_verify)
    importing = actions.add_parser("import-official", help="import the official checkpoints")
    importing.add_argument("folder", type=Path)
    importing.set_defaults(run=_import)


def _list(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.places import user_models_folder
    from cine3d_core.files.models.shelf import shelf_state
    from cine3d_core.files.models.store import list_models

    state = shelf_state()
    if args.json:
        bundled = [
            {"name": info.name, "license": info.license, "description": info.description}
            for info in list_models()
        ]
        say(json.dumps({"models": bundled, "shelf": state}, indent=2))
        return
    for info in list_models():
        say(f"{info.name:<24} {info.license:<20} {info.description}")
    say("")
    say(f"The shelf (cine3d models get NAME; kept in {user_models_folder()}):")
    for one in state:
        say(f"{one['name']:<24} {one['license']:<11} {one['task']:<8} {_state_words(one)}")
        say(f"{'':<24} {one['better']}")


def _state_words(one: dict[str, Any]) -> str:
    if one["installed"]:
        words = f"installed, {one['size_text']}"
    elif one["begun"]:
        words = f"partly downloaded, {one['size_text']} in total"
    else:
        words = f"not installed, {one['size_text']}"
    return words if one["package_installed"] else f"{words}; needs pip install {one['package']}"


def _get(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.catalogue import find_entry
    from cine3d_core.files.models.installed import megabytes
    from cine3d_core.files.models.shelf import get

    entries = [find_entry(name) for name in args.names]
    for entry in entries:
        tell(
            f"{entry.title}: {megabytes(entry.size)} from {entry.source}, {entry.license} "
            f"({entry.license_url})",
            args,
        )
        try:
            with showing_progress(args.progress) as progress:
                one = get(entry, progress=progress)
        except KeyboardInterrupt:
            print(
                f"cine3d: the downloaded part of {entry.title} is kept; run the same command to "
                f"continue, or cine3d models remove {entry.name} to delete it",
                file=sys.stderr,
            )
            raise
        tell(f"{one.folder}: {megabytes(one.size)}, all checksums match", args)


def _add(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.catalogue import find_entry
    from cine3d_core.files.models.installed import megabytes
    from cine3d_core.files.models.shelf import add

    with showing_progress(args.progress) as progress:
        one = add(find_entry(args.name), args.sources, progress=progress)
    tell(f"{one.folder}: {megabytes(one.size)}, {one.entry.license}", args)


def _remove(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.catalogue import find_entry
    from cine3d_core.files.models.installed import megabytes
    from cine3d_core.files.models.shelf import remove

    for entry in [find_entry(name) for name in args.names]:
        say(f"{entry.title}: removed, {megabytes(remove(entry))} freed")


def _verify(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.installed import verify_installed
    from cine3d_core.files.models.store import verify_models

    results = [(info.name, problem) for info, problem in verify_models()]
    results += [(entry.name, problem) for entry, problem in verify_installed()]
    for name, problem in results:
        say(f"{name}: {problem or 'OK (checksums match)'}")
    damaged = [name for name, problem in results if problem]
    if damaged:
        raise InputError(f"these models are damaged: {', '.join(damaged)}; install them again")


def _import(args: argparse.Namespace) -> None:
    from cine3d_core.files.models.official_checkpoints import import_official
    from cine3d_core.files.models.places import user_models_folder

    report = import_official(args.folder, user_models_folder())
    say(f"imported: {', '.join(folder.name for folder in report.imported)}")
    if report.absent:
        say(f"not found, and optional: {', '.join(report.absent)}")
