from pathlib import Path
from typing import Any

import pytest
import torch

from cine3d_core.evaluation import inpainting
from cine3d_core.networks import inpainting as networks
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint import train
from tests.core.training.test_inpaint import packed

Photographs = dict[str, list[dict[str, Any]]]


@pytest.fixture
def photographs(tmp_path: Path) -> Photographs:
    """Crops of one photograph."""
    return train.read_photographs(packed(tmp_path), ("b",))


def test_a_method_that_knows_the_truth_scores_best(photographs: Photographs):
    methods = {
        "network": lambda crop: crop.truth[0],
        "analytic fill": lambda crop: crop.guess[0],
    }
    found = {
        method: found
        for _, method, found in inpainting.score_photographs(methods, photographs, None)
    }
    assert found["network"].psnr == 60 > found["analytic fill"].psnr
    assert found["network"].l1 == 0 < found["analytic fill"].l1
    assert found["network"].gmsd == pytest.approx(0, abs=1e-6)


def test_what_a_method_says_outside_the_hole_does_not_count(photographs: Photographs):
    crop = inpaint_data.to_batch(photographs["b"][:1])
    wild = torch.lerp(torch.rand(1, 3, 192, 192), crop.guess, crop.hole)
    judged = inpainting.judged(crop, None)
    plain, _ = inpainting.score_crop(lambda crop: crop.guess[0], judged, None)
    assert inpainting.score_crop(lambda crop: wild[0], judged, None)[0] == plain


def test_an_untrained_network_and_the_analytic_fill_are_one_in_the_table(photographs: Photographs):
    network = networks.build(widths=(8, 8, 8, 8, 8)).eval()
    methods = inpainting.painting_methods(network)
    rows = list(inpainting.score_photographs(methods, photographs, None))
    by_method = {method: found for _, method, found in rows}
    assert by_method["network"] == by_method["analytic fill"]
    text = inpainting.table(rows)
    assert all(f"| {method} |" in text for method in methods)
    assert "| 0 of 1 |" in text
