"""Values spread along a shape."""

import torch

from cine3d_core.imaging.spread import spread


def test_values_go_along_the_shape_and_not_across_gaps():
    through = torch.zeros(9, 12, dtype=torch.bool)
    through[4, :] = through[:, 6] = through[0, 8:] = True  # a cross, and a bar beside it
    known = torch.zeros_like(through)
    known[4, 0] = known[8, 6] = True
    values = torch.zeros(9, 12)
    values[4, 0], values[8, 6] = 1.0, 2.0
    filled, reached = spread(values, known, through)
    assert bool((filled[4, :4] == 1).all()) and bool((filled[:, 6] == 2).all())
    assert not bool(reached[0, 8:].any()) and bool(reached[4].all())
    assert not bool(reached[~through].any())


def test_every_pixel_gets_the_value_of_the_nearest_known_one_in_the_open():
    known = torch.zeros(20, 20, dtype=torch.bool)
    known[3, 3] = known[15, 15] = True
    values = torch.zeros(20, 20)
    values[3, 3], values[15, 15] = 5.0, 7.0
    filled, reached = spread(values, known, torch.ones_like(known))
    assert bool(reached.all())
    assert bool((filled[:9, :9] == 5).all()) and bool((filled[11:, 11:] == 7).all())
