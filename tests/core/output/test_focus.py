"""Depth of field against what a lens does."""

import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.output.focus import Lens, focused, signed_discs
from cine3d_core.scene import RenderedFrame


def frame_of(rgb, depth):
    zero = torch.zeros_like(depth)
    return RenderedFrame(
        rgb=rgb, alpha=torch.ones_like(depth), depth=depth, motion=zero.expand(4, -1, -1),
        moving=zero,
    )  # fmt: skip


def noise(seed=0, height=40, width=60):
    return torch.rand((3, height, width), generator=torch.Generator().manual_seed(seed))


def test_what_is_in_focus_stays_as_it_was():
    rgb = noise()
    drawn = focused(frame_of(rgb, torch.full((1, 40, 60), 2.0)), Lens(focus=2.0, blur_px=12.0))
    torch.testing.assert_close(drawn.rgb, rgb, atol=1e-5, rtol=0)


def test_a_disc_grows_to_the_blur_of_what_is_infinitely_far():
    depth = torch.tensor([[[1.0, 2.0, 4.0, 1e9, 0.0]]])
    discs = signed_discs(depth, Lens(focus=2.0, blur_px=8.0))
    torch.testing.assert_close(discs, torch.tensor([[[-8.0, 0.0, 4.0, 8.0, 8.0]]]))


def test_a_point_becomes_a_disc_of_its_light():
    rgb = torch.zeros(3, 81, 81)
    rgb[:, 40, 40] = 1.0
    lens = Lens(focus=1.0, blur_px=12.0)
    drawn = focused(frame_of(rgb, torch.full((1, 81, 81), 2.0)), lens)  # a disc of 6 px
    lit = drawn.rgb[0] > 1e-3
    rows, columns = torch.nonzero(lit, as_tuple=True)
    assert 5 <= int(rows.max() - rows.min()) <= 9 and rows.float().mean() == 40
    assert 5 <= int(columns.max() - columns.min()) <= 9 and columns.float().mean() == 40
    linear = ((drawn.rgb[0] + 0.055) / 1.055) ** 2.4
    assert linear[lit].sum().item() == pytest.approx(1.0, abs=0.1)


def test_a_sharp_edge_before_a_blurred_background_stays_sharp():
    rgb, depth = torch.zeros(3, 40, 60), torch.full((1, 40, 60), 50.0)
    rgb[:, :, :30], depth[:, :, :30] = 1.0, 1.0
    drawn = focused(frame_of(rgb, depth), Lens(focus=1.0, blur_px=5.0))
    assert drawn.rgb[0, 20, 29] > 0.99 and drawn.rgb[0, 20, 30] < 0.05


def test_the_blurred_foreground_reaches_over_what_is_sharp():
    rgb, depth = torch.zeros(3, 40, 60), torch.full((1, 40, 60), 4.0)
    rgb[:, :, :30], depth[:, :, :30] = 1.0, 1.0
    drawn = focused(frame_of(rgb, depth), Lens(focus=4.0, blur_px=2.0))
    assert drawn.rgb[0, 20, 30] > 0.2 and drawn.rgb[0, 20, 40] < 1e-3


def test_a_plain_picture_and_its_alpha_stay_plain_to_the_border():
    depth = torch.linspace(0.5, 9.0, 60).expand(1, 40, 60).contiguous()
    drawn = focused(frame_of(torch.full((3, 40, 60), 0.4), depth), Lens(focus=2.0, blur_px=6.0))
    torch.testing.assert_close(drawn.rgb, torch.full((3, 40, 60), 0.4), atol=1e-4, rtol=0)
    torch.testing.assert_close(drawn.alpha, torch.ones(1, 40, 60), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("focus", "blur"), [(0.0, 3.0), (float("nan"), 3.0), (1.0, -1.0)])
def test_a_lens_that_cannot_be_is_refused_in_words(focus, blur):
    with pytest.raises(InputError, match="F-stop above 0"):
        Lens(focus, blur)
