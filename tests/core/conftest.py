"""One small scene of the sample photo, built once and used by every end-to-end test."""

from __future__ import annotations

from pathlib import Path

import pytest

from cine3d_core.cli import main
from tests.command_line import HINTS, PHOTO, SIZE


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
