import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.evaluation.fluid import lower_third, mean_overlap, score, table, upper_third
from cine3d_core.evaluation.fluid_sheet import TILE_WIDTH, SheetRow, draw_sheet
from cine3d_core.files.drawing.fluid_polygons import LABELS, paint_classes, read_outlines
from cine3d_core.motion.segment_regions import kinds_of, sharpen
from cine3d_core.networks import fluid as networks
from cine3d_core.networks.fluid import CLASSES, predict
from cine3d_core.training.fluid import train as training
from cine3d_core.training.fluid.composites import (
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
from cine3d_core.training.fluid.views import (
    NOBODY,
    SIZES,
    FluidPhoto,
    FluidView,
    make_scene_view,
    make_view,
)

OUTLINES = Path(__file__).resolve().parents[1] / "fluid_polygons"
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


def scenery(seed: int = 3) -> FluidPhoto:
    """Noise, its upper 40 % sky."""
    noise = np.random.default_rng(seed)
    classes = np.zeros((180, 270), np.uint8)
    classes[:72] = SKY
    return FluidPhoto("scenery", noise.random((180, 270, 3), np.float32), classes)


def random_network() -> networks.FluidNetwork:
    torch.manual_seed(5)
    return networks.build().eval()


def test_the_network_and_the_outlines_name_the_same_classes():
    assert CLASSES == LABELS


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
    truth = scenery().classes
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
    photo = scenery()
    kind = SMOKE if put in (with_fog, with_plume) else WATER
    rgb, classes = put(photo.rgb, photo.classes, np.random.default_rng(11))
    assert rgb.dtype == np.float32 and 0 <= rgb.min() and rgb.max() <= 1
    changed = np.abs(rgb - photo.rgb).max(2) > 1e-6
    assert (classes == kind).any()
    assert changed[classes == kind].mean() > 0.95
    untouched = (classes == photo.classes) & (classes != UNKNOWN)
    assert np.abs(rgb - photo.rgb)[untouched & ~changed].max() < 1e-5


def test_a_view_depends_on_its_seed_alone():
    photos = [scenery(3), scenery(4)]
    first, second = (make_view(photos, 0, np.random.default_rng([7, 1])) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb) and np.array_equal(first.classes, second.classes)
    assert first.classes.shape in SIZES and first.rgb.shape == (*first.classes.shape, 3)


def test_folds_hold_every_photograph_once_and_views_of_one_place_together():
    names = ["cv-leuvenA", "cv-leuvenB", *"abcdefgh"]
    photos = [FluidPhoto(name, scenery().rgb, scenery().classes) for name in sorted(names)]
    members = training.folds(photos)
    assert sorted(n for fold in members for n in fold) == list(range(len(photos)))
    together = [{photos[n].name for n in fold} for fold in members]
    assert any({"cv-leuvenA", "cv-leuvenB"} <= fold for fold in together)


def test_probabilities_sum_to_one_and_a_mirrored_photo_gives_the_mirrored_answer():
    network = random_network()
    rgb = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1))
    answer = predict(network, rgb, long_sides=(96,))
    assert answer.shape == (4, 16, 24)
    assert torch.allclose(answer.sum(0), torch.ones(16, 24), atol=1e-5)
    mirrored = predict(network, rgb.flip(2), long_sides=(96,))
    assert torch.allclose(mirrored.flip(2), answer, atol=1e-5)


def test_sharpened_borders_lie_on_the_edges_of_the_photo():
    colour = np.full((120, 200, 3), 0.2, np.float32)
    colour[:, 83:] = 0.8
    rough = np.zeros((1, 12, 20), np.float32)
    rough[:, :, 8:] = 1
    sharp = sharpen(rough, colour)[0]
    assert (sharp[:, 86:] > 0.5).all() and (sharp[:, :80] < 0.5).all()
    assert np.allclose(sharpen(np.full((2, 9, 15), 0.3, np.float32), colour), 0.3, atol=1e-3)


def test_small_and_doubtful_regions_are_dropped():
    probability = np.zeros((3, 100, 100), np.float32)
    probability[0, :30] = 0.95
    probability[1, 60:63, 60:63] = 0.99
    probability[2, 70:95, :30] = 0.52
    kind = kinds_of(probability)
    assert (kind[:30] == SKY).all() and not kind[30:].any()


def stored_views(folder: Path) -> None:
    """A few stored views: the right half of each is water where the first map is bright."""
    random = np.random.default_rng(2)
    channels = (24, 40, 112, 320 + len(networks.PLACES))
    classes = np.zeros((6, 16, 24), np.uint8)
    classes[:, :, 12:] = WATER
    arrays = {"classes": classes, "photo": np.arange(6, dtype=np.int16)}
    arrays["donor"] = np.array([NOBODY, 0, 1, NOBODY, NOBODY, NOBODY], np.int16)
    for level, count in enumerate(channels):
        size = (6, count, 16 >> level, 24 >> level)
        features = random.standard_normal(size).astype(np.float16)
        features[..., size[3] // 2 :] += 2
        arrays[f"features{level}"] = features
    np.savez(folder / "photo0.npz", **arrays)


def test_views_of_left_out_photographs_and_of_their_skies_are_not_read(tmp_path: Path):
    stored_views(tmp_path)
    (group,) = training.load_views(tmp_path, "photo", left_out=[0])
    assert group.photo.tolist() == [2, 3, 4, 5]


def test_a_resumed_training_is_the_training_that_never_stopped(tmp_path: Path):
    stored_views(tmp_path)
    config = training.FluidTrainingConfig(steps=6, batch=4, checkpoint_steps=3)
    whole = training.fit(tmp_path, tmp_path / "whole", config, [])
    halves = tmp_path / "halves"
    stopped = training.start(config)
    photos = training.load_views(tmp_path, "photo")
    stopped.decoder.train()
    for _ in range(3):
        training.train_step(stopped, photos, [], config)
    training.save(stopped, halves / "checkpoint.pt")
    resumed = training.fit(tmp_path, halves, config, [])
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_decoder_learns_what_the_features_say(tmp_path: Path):
    stored_views(tmp_path)
    config = training.FluidTrainingConfig(steps=40, batch=6, warmup_steps=5, average_decay=0.8)
    state = training.fit(tmp_path, tmp_path / "run", config, [])
    decoder = networks.build().decoder.eval()
    decoder.load_state_dict(state)
    (group,) = training.load_views(tmp_path, "photo")
    features, classes = training.draw_batch([group], 6, np.random.default_rng(0))
    with torch.no_grad():
        found = decoder(features).argmax(1)
    assert (found == classes).float().mean() > 0.9


def test_a_view_of_a_scene_belongs_to_no_photograph():
    view = make_scene_view(scenery(), np.random.default_rng(1))
    assert isinstance(view, FluidView) and view.photo == view.donor == NOBODY
