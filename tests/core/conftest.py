"""One small scene of the sample photo, built once and used by every end-to-end test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cine3d_core.cli import main
from tests.command_line import HINTS, PHOTO, SIZE, Refused, files_below


@pytest.fixture(scope="session")
def sample_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene file: the shipped depth network, drawn hints, a loop of 6 frames. Do not write."""
    path = tmp_path_factory.mktemp("sample") / "sample.cine3d"
    options = ["--hints", str(HINTS), "--frames", "6", "--size", str(SIZE), "--device", "cpu"]
    assert main(["build", str(PHOTO), "-o", str(path), *options]) == 0
    return path


@pytest.fixture(scope="session")
def still_frames(sample_scene: Path) -> Path:
    """Its frames 0 to 6, one past the loop, as PNG from the photo's own camera. Do not write."""
    folder = sample_scene.with_name("still")
    assert main(["render", str(sample_scene), "-o", str(folder), "--camera", "still",
                 "--frames", "0:7"]) == 0  # fmt: skip
    return folder


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads for torch, in tests that compare bits: `make test` gives a process only one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must be refused, and returns its one sentence."""

    def run(*arguments: object) -> str:
        before = files_below(tmp_path)
        assert main([str(argument) for argument in arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("cine3d: ") and "Traceback" not in lines[0]
        assert files_below(tmp_path) == before
        return lines[0]

    return run
