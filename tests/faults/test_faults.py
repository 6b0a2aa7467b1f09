"""A share of the fault suite on every run of the tests; `python -m tests.faults` tries all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults import elsewhere
from tests.faults.case import Case, is_root, problem_of, sound_scene
from tests.faults.doors import DOORS, cases_of
from tests.faults.says import SAYS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="named pipes, links and odd names")
EVERY = 4  # one case of four, and those whose sentence must hold certain words
HERE = [door for door in DOORS if door not in (elsewhere.BLENDS, elsewhere.KILLS)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_scene(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("door", HERE)
def test_what_comes_in_is_used_or_refused_in_one_sentence(
    door: str, tmp_path: Path, scene: Path
) -> None:
    first = HERE.index(door) % EVERY
    tried = [
        case
        for number, case in enumerate(cases_of(door))
        if number % EVERY == first or isinstance(case, Case) and case.says
    ]
    for number, case in enumerate(tried):
        place = tmp_path / str(number)
        place.mkdir()
        assert problem_of(case, place, scene) is None, case.name


def test_what_must_be_said_is_asked_of_a_case_that_there_is() -> None:
    for door, names in SAYS.items():
        there = {case.name for case in cases_of(door)}
        if is_root():
            there.add("a folder without permission")
        assert not set(names) - there, door


@pytest.mark.slow
@pytest.mark.parametrize("door", [elsewhere.BLENDS, elsewhere.KILLS])
def test_blend_files_and_killed_processes(door: str) -> None:
    problems = [tried for tried in elsewhere.try_elsewhere(door) if tried[1]]
    assert not problems, problems
