"""Notes made by looking at a photograph: outlines, arrows, pairs of places, and levels of nearness.

Places are permille of the photograph's width (x) and height (y), so they hold at any size. The
levels are nearness, 1 / distance: 100 is the nearest thing of the picture, 50 twice as far, 0 sky.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cine3d_core.errors import InputError
from cine3d_core.files.inputs import input_file, parse_json, read_json

Places = NDArray[np.float64]  # [N, 2] permille, x and y
Pairs = NDArray[np.float64]  # [N, 2, 2] permille, two places each

LABELS = ("rests", "sky", "water", "falls", "smoke", "fire")  # index = value in a picture of labels
KNOWN = (*LABELS[1:], "sway")  # what an outline may be called
SPLITS = ("check", "train")
NOTES_FILE, LEVELS_FILE, LIST_FILE = "notes.jsonl", "levels.jsonl", "photos.csv"

_OUTSIDE = 50.0  # permille: corners of outlines lie this far beyond the picture at most


@dataclass(frozen=True)
class Outline:
    """One outlined thing that flows."""

    label: str
    corners: Places


@dataclass(frozen=True)
class Levels:
    """Nearness of a few points, estimated by looking."""

    places: Places  # [N, 2]
    nearness: NDArray[np.float64]  # [N] 100 is nearest, 0 sky


@dataclass(frozen=True)
class PhotoNotes:
    """All that was noted about one photograph."""

    name: str
    regions: tuple[Outline, ...]
    rests: tuple[Places, ...]  # outlines of what stands in front of the regions
    arrows: Pairs  # foot and tip: way and relative speed of what flows
    order: Pairs  # the nearer place, the farther one
    same: Pairs  # two places of one solid thing, about equally far
    levels: Levels | None = None


@dataclass(frozen=True)
class ListedPhoto:
    """One line of the list of photographs: where it is from, and what it may be used for."""

    name: str
    split: str
    noted: bool
    repository: str
    commit: str
    blob: str
    path: str
    licence: str
    author: str


def read_all_notes(folder: Path) -> dict[str, PhotoNotes]:
    """The notes of a folder by photograph, in the order of the names.

    Args:
        folder: holds `notes.jsonl` and `levels.jsonl` (a line for each photograph, with its
            "name"), or NAME.json for each photograph, their levels in `levels/NAME.json` beside it.

    Raises:
        InputError: no notes there, or notes that are not of this form.
    """
    if not folder.is_dir():
        raise InputError(f"the notes {folder} are not a folder; name the folder that holds them")
    lines, levels = folder / NOTES_FILE, folder / LEVELS_FILE
    if lines.is_file():
        notes = dict(_read_lines(lines))
        levelled = dict(_read_lines(levels)) if levels.is_file() else {}
    else:
        files = sorted(folder.glob("*.json"))
        notes = {path.stem: read_json(path, "notes") for path in files}
        beside = [folder.parent / "levels" / path.name for path in files]
        levelled = {p.stem: read_json(p, "levels") for p in beside if p.is_file()}
    if not notes:
        raise InputError(f"{folder} holds neither {NOTES_FILE} nor NAME.json; name another folder")
    return {name: parse_notes(name, notes[name], levelled.get(name)) for name in sorted(notes)}


def parse_notes(
    name: str, notes: Mapping[str, Any], levels: Mapping[str, Any] | None = None
) -> PhotoNotes:
    """The notes of one photograph from what its JSON holds.

    Raises:
        InputError: an unknown class, or places that are none.
    """
    try:
        regions = tuple(
            Outline(str(one["class"]), _places(one["polygon"])) for one in notes.get("regions", [])
        )
        found = PhotoNotes(
            name=name,
            regions=regions,
            rests=tuple(_places(one["polygon"]) for one in notes.get("rests", [])),
            arrows=_pairs(notes.get("flow", []), "start", "end"),
            order=_pairs(notes.get("order", []), "near", "far"),
            same=_pairs(notes.get("same", []), "a", "b"),
            levels=None if levels is None else _levels(levels),
        )
    except (KeyError, TypeError, ValueError) as error:
        problem = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"the notes of {name} cannot be read ({problem}); docs/photo-notes.md says how they "
            "are written"
        ) from error
    unknown = sorted({region.label for region in regions} - set(KNOWN))
    if unknown:
        raise InputError(
            f"the notes of {name} outline {', '.join(unknown)}; known are {', '.join(KNOWN)}"
        )
    return found


def read_photo_list(path: Path) -> dict[str, ListedPhoto]:
    """The list of photographs by name, in the order of the file.

    Raises:
        InputError: no such file, or a column that is missing.
    """
    with input_file(path, "list of photographs").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {"name", "split", "notes", "repository", "commit", "blob", "path", "licence"}
    missing = wanted - set(rows[0] if rows else {})
    if missing:
        raise InputError(
            f"the list of photographs {path} has no column {', '.join(sorted(missing))}; "
            "give photos.csv as docs/photo-notes.md describes it"
        )
    return {
        row["name"]: ListedPhoto(
            name=row["name"],
            split=row["split"],
            noted=row["notes"] == "yes",
            repository=row["repository"],
            commit=row["commit"],
            blob=row["blob"],
            path=row["path"],
            licence=row["licence"],
            author=row.get("author") or "",
        )
        for row in rows
    }


def _read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of every line of a JSON lines file."""
    for number, line in enumerate(input_file(path, "notes").read_bytes().splitlines(), 1):
        content = parse_json(line, f"line {number} of the notes {path}")
        if not isinstance(content.get("name"), str):
            raise InputError(f'line {number} of the notes {path} has no "name"; give it one')
        yield content["name"], content


def _places(value: Any) -> Places:
    places = np.array(value, np.float64).reshape(-1, 2)
    if not np.isfinite(places).all() or np.abs(places - 500).max(initial=0) > 500 + _OUTSIDE:
        raise ValueError("a place lies outside the picture; give 0 to 1000")
    return places


def _pairs(value: Any, first: str, second: str) -> Pairs:
    ends = [[one[first], one[second]] for one in value]
    return _places(ends).reshape(-1, 2, 2)


def _levels(value: Mapping[str, Any]) -> Levels:
    levels = Levels(_places(value["points"]), np.array(value["levels"], np.float64))
    if levels.nearness.shape != levels.places.shape[:1]:
        raise ValueError(f"{len(levels.places)} points have {levels.nearness.size} levels")
    if not all(math.isfinite(one) and one >= 0 for one in levels.nearness):
        raise ValueError("a level is not a number from 0 on")
    return levels
