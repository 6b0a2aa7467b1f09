from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cine3d_core.evaluation import depth
from cine3d_core.networks.see import build


def truth(seed: int = 0) -> depth.TrueDisparity:
    disparity = np.random.default_rng(seed).uniform(5, 60, (30, 40))
    return depth.TrueDisparity(disparity, np.ones_like(disparity, dtype=bool))


def test_right_disparity_with_any_scale_and_shift_is_perfect():
    measured = truth()
    scores = depth.score(0.02 * measured.disparity - 0.3, measured)
    assert scores.abs_rel == pytest.approx(0, abs=1e-9)
    assert scores.within == 1 and scores.spearman == pytest.approx(1)


def test_scores_do_not_depend_on_scale_and_shift():
    measured, guess = truth(), truth(1).disparity
    one, other = depth.score(guess, measured), depth.score(guess * 9 - 4, measured)
    assert one.abs_rel == pytest.approx(other.abs_rel)
    assert one.within == pytest.approx(other.within, abs=2e-3)


def test_unrelated_guess_is_worse_and_uncorrelated():
    scores = depth.score(truth(1).disparity, truth())
    assert scores.abs_rel > 0.3 and abs(scores.spearman) < 0.1


def test_unknown_pixels_do_not_count():
    measured = truth()
    known = measured.known.copy()
    known[:10] = False
    guess = measured.disparity.copy()
    guess[:10] = 1e4
    assert depth.score(guess, depth.TrueDisparity(measured.disparity, known)).within == 1


def test_absolute_relative_error_is_that_of_depth():
    measured = depth.TrueDisparity(np.array([[1.0, 2.0, 4.0]]), np.ones((1, 3), bool))
    # two groups, so the fit is their means: disparities 2.5, 2, 2.5
    scores = depth.score(np.array([[0.0, 1.0, 0.0]]), measured)
    fitted, true = np.array([1 / 2.5, 1 / 2, 1 / 2.5]), np.array([1, 1 / 2, 1 / 4])
    assert scores.abs_rel == pytest.approx(np.mean(np.abs(fitted - true) / true))


def test_ramp_is_near_below():
    ramp = depth.vertical_ramp(5, 3)
    assert (
        ramp.shape == (5, 3)
        and (np.diff(ramp, axis=0) > 0).all()
        and np.ptp(ramp, axis=1).max() == 0
    )


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="resize the prediction to the truth"):
        depth.score(np.zeros((3, 4)), truth())


def write_pair(folder: Path) -> tuple[Path, Path]:
    generator = np.random.default_rng(0)
    photo, disparity = folder / "photo.png", folder / "disparity.png"
    cv2.imwrite(str(photo), generator.integers(0, 256, (50, 70, 3)).astype(np.uint8))
    cv2.imwrite(str(disparity), generator.integers(0, 200, (50, 70)).astype(np.uint8))
    return photo, disparity


def test_photo_is_scored_beside_the_ramp(tmp_path):
    torch.manual_seed(0)
    photo, disparity = write_pair(tmp_path)
    scored = depth.evaluate(build().eval(), photo, disparity, long_sides=(64,))
    measured = depth.read_truth(disparity)
    assert scored.pixels == int((measured.disparity > 0).sum()) < 50 * 70
    assert scored.ramp == depth.score(depth.vertical_ramp(50, 70), measured)
    assert "photo.png" in depth.table([scored])


def test_npz_truth_with_infinity_is_unknown_there(tmp_path):
    disparity = np.full((4, 5), 3.0)
    disparity[0, 0] = np.inf
    np.savez(tmp_path / "d.npz", disparity)
    assert depth.read_truth(tmp_path / "d.npz").known.sum() == 19
