"""A scene is drawn by the parameters that it was built with."""

from dataclasses import replace

import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.render.animation import AnimationParams, Shot, prepare
from cine3d_core.render.frame import PAPER_ANIMATION, render_frame
from cine3d_core.render.stored import animation_of, animation_record
from tests.river import river_scene


@pytest.mark.parametrize("animation", [AnimationParams(), PAPER_ANIMATION])
def test_how_a_scene_is_drawn_comes_back_from_its_file(animation, tmp_path):
    scene = replace(river_scene(), parameters=animation_record(animation))
    save_scene(scene, tmp_path / "s.cine3d")
    assert animation_of(load_scene(tmp_path / "s.cine3d")) == animation


def test_frames_follow_what_the_scene_says():
    scene = river_scene()
    shot = Shot(scene.camera, scene.camera, scene.camera)
    other = replace(scene, parameters=animation_record(PAPER_ANIMATION))
    published, explicit = (
        render_frame(prepare(other), shot, 3).rgb,
        render_frame(prepare(scene), shot, 3, params=PAPER_ANIMATION).rgb,
    )
    assert torch.equal(published, explicit)
    assert not torch.equal(published, render_frame(prepare(scene), shot, 3).rgb)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lift": "sideways"}, "lift is sideways"),
        ({"invented_weight": True}, "invented_weight is True"),
        ({"flow_stretch": float("inf")}, "flow_stretch is inf"),
        ({"splat": None}, "splat does not hold"),
        ({"more": 1}, "animation does not hold"),
    ],
)
def test_a_scene_that_does_not_say_how_it_is_drawn_is_refused(change, word):
    parameters = animation_record(AnimationParams())
    parameters["stages"]["animation"] |= change
    with pytest.raises(InputError, match=word):
        animation_of(replace(river_scene(), parameters=parameters))
