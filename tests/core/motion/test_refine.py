"""The motion network and what is made of its answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cine3d_core.motion.direct import FlowTask
from cine3d_core.motion.flow import finish_flow, motion_from_hints
from cine3d_core.motion.guidance import Arrows, View, make_guidance
from cine3d_core.motion.refine import MotionRefiner, enlarged, resized_view
from cine3d_core.networks import motion as networks
from cine3d_core.networks.motion import BASE, HINT
from cine3d_core.scene import DepthMap, MotionHint


def lake(height: int = 90, width: int = 130) -> View:
    generator = torch.Generator().manual_seed(3)
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[:, height // 3 : -5, 8:-8] = True
    mask[:, 50:60, 60:70] = False
    rgb = torch.rand(3, height, width, generator=generator)
    nearness = torch.linspace(0, 1, height)[None, :, None].expand(1, height, width)
    return View(rgb, mask, torch.zeros_like(mask), nearness)


def task_of(view: View, hints: tuple[MotionHint, ...]) -> FlowTask:
    depth = DepthMap(1 / (view.nearness + 0.1), torch.zeros_like(view.nearness))
    base = motion_from_hints(view.mask, hints, behind=view.behind).velocity
    return FlowTask(view.rgb, depth, view.mask, view.behind, hints, base)


def wild_network(seed: int = 1) -> nn.Module:
    """Trained on nothing, but not silent."""
    torch.manual_seed(seed)
    network = networks.build(width=4, hidden=4).eval()
    nn.init.normal_(network.up[-1].weight, std=0.05)
    return network


HINTS = (MotionHint((30.5, 70.5), (80.5, 80.5)),)


@pytest.mark.parametrize("size", [(64, 96), (37, 96), (96, 33)])
def test_before_training_the_network_changes_nothing(size):
    planes = torch.rand(2, 13, *size, generator=torch.Generator().manual_seed(0))
    network = networks.build(width=4, hidden=4).eval()
    torch.testing.assert_close(networks.predicted_flow(network, planes), planes[:, BASE])


def test_guidance_does_not_know_how_fast_the_arrows_are():
    view = lake()
    base = torch.ones(2, 90, 130)
    slow = make_guidance(view, Arrows(np.array([[30.5, 70.5]]), np.array([[0.4, 0.1]])), base)
    fast = make_guidance(view, Arrows(np.array([[30.5, 70.5]]), np.array([[1.2, 0.3]])), 3 * base)
    torch.testing.assert_close(slow.planes, fast.planes)
    torch.testing.assert_close(3 * slow.unit, fast.unit)


def test_a_region_with_an_arrow_hears_no_other():
    view = lake()
    view.mask[:, :, 64:68] = False
    arrows = Arrows(np.array([[30.5, 70.5], [100.5, 70.5]]), np.array([[1.0, 0.0], [0.0, 0.2]]))
    hint = make_guidance(view, arrows, torch.zeros(2, 90, 130)).planes[HINT]
    torch.testing.assert_close(hint[:, 70, 20], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(hint[:, 70, 110], torch.tensor([0.0, 1.0]))


@pytest.mark.usefixtures("two_threads")
def test_the_same_picture_gives_the_same_bits():
    task = task_of(lake(), HINTS)
    refine = MotionRefiner(wild_network())
    assert torch.equal(refine(task), refine(task))


def test_the_refined_flow_keeps_to_the_mask_and_honours_the_arrow():
    view = lake()
    flow = MotionRefiner(wild_network())(task_of(view, HINTS))
    field = finish_flow(flow, view.mask, HINTS, behind=view.behind)
    assert (field.velocity[:, ~view.mask[0]] == 0).all()
    torch.testing.assert_close(field.velocity[:, 70, 30], torch.tensor([1.0, 0.2]))


def test_twice_the_arrow_is_twice_the_flow():
    view, refine = lake(), MotionRefiner(wild_network())
    twice = (MotionHint((30.5, 70.5), (130.5, 90.5)),)
    once, doubled = (refine(task_of(view, hints)) for hints in (HINTS, twice))
    torch.testing.assert_close(2 * once, doubled, rtol=1e-3, atol=1e-4)


def test_a_mirrored_picture_gives_the_mirrored_flow():
    view, refine = lake(), MotionRefiner(wild_network())
    mirrored = View(*(plane.flip(-1) for plane in vars(view).values()))
    hints = (MotionHint((99.5, 70.5), (49.5, 80.5)),)
    flow = refine(task_of(mirrored, hints)).flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None]
    expected = refine(task_of(view, HINTS))
    inside = view.mask[0]
    error = (flow - expected)[:, inside].norm(dim=0).mean() / expected[:, inside].norm(dim=0).mean()
    assert error < 0.05  # the solver's sums run in another order


def test_guessed_arrows_count_as_drawn_ones_and_without_any_the_analytic_flow_stays():
    task = task_of(lake(), HINTS)
    silent = FlowTask(task.rgb, task.depth, task.moving, task.behind, (), task.base)
    assert torch.equal(MotionRefiner(wild_network())(silent), task.base)
    guessed = replace(silent, guessed=HINTS)
    assert torch.equal(MotionRefiner(wild_network())(guessed), MotionRefiner(wild_network())(task))


def test_enlarging_mixes_nothing_of_what_rests_into_what_moves():
    mask = torch.zeros(1, 12, 12, dtype=torch.bool)
    mask[:, 3:9, 2:10] = True
    field = torch.where(mask, 2.0, 99.0)
    large = mask.repeat_interleave(4, 1).repeat_interleave(4, 2)
    values, known = enlarged(field, mask, large)
    assert known[large].all()
    torch.testing.assert_close(values[large], torch.full_like(values[large], 2.0))


def test_a_smaller_view_keeps_the_share_that_moves():
    view = lake(240, 320)
    small = resized_view(view, 80)
    assert small.mask.shape == (1, 60, 80)
    assert abs(float(small.mask.float().mean() - view.mask.float().mean())) < 0.02
