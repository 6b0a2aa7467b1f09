"""Every choice of a build is said once, and every front end offers it."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from cine3d_core import build
from cine3d_core.cli.choices import add_settings, settings_from
from cine3d_core.cli.program import make_parser
from cine3d_core.errors import InputError
from cine3d_core.settings import (
    CHOICES,
    FAMILIES,
    MOTION,
    PRESETS,
    BuildSettings,
    Family,
    MotionChoice,
    Preset,
    check_loop,
    settings_of,
)


def test_every_setting_is_an_option_of_build_with_its_default():
    args = make_parser().parse_args(["build", "a.jpg", "-o", "a.cine3d"])
    assert settings_from(args) == BuildSettings()


def test_options_become_settings_of_their_types():
    parser = argparse.ArgumentParser()
    add_settings(parser, *CHOICES)
    words = "--depth d --mask m.png --hints h.json --motion analytic --frames 9 --fps 12.5".split()
    words += "--size 64 --models official --preset draft --device cpu --view=-9,0,60".split()
    assert settings_from(parser.parse_args(words)) == BuildSettings(
        depth="d",
        mask=Path("m.png"),
        hints=Path("h.json"),
        motion="analytic",
        frames=9,
        fps=12.5,
        size=64,
        models="official",
        preset="draft",
        device="cpu",
        view="-9,0,60",
    )


def test_batch_shares_all_that_photos_can_share():
    words = ["batch", "a.jpg", "-o", "clips"]
    given = vars(make_parser().parse_args(words))
    assert set(CHOICES) - set(given) == {"mask", "hints", "depth_strokes"}


def test_names_in_menus_are_those_that_are_built():
    for options, names in ((PRESETS, Preset), (FAMILIES, Family), (MOTION, MotionChoice)):
        assert sorted(option.name for option in options) == sorted(get_args(names))
    assert set(build.PRESETS) == {option.name for option in PRESETS}


def test_a_message_says_what_differs_and_nothing_else():
    settings = BuildSettings(frames=9, hints=Path("h.json"), preset="paper")
    message = asdict(replace(settings, hints=None)) | {"hints": "h.json"}
    assert settings_of(message) == settings
    assert settings_of({}) == BuildSettings()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [({"colour": 1}, "no setting 'colour'"), ({"preset": "best"}, "one of default, draft, paper")],
)
def test_a_message_with_what_there_is_not_is_refused(words: dict[str, object], sentence: str):
    with pytest.raises(InputError, match=sentence):
        settings_of(words)


@pytest.mark.parametrize(("frames", "fps"), [(1, 25), (10_001, 25), (60, 0), (60, float("nan"))])
def test_loops_that_nobody_can_mean_are_refused(frames: int, fps: float):
    with pytest.raises(InputError, match="asked for"):
        check_loop(frames, fps)
