"""Our splatter with the published footprint against PyTorch3D's rasteriser and compositor.

The published program hands pixel coordinates with integer centres to a rasteriser whose centres
are at +0.5: the half-pixel shift of its pictures. Here that needs no conversion.
"""

import torch
from torch import Tensor
from torch.testing import assert_close

from cine3d_core.render.fragments import EMPTY, PAPER_SPLAT, Fragments, Points
from cine3d_core.render.splat import composite, rasterize
from tests.golden.filler import golden_tensors

GOLDEN = golden_tensors("splat")
HEIGHT, WIDTH = GOLDEN["image_hw"].tolist()


def drawn(points: Tensor, radius_px: Tensor) -> Fragments:
    homogeneous = points @ GOLDEN["K"].T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    return rasterize(
        Points(pixels, points[:, 2].contiguous(), radius_px), HEIGHT, WIDTH, params=PAPER_SPLAT
    )


def drawn_cloud() -> Fragments:
    return drawn(GOLDEN["pts_cam"], GOLDEN["radius_ndc"][0] * min(HEIGHT, WIDTH) / 2)


def test_fragments_are_the_same_points_at_the_same_depth():
    fragments = drawn_cloud()
    index = torch.where(fragments.index == EMPTY, -1, fragments.index)
    assert torch.equal(index, GOLDEN["idx"][0])
    there = index >= 0
    assert_close(fragments.depth[there], GOLDEN["zbuf"][0][there], rtol=1e-5, atol=1e-5)


def test_fragment_weights_follow_the_recorded_distances():
    fragments = drawn_cloud()
    there = fragments.index != EMPTY
    radius = GOLDEN["radius_ndc"][0][fragments.index[there].long()]
    expected = 1 - GOLDEN["dists2"][0][there] / radius**2
    assert_close(fragments.weight[there], expected, rtol=1e-5, atol=1e-5)


def test_composited_picture_matches():
    image, alpha = composite(drawn_cloud(), GOLDEN["features"], PAPER_SPLAT)
    assert_close(image.permute(1, 2, 0), GOLDEN["image"][0], rtol=1e-5, atol=1e-5)
    assert_close(alpha[0], GOLDEN["image"][0, ..., -1], rtol=1e-5, atol=1e-5)


def test_a_single_point_at_rest_covers_four_pixels():
    fragments = drawn(GOLDEN["single_pt"], torch.tensor([1.5]))
    image, _ = composite(fragments, torch.ones(1, 1), PAPER_SPLAT)
    assert_close(image[0], GOLDEN["single_image"][0, ..., 0], rtol=1e-5, atol=1e-5)
    rows, columns = image[0].nonzero().T
    assert (rows.unique().tolist(), columns.unique().tolist()) == ([6, 7], [9, 10])
