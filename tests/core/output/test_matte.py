import torch

from cine3d_core.output.matte import matte


def test_a_line_of_gaps_is_closed_and_edges_are_soft() -> None:
    moving = torch.zeros(1, 20, 30)
    moving[:, :, 10:] = 1.0
    moving[:, ::2, 15] = 0.0  # a dashed line within
    out = matte(moving)
    assert out[:, :, 13:18].min() == 1.0
    edge = out[0, 10, 7:13]
    assert (edge.diff() >= 0).all() and ((edge > 0) & (edge < 1)).sum() == 2


def test_what_rests_or_moves_everywhere_stays_as_it_is() -> None:
    for value in (0.0, 1.0):
        moving = torch.full((1, 9, 7), value)
        assert torch.equal(matte(moving), moving)
