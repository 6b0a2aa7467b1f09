"""The doors by which inputs come in, and the trying of all cases of one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tests.faults import (
    cameras,
    drawings,
    elsewhere,
    kinds,
    masks,
    messages,
    networks,
    outputs,
    photos,
    scenes,
    shelf,
)
from tests.faults.case import Case, Deed, problem_of, sound_scene
from tests.faults.says import SAYS


def _with_words(case: Case | Deed) -> Case | Deed:
    words = SAYS.get(case.door, {}).get(case.name)
    if words is None:
        return case
    assert isinstance(case, Case) and case.outcome == "refused", case
    return replace(case, says=words)


_CASES: tuple[Case | Deed, ...] = tuple(
    case
    for module in (
        photos,
        kinds,
        masks,
        drawings,
        scenes,
        cameras,
        networks,
        messages,
        outputs,
        shelf,
    )
    for case in map(_with_words, module.CASES)
)
DOORS = (*dict.fromkeys(case.door for case in _CASES), elsewhere.BLENDS, elsewhere.KILLS)


@dataclass(frozen=True)
class Result:
    """One case, tried."""

    door: str
    name: str
    problem: str | None


def cases_of(door: str) -> list[Case | Deed]:
    """All cases of a door, each with a name of its own."""
    found = [case for case in _CASES if case.door == door]
    names = [case.name for case in found]
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    return found


def try_door(door: str) -> Iterator[Result]:
    """Try all cases of a door, each in a folder of its own."""
    if door in (elsewhere.BLENDS, elsewhere.KILLS):
        tried = elsewhere.try_elsewhere(door)
        yield from (Result(door, name, problem) for name, problem in tried)
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="cine3d-faults-") as folder:
        base = Path(folder, "sound")
        base.mkdir()
        scene = sound_scene(base)
        for number, case in enumerate(cases_of(door)):
            place = Path(folder, f"{number:03d}")
            place.mkdir()
            yield Result(door, case.name, problem_of(case, place, scene))
