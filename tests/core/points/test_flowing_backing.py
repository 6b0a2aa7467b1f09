"""The second water behind the first, which shows where a cycle's flow has emptied a place."""

import torch
from torch import Tensor

from cine3d_core.render.animation import AnimationParams, Shot, prepare
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene
from tests.core.points.test_backing import SIDE, pool, scene
from tests.river import texture

SPEED = 2.0  # px a frame: in a loop of 20 frames it crosses the pool of 24 px almost twice


def drawn(built: CinemagraphScene, frame: int) -> Tensor:
    shot = Shot(built.camera, built.camera, built.camera)
    return render_frame(prepare(built), shot, frame, params=AnimationParams()).rgb


def spread(rgb: Tensor) -> float:
    """Standard deviation of brightness in the middle of the pool."""
    return float(rgb.mean(dim=0)[15:33, 15:33].std())


def test_an_emptied_place_shows_flowing_texture_and_no_pale_patch():
    built = scene(pool(SPEED), backing_layer=True)
    photo = spread(texture(SIDE, SIDE, seed=2))
    # frame 10: both clouds have left the middle
    assert spread(drawn(built, 10)) > 0.8 * photo
    moves = (drawn(built, 10) - drawn(built, 11)).abs().mean(dim=0)[15:33, 15:33]
    assert float(moves.mean()) > 0.02


def test_the_copy_lies_behind_the_water_in_its_colours_and_starts_anew_more_often():
    plain = scene(pool(SPEED), backing_layer=False)
    built = scene(pool(SPEED), backing_layer=True)
    copy = built.cloud.layer == len(plain.velocity)
    pixel = built.cloud.pixel[copy]
    torch.testing.assert_close(built.cloud.positions[copy][:, 2], torch.full_like(pixel, 3) * 1.05)
    assert torch.equal(built.cloud.rgb[copy], plain.cloud.rgb[pixel])
    groups = [group for group in prepare(built).groups if bool(copy[group.index[0]])]
    assert [group.cycles for group in groups] == [10]


def test_at_rest_and_at_the_loops_end_nobody_sees_it():
    built, plain = (scene(pool(SPEED), backing_layer=with_it) for with_it in (True, False))
    assert torch.equal(drawn(built, 0), drawn(plain, 0))
    assert torch.equal(drawn(built, 0), drawn(built, 20))


def test_water_that_leaves_no_gap_has_no_copy():
    built = scene(pool(1.0), backing_layer=True)
    assert len(built.velocity) == 1
