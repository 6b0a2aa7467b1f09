import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.evaluation.fluid import lower_third, mean_overlap, score, table, upper_third
from cine3d_core.evaluation.fluid_sheet import TILE_WIDTH, SheetRow, draw_sheet
from cine3d_core.files.drawing.fluid_polygons import paint_classes, read_outlines
from cine3d_core.training.see.composites import (
    SKY,
    SMOKE,
    STILL,
    UNKNOWN,
    WATER,
    with_fog,
    with_lake,
    with_plume,
    with_stream,
)

OUTLINES = Path(__file__).resolve().parents[2] / "fluid_polygons"
TEST_PHOTOS = {
    "EveningGlow",
    "Path",
    "Valendas",
    "fog",
    "friends",
    "life",
    "picosdeeuropa",
    "summer_1am",
}


def scenery() -> tuple[np.ndarray, np.ndarray]:
    """Noise [H, W, 3], and its classes: the upper 40 % are sky."""
    classes = np.zeros((180, 270), np.uint8)
    classes[:72] = SKY
    return np.random.default_rng(3).random((180, 270, 3), np.float32), classes


def test_every_photograph_has_outlines_and_the_test_split_is_the_agreed_one():
    drawn = [read_outlines(path) for path in sorted(OUTLINES.glob("*.json"))]
    assert len(drawn) == 64
    assert {outlines.name for outlines in drawn if outlines.split == "test"} == TEST_PHOTOS
    assert all(len(outlines.sha256) == 64 for outlines in drawn)


def test_later_shapes_lie_over_earlier_ones_at_any_size(tmp_path: Path):
    square = [[0, 0], [40, 0], [40, 20], [0, 20]]
    hole = [[10, 5], [30, 5], [30, 15], [10, 15]]
    content = {
        "photo": {"sha256": "0" * 64, "author": "A", "licence": "CC0"},
        "split": "train",
        "imagePath": "a.jpg",
        "imageHeight": 20,
        "imageWidth": 40,
        "shapes": [{"label": "water", "points": square}, {"label": "still", "points": hole}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    for scale in (1, 3):
        classes = paint_classes(read_outlines(tmp_path / "a.json"), 20 * scale, 40 * scale)
        assert abs((classes == WATER).mean() - 0.75) < 0.05
        assert classes[10 * scale, 20 * scale] == STILL and classes[0, 0] == WATER


@pytest.mark.parametrize("change", [{"shapes": [{"label": "lava", "points": []}]}, {"split": None}])
def test_outlines_nobody_can_read_are_refused(tmp_path: Path, change: dict):
    content = json.loads((OUTLINES / "life.json").read_text(encoding="utf-8")) | change
    if change.get("split", "") is None:
        del content["split"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="fluid outlines"):
        read_outlines(tmp_path / "a.json")


def test_a_perfect_mask_scores_one_and_an_empty_one_nothing():
    truth = scenery()[1]
    assert score("a", "m", truth, truth).overlap == {"sky": 1.0}
    assert score("a", "m", np.zeros_like(truth), truth).overlap == {"sky": 0.0}


def test_where_nothing_flows_the_largest_connected_region_counts():
    found = np.zeros((100, 100), np.uint8)
    found[:10, :10], found[50:70, 50:100] = SKY, WATER
    scored = score("a", "m", found, np.zeros_like(found))
    assert scored.false_region == pytest.approx(0.1) and not scored.overlap


def test_blind_guesses_cover_a_third_and_the_table_has_a_mean_of_each_method():
    rgb, truth = torch.zeros(3, 90, 120), np.full((90, 120), SKY, np.uint8)
    scores = [score("a", "up", upper_third(rgb), truth), score("a", "low", lower_third(rgb), truth)]
    assert mean_overlap(scores, "up", "sky") == (pytest.approx(1 / 3), 1)
    assert mean_overlap(scores, "low", "sky") == (0.0, 1)
    assert table(scores).count("mean") == 2


def test_a_sheet_shows_every_photograph_three_times():
    rgb, classes = torch.full((3, 60, 90), 0.5), np.zeros((60, 90), np.uint8)
    classes[:30] = SKY
    sheet = draw_sheet([SheetRow("a", rgb, classes, classes)] * 3)
    assert sheet.shape[1] == 6 * TILE_WIDTH
    photo, truth = sheet[5, 5], sheet[5, TILE_WIDTH + 5]
    assert photo.tolist() == [128] * 3 and truth[2] > truth[0]


@pytest.mark.parametrize("put", [with_lake, with_stream, with_fog, with_plume])
def test_what_is_put_in_is_labelled_where_the_picture_changed_much(put):
    photo, before = scenery()
    kind = SMOKE if put in (with_fog, with_plume) else WATER
    rgb, classes = put(photo, before, np.random.default_rng(11))
    assert rgb.dtype == np.float32 and 0 <= rgb.min() and rgb.max() <= 1
    changed = np.abs(rgb - photo).max(2) > 1e-6
    assert (classes == kind).any()
    assert changed[classes == kind].mean() > 0.95
    untouched = (classes == before) & (classes != UNKNOWN)
    assert np.abs(rgb - photo)[untouched & ~changed].max() < 1e-5
