"""Kinds of motion are known by one name everywhere, and one file says how each moves points."""

import math

import pytest
import torch
from torch import Tensor

from cine3d_core.files.scene.arrays import IN_PLACE_LAYOUT, LAYOUT
from cine3d_core.layers.border import border_source
from cine3d_core.motion import in_place
from cine3d_core.motion.direct import direct_motion
from cine3d_core.motion.flow import MotionParams
from cine3d_core.motion_kinds import IN_PLACE, KINDS
from cine3d_core.points.assemble import extend_motion
from cine3d_core.render.animation import Shot, prepare, splat_directions
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.stored import animation_of
from cine3d_core.scene import DepthMap, Drawing, MotionRegion
from tests.river import river_scene

SIZE = (20, 30)


def test_every_kind_in_place_has_its_maths_and_its_place_in_a_scene_file():
    names = [kind.name for kind in IN_PLACE]
    assert list(in_place.IN_PLACE) == names == list(IN_PLACE_LAYOUT)
    assert list(KINDS) == ["flow", *names] and not set(names) & set(LAYOUT)


class Bob:
    """A kind that only this test knows: up and down by a sine."""

    keeps_depth = True

    def __init__(self, amplitude: Tensor | None = None, period: float = 1.0):
        self.amplitude, self.period = amplitude, period

    def field(self, mask: Tensor, disparity: Tensor, region: MotionRegion) -> Tensor:
        return torch.cat([torch.zeros_like(mask), mask, mask]).float() * 2

    def cycles(self, num_frames: int) -> int:
        return 3

    def of_points(self, planes: Tensor, period: float, *, backward: bool) -> "Bob":
        return Bob(planes[:, :2] * (-1 if backward else 1), period)

    def displacement(self, time: float) -> Tensor:
        assert self.amplitude is not None
        return self.amplitude * math.sin(math.tau * time / self.period)


@pytest.fixture
def bob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(in_place.IN_PLACE, "bob", Bob())


@pytest.mark.usefixtures("bob")
def test_a_new_kind_needs_no_more_than_its_entry_to_be_directed():
    square = ((5.0, 5.0), (15.0, 5.0), (15.0, 15.0), (5.0, 15.0))
    flat = DepthMap(torch.ones(1, *SIZE), torch.zeros(1, *SIZE))
    drawing = Drawing(regions=(MotionRegion((square,), mode="bob"),))
    field, _ = direct_motion(torch.rand(3, *SIZE), flat, drawing, MotionParams())
    assert int(field.swinging.sum()) == 100 and not field.moving.any()
    assert set(field.cycles[field.swinging].tolist()) == {3}
    assert extend_motion(field, 4, border_source(torch.zeros(3, 20, 30), 4)).in_place[
        "bob"
    ].shape == (3, 28, 38)


@pytest.mark.usefixtures("bob")
def test_a_new_kind_needs_no_more_than_its_entry_to_be_drawn():
    scene = river_scene(velocity=(0.0, 0.0))
    planes = torch.zeros(len(scene.layer_depth), 3, *scene.velocity.shape[2:])
    planes[:, 1] = 2.0
    scene.in_place["bob"] = planes  # type: ignore[index]
    prepared = prepare(scene)
    assert [group.cycles for group in prepared.groups] == [1]
    quarter = scene.num_frames // 4
    shot = Shot(scene.camera, scene.camera, scene.camera)
    params = animation_of(scene)
    rest, moved = (splat_directions(prepared, shot, f, params)[0] for f in (0, quarter))
    assert float((rest.features[:3] - moved.features[:3]).abs().mean()) > 0.01
    assert float(smaller_scene(scene, 2).in_place["bob"][:, 1].max()) == 1.0
