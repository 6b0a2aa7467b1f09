"""The strokes that the documentation shows and keeps are read as they stand."""

import json
import re
from pathlib import Path

import pytest

from cine3d_core.files.drawing.hints import read_directions

DOCS = Path(__file__).resolve().parents[3] / "docs"
STROKES = sorted((DOCS / "motion").glob("*.json"))


@pytest.mark.parametrize("path", STROKES, ids=lambda path: path.stem)
def test_kept_strokes_say_what_moves(path: Path):
    drawn = read_directions(path, height=640, width=640, original_size=(2048, 2048))
    arrows = [*drawn.hints, *(hint for region in drawn.regions for hint in region.hints)]
    assert arrows or drawn.moves
    for arrow in arrows:  # in the picture's own pixels, not in those of the file
        assert max(*arrow.start, *arrow.end) <= 640


def test_the_pages_example_is_a_valid_file(tmp_path: Path):
    page = (DOCS / "motion.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "strokes.json"
    path.write_text(example)
    drawn = read_directions(path, height=1000, width=1000, original_size=(1000, 1000))
    assert len(drawn.regions) == 2 and drawn.regions[1].mode == "sway"
    assert set(json.loads(example)) == {"hints", "mask", "regions", "freeze", "strokes"}
