"""Which family builds and draws a scene."""

from dataclasses import replace

import pytest
import torch

from cine3d_core.errors import InputError
from cine3d_core.families import FAMILIES, family_of, scene_of_photo
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.scene import CinemagraphScene, Drawing
from cine3d_core.settings import CHOICES, BuildSettings
from tests.river import river_scene


def large_scene(models: str) -> CinemagraphScene:
    """A scene that says of itself to be of a photo of 1280 pixels."""
    scene = river_scene()
    camera = replace(scene.camera, width=1280)
    return replace(scene, camera=camera, parameters={**scene.parameters, "models": models})


def test_there_is_a_family_for_every_choice():
    assert list(FAMILIES) == [option.name for option in CHOICES["models"].options]


def test_a_scene_is_drawn_by_the_family_that_made_it():
    for name, family in FAMILIES.items():
        assert family_of(large_scene(name)) is family


def test_only_compact_scenes_have_a_coarse_form():
    compact, official = large_scene("compact"), large_scene("official")
    assert len(FAMILIES["compact"].coarse(compact).cloud.pixel) < len(compact.cloud.pixel) / 3
    assert FAMILIES["official"].coarse(official) is official


def test_the_checksum_of_what_draws_is_the_decoders():
    scene = replace(large_scene("compact"), models={"decoder": "d" * 64})
    none_here = Networks(listed=list)
    assert FAMILIES["compact"].drawn_by(scene, none_here, "scene") == "d" * 64
    assert FAMILIES["compact"].drawn_by(scene, none_here, "none") == "none"
    assert FAMILIES["official"].drawn_by(scene, none_here, "none") == ""


def test_the_official_family_wants_a_mask_and_an_arrow():
    photo = Photo(torch.rand(3, 32, 48), None, None, "", 32, 48)
    with pytest.raises(InputError, match="a mask and at least one arrow"):
        scene_of_photo(photo, Drawing(), BuildSettings(models="official"), Networks(listed=list))
