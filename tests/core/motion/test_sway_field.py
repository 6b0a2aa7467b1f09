import pytest
import torch

from cine3d_core.motion.sway import SwayKind, sway_field
from cine3d_core.scene import MotionHint, MotionRegion

HEIGHT, WIDTH = 120, 200


def reeds() -> tuple[torch.Tensor, torch.Tensor]:
    """Mask and disparity of a stand of reeds on near ground before a far hill."""
    disparity = torch.full((1, HEIGHT, WIDTH), 0.2)
    disparity[:, 80:] = 1.0
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, 30:80, 60:140] = True
    disparity[mask] = 1.0
    return mask, disparity


def test_reeds_are_rooted_and_their_tips_swing():
    mask, disparity = reeds()
    amplitude = sway_field(mask, disparity, MotionRegion(mode="sway", amplitude=1.5))[0]
    assert float(amplitude[79, 60:140].max()) < 0.1
    assert float(amplitude[30:40, 60:140].min()) == pytest.approx(1.5)
    assert float(amplitude[50, 60]) > 0.5  # the sides stand before the hill and are free
    assert not amplitude[~mask[0]].any()


def test_what_is_held_all_round_rests_at_its_border():
    mask, _ = reeds()
    amplitude = sway_field(mask, torch.ones_like(mask, dtype=torch.float32), MotionRegion())[0]
    inner = torch.nn.functional.max_pool2d((~mask).float(), 3, 1, 1) == 0
    assert float(amplitude[mask[0] & ~inner[0]].max()) < 0.1 * float(amplitude.max())


def test_what_the_lower_edge_of_the_picture_cuts_off_is_rooted_below_it():
    mask = torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    amplitude = sway_field(mask, torch.ones(1, HEIGHT, WIDTH), MotionRegion())[0]
    assert float(amplitude[-1].max()) < 0.01 * float(amplitude.max())
    assert bool((amplitude[0] == amplitude.max()).all())


def test_arrows_say_the_direction_and_speed_the_strength():
    mask, disparity = reeds()
    hint = MotionHint((100.0, 50.0), (103.0, 54.0))
    plain = sway_field(mask, disparity, MotionRegion(hints=(hint,)))
    twice = sway_field(mask, disparity, MotionRegion(hints=(hint,), speed=2.0))
    x, y = plain[:2, 35, 100].tolist()
    assert y == pytest.approx(x * 4 / 3, rel=1e-4)
    torch.testing.assert_close(twice[:2], 2 * plain[:2])
    assert torch.equal(twice[2], plain[2])


def test_crests_travel_along_the_arrow():
    mask = torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    hint = MotionHint((100.0, 50.0), (120.0, 50.0))
    region = MotionRegion(hints=(hint,), wavelength=50.0, amplitude=1.0)
    phase = sway_field(mask, torch.ones(1, HEIGHT, WIDTH), region)[2]
    step = (phase[:, 1:] - phase[:, :-1]).double()
    torch.testing.assert_close(step, torch.full_like(step, -2 * torch.pi / 50), atol=1e-3, rtol=0)


def test_a_swing_takes_about_two_seconds():
    assert [SwayKind().cycles(frames) for frames in (2, 60, 100, 250)] == [1, 1, 2, 5]
