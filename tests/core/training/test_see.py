"""The network that looks once: its answer's form, its labels and losses, its training."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.networks import see as networks
from cine3d_core.networks.see import CLASSES
from cine3d_core.scene import FLUIDS
from cine3d_core.see.outline import outlined
from cine3d_core.see.regions import kinds_of, sharpen, thin_things, unlike_sky
from cine3d_core.training.see import losses, views
from cine3d_core.training.see.photos import (
    LONG_SIDE,
    NOT_SKY,
    STILL_OR_SKY,
    UNKNOWN,
    NotedPhoto,
    class_map,
    read_outlined,
    read_photos,
)
from cine3d_core.training.see.train import SeeTrainer, SeeTrainingConfig

SKY, WATER, FALLS = 1, 2, 3


@pytest.fixture(scope="module")
def network() -> networks.SeeNetwork:
    torch.manual_seed(3)
    return networks.build().eval()


def notes() -> dict:
    return {
        "regions": [
            {"class": "sky", "polygon": [[0, 0], [1000, 0], [1000, 400], [0, 400]]},
            {"class": "water", "polygon": [[0, 600], [1000, 600], [1000, 1000], [0, 1000]]},
        ],
        "rests": [{"polygon": [[450, 100], [550, 100], [550, 900], [450, 900]]}],
        "flow": [{"start": [200, 800], "end": [260, 800]}],
        "order": [{"near": [500, 850], "far": [100, 500]}],
        "same": [{"a": [500, 200], "b": [500, 800]}],
    }


def photo_folder(folder: Path, count: int = 3) -> Path:
    for name in ("images", "notes", "levels"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(1)
    rows = []
    for i in range(count):
        name = f"photo_{i}"
        picture = cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), (128, 96))
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), picture)
        (folder / "notes" / f"{name}.json").write_text(json.dumps(notes()))
        points = random.uniform(50, 950, (36, 2)).round(1).tolist()
        levels = {"points": points, "levels": random.integers(0, 100, 36).tolist()}
        (folder / "levels" / f"{name}.json").write_text(json.dumps(levels))
        rows.append({"name": name, "split": "train", "content": "fluid"})
    with open(folder / "photos.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> NotedPhoto:
    return read_photos(photo_folder(tmp_path, 1), split="train")[0]


def test_the_answer_is_half_as_large_and_complete(network):
    answer = network(torch.rand(2, 3, 64, 96))
    assert answer.shape == (2, 9, 32, 48)
    assert (answer[:, 0] >= 0).all()


def test_a_mirrored_photo_gives_the_mirrored_answer(network):
    rgb = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1))
    prediction = networks.predict(network, rgb, long_sides=(96,))
    back = networks.predict(network, rgb.flip(2), long_sides=(96,))
    assert torch.allclose(prediction.classes.sum(0), torch.ones(32, 48), atol=1e-5)
    assert torch.allclose(back.classes.flip(2), prediction.classes, atol=1e-5)
    assert torch.allclose(back.disparity.flip(1), prediction.disparity, atol=1e-4)
    assert torch.allclose(back.direction[0].flip(1), -prediction.direction[0], atol=1e-5)
    assert torch.allclose(back.direction[1].flip(1), prediction.direction[1], atol=1e-5)


def test_the_same_photo_gives_the_same_bits_and_disparity_is_stretched(network):
    rgb = torch.rand(3, 70, 90, generator=torch.Generator().manual_seed(2))
    first, second = (networks.predict(network, rgb, long_sides=(64, 96)) for _ in range(2))
    assert torch.equal(first.disparity, second.disparity)
    assert first.disparity.min() == 0 and first.disparity.max() == 1
    assert first.direction.norm(dim=0).max() <= 1 + 1e-5


def test_the_rim_of_the_answer_goes_on_from_inside(network):
    prediction = networks.predict(network, torch.rand(3, 64, 96), long_sides=(96,))
    assert torch.equal(prediction.classes[:, 0], prediction.classes[:, 2])
    assert torch.equal(prediction.disparity[:, -1], prediction.disparity[:, -3])


def test_a_picture_of_another_shape_is_refused(network):
    with pytest.raises(ValueError, match="RGB"):
        networks.predict(network, torch.rand(1, 64, 64))


def test_outlines_become_classes_and_their_edges_are_unknown():
    classes = class_map(notes(), "fluid", (400, 300))
    assert classes[30, 100] == SKY and classes[250, 100] == WATER
    assert classes[150, 200] == 0 and classes[60, 200] == 0  # ground, and a post before the sky
    assert classes[120, 100] == UNKNOWN
    assert classes[0, 100] == SKY  # the border of the picture is no outline


def test_of_a_photo_that_nobody_outlined_only_its_content_is_known():
    assert (class_map(None, "sky", (8, 6)) == STILL_OR_SKY).all()
    assert (class_map(None, "none", (8, 6)) == 0).all()


def test_a_missing_photograph_is_said(tmp_path: Path):
    folder = photo_folder(tmp_path)
    (folder / "images" / "photo_1.jpg").unlink()
    with pytest.raises(InputError, match=r"photo_1.jpg"):
        read_photos(folder, split="train")


def test_outlined_photographs_say_what_flows_and_only_those_to_train_on(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "pond.jpg"), np.full((48, 64, 3), 90, np.uint8))
    shape = {"label": "water", "points": [[0, 24], [64, 24], [64, 48], [0, 48]]}
    for name, split in (("pond", "train"), ("kept", "test")):
        drawn = {
            "imagePath": "pond.jpg", "imageWidth": 64, "imageHeight": 48, "split": split,
            "photo": {"sha256": "", "author": "", "licence": ""}, "shapes": [shape],
        }  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(drawn))
    found = read_outlined(tmp_path, tmp_path)
    assert [one.name for one in found] == ["pond"]
    classes = found[0].classes
    assert max(classes.shape) == LONG_SIDE
    assert (classes[: len(classes) // 3] == 0).all()
    assert (classes[-len(classes) // 3 :] == CLASSES.index("water")).all()
    assert (classes == UNKNOWN).any(), "the outline itself is not sure"
    assert found[0].disparity is None


def test_another_photographs_water_is_laid_over_what_rests_but_not_over_the_sky(
    photo: NotedPhoto,
):
    random = np.random.default_rng(0)
    size = (96, 128)
    view, donor = (views.view_of(photo, size, random) for _ in range(2))
    view = replace(view, classes=np.zeros(size, np.uint8))
    view.classes[:20] = views.SKY
    donor = replace(donor, classes=np.full(size, views.WATER, np.uint8))
    mixed = views.with_real_fluid(view, donor, random)
    assert (mixed.classes[25:] == views.WATER).all()
    assert (mixed.classes[:18] == views.SKY).all()
    np.testing.assert_array_equal(mixed.rgb[:12], view.rgb[:12])
    assert not mixed.weight[25:].any(), "the depth under it is forgotten"
    assert not len(mixed.same), "and so is what was noted there"


def test_a_donor_without_fluids_changes_nothing(photo: NotedPhoto):
    random = np.random.default_rng(0)
    view = views.view_of(photo, (96, 128), random)
    dry = replace(view, classes=np.zeros_like(view.classes))
    assert views.with_real_fluid(view, dry, random) is view


def test_a_noted_fall_runs_down_without_an_arrow(photo: NotedPhoto):
    random = np.random.default_rng(0)
    view = views.view_of(photo, (96, 128), random)
    view = replace(view, arrows=view.arrows[:0], calm=True)
    view.classes[30:60, 40:60] = views.FALLS
    falling = views.with_falling(view, random)
    assert len(falling.arrows)
    assert (falling.arrows[:, 2:] == (0, 1)).all()
    assert not falling.calm


def test_points_and_arrows_move_with_the_picture(photo: NotedPhoto):
    """Coloured dots stay under the points that were noted on them."""
    rgb = np.zeros_like(photo.rgb)
    x, y = photo.arrows[0, :2].astype(int)
    rgb[y - 9 : y + 10, x - 9 : x + 10] = 255
    dotted = NotedPhoto(**{**vars(photo), "rgb": rgb})
    seen = 0
    for seed in range(12):
        view = views.view_of(dotted, (96, 128), np.random.default_rng(seed))
        for at_x, at_y, way_x, way_y in view.arrows:
            assert view.rgb[int(at_y), int(at_x)].min() > 0.5
            assert abs(np.hypot(way_x, way_y) - 1) < 1e-4
            assert abs(way_x) > 0.9  # it pointed along x, mirrored or not
            seen += 1
    assert seen > 5


def test_a_fall_put_in_runs_down_and_what_was_under_it_is_forgotten(photo: NotedPhoto):
    dry = NotedPhoto(**{**vars(photo), "classes": np.zeros_like(photo.classes)})
    painted = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        view = views.with_fluids(views.view_of(dry, (96, 128), random), random)
        fall = view.classes == FALLS
        if fall.any():
            painted += 1
            assert (view.arrows[-3:, 3] == 1).all()
            x, y = view.levels[:, 0].astype(int), view.levels[:, 1].astype(int)
            assert not fall[y, x].any()
            assert (view.weight[fall] == 0).all()
    assert painted


def batch_of(photo: NotedPhoto, seed: int = 0) -> views.Batch:
    groups = views.by_kind([photo])
    return views.draw_batch(groups, [], (96, 128), ("wet", "noted"), np.random.default_rng(seed))


def perfect(batch: views.Batch) -> torch.Tensor:
    """An answer [B, 9, h, w] that agrees with all labels of the batch."""
    classes = batch.classes.clamp(max=5).long()
    logits = torch.nn.functional.one_hot(classes, 6).permute(0, 3, 1, 2) * 12.0
    disparity = batch.disparity - batch.disparity.amin()
    way = torch.zeros(len(classes), 2, *classes.shape[1:])
    for plane, view in zip(way, batch.views, strict=True):
        if len(view.arrows):
            plane[:] = torch.from_numpy(view.arrows[0, 2:])[:, None, None]
    return torch.cat([disparity, logits, way], 1)


def test_agreeing_costs_less_than_disagreeing(photo: NotedPhoto):
    batch = batch_of(photo)
    good = perfect(batch)
    weights = losses.Weights()
    best = losses.terms_of(good, batch, weights)
    wrong = good.clone()
    wrong[:, 1:7] = wrong[:, 1:7].flip(1)
    wrong[:, 7:] *= -1
    worse = losses.terms_of(wrong, batch, weights)
    assert worse.classes > 5 * best.classes
    assert worse.direction > best.direction + 0.1


def test_order_and_sameness_are_asked_for(photo: NotedPhoto):
    batch = batch_of(photo, seed=4)
    rows = torch.arange(96.0)[:, None].expand(2, 1, 96, 128)
    weights = losses.Weights(levels=0, ranks=0)
    near_below = losses.noted_depth(rows / 20, batch.views, weights)
    near_above = losses.noted_depth(-rows / 20, batch.views, weights)
    assert near_above > near_below  # the near place of the pair lies lower


def test_groups_of_classes_count_as_either():
    weights = losses.Weights(dice=0)
    logits = torch.zeros(1, 6, 4, 4)
    either = torch.full((1, 4, 4), STILL_OR_SKY, dtype=torch.uint8)
    water = logits.clone()
    water[:, WATER] = 9
    sky = logits.clone()
    sky[:, SKY] = 9
    assert losses.class_error(sky, either, weights) < 0.01
    assert losses.class_error(water, either, weights) > 5
    no_sky = torch.full((1, 4, 4), NOT_SKY, dtype=torch.uint8)
    assert losses.class_error(water, no_sky, weights) < 0.01
    assert losses.class_error(sky, no_sky, weights) > 5


def small_training(steps: int) -> SeeTrainingConfig:
    return SeeTrainingConfig(
        steps=steps, kinds=("wet", "noted"), sizes=((0.0, ((64, 64),)),), checkpoint_steps=1
    )


def small_trainer(folder: Path) -> SeeTrainer:
    """A training of a few made-up photographs."""
    photos = read_photos(photo_folder(folder / "photos"), split="train")
    return SeeTrainer(small_training(4), photos, [])


def test_the_first_layers_are_frozen(tmp_path: Path):
    trainer = small_trainer(tmp_path)
    before = trainer.network.encoder.stem.conv.weight.clone()
    trainer.advance()
    assert torch.equal(before, trainer.network.encoder.stem.conv.weight)


def test_sharpened_borders_lie_on_the_edges_of_the_photo():
    colour = np.full((120, 200, 3), 0.2, np.float32)
    colour[:, 83:] = 0.8
    rough = np.zeros((5, 12, 20), np.float32)
    rough[1, :, 8:] = 1
    sharp = sharpen(rough, colour)[1]
    assert (sharp[:, 86:] > 0.5).all() and (sharp[:, :80] < 0.5).all()


def test_small_and_doubtful_regions_are_dropped():
    probability = np.zeros((5, 100, 100), np.float32)
    probability[0, :30] = 0.95
    probability[1, 60:63, 60:63] = 0.99
    probability[1, 70:95, :30] = 0.55
    kind = kinds_of(probability)
    assert (kind[:30] == SKY).all() and not kind[30:].any()


def test_water_and_falls_are_found_together_and_told_apart():
    probability = np.zeros((5, 100, 100), np.float32)
    probability[1, 40:, :50], probability[2, 40:, :50] = 0.55, 0.4
    probability[1, 40:, 50:], probability[2, 40:, 50:] = 0.4, 0.55
    kind = kinds_of(probability)
    assert (kind[40:, :50] == WATER).all() and (kind[40:, 50:] == FALLS).all()


def test_a_mast_stands_out_of_the_sky_and_a_wisp_of_cloud_does_not():
    colour = np.full((300, 400, 3), 0.7, np.float32)
    colour[220:] = 0.2  # ground
    colour[60:220, 198:202] = 0.15  # a mast on it
    wisp = np.zeros((300, 400), np.float32)
    wisp[80:84, 40:120] = 0.3
    colour += cv2.GaussianBlur(wisp, (0, 0), 3)[..., None]
    sky = np.zeros((300, 400), bool)
    sky[:220] = True
    told = sky & (outlined(sky.astype(np.float32), colour) < 0.5)
    for thin in (thin_things(sky, colour), told):
        assert thin[80:210, 198:202].all()
        assert not thin[60:110, 30:130].any()
        assert thin.mean() < 0.03


def test_a_lit_dome_is_no_sky_and_a_cloud_is():
    colour = np.full((300, 400, 3), (0.1, 0.1, 0.3), np.float32)
    colour[100:130, 200:228] = 0.95
    cloud = np.zeros((300, 400), np.float32)
    cloud[60:160, 20:150] = 0.35
    colour += cv2.GaussianBlur(cloud, (0, 0), 12)[..., None]
    unlike = unlike_sky(np.ones((300, 400), bool), colour)
    assert unlike[102:128, 202:226].mean() > 0.95
    assert unlike.mean() < 0.02


def test_a_blue_gap_between_clouds_is_sky():
    colour = np.full((240, 320, 3), 0.85, np.float32)
    colour[60:72, 100:114] = (0.2, 0.45, 0.85)
    sky = np.ones((240, 320), bool)
    assert not unlike_sky(sky, colour)[60:72, 100:114].any()


@pytest.mark.parametrize(("light", "falls"), [(0.8, True), (0.3, False)])
def test_what_falls_is_lighter_than_what_rests(light: float, falls: bool):
    colour = np.full((240, 320, 3), 0.3, np.float32)
    colour[40:200, 100:160] = light
    seen = np.zeros((len(FLUIDS), 120, 160), np.float32)
    seen[FLUIDS.index("falls"), 20:100, 50:80] = 0.95
    kind = kinds_of(sharpen(seen, colour))
    assert (kind[60:180, 110:150] == 1 + FLUIDS.index("falls")).all() == falls
    assert falls or not kind.any()
