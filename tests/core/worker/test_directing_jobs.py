"""What the worker shows before a build is what it builds, and what the command line builds."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cine3d_core.build import (
    DirectedPhoto,
    EstimatedDepth,
    direct_photo,
    estimate_depth,
    read_inputs,
)
from cine3d_core.families import build_scene
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.motion.draw import draw_motion, what_moves
from cine3d_core.scene import CinemagraphScene
from cine3d_core.see.look import BUNDLED
from cine3d_core.settings import BuildSettings
from cine3d_core.worker import requests
from cine3d_core.worker.jobs import JOBS
from cine3d_core.worker.requests import asked
from cine3d_core.worker.server import JobInput, JobResult

SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "bridge" / "photo.jpg"
SIDE = 256  # of the photo, and of all that is made of it: a power of two, so that shares are exact
ARROWS = [[0.25, 0.875, 0.375, 0.875], [0.625, 0.875, 0.75, 0.9375]]  # shares of the photo's sides


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.open(SAMPLE).resize((SIDE, SIDE // 2)).save(path)
    return path


def painted(photo: Path) -> np.ndarray:
    """The lower third, as bytes from the top row down; and as a picture beside the photo."""
    mask = np.zeros((SIDE // 2, SIDE), np.uint8)
    mask[90:] = 255
    Image.fromarray(mask).save(photo.with_name("mask.png"))
    return mask


def drawn_as_files(photo: Path) -> BuildSettings:
    size = np.array([SIDE, SIDE // 2] * 2)
    places = (np.array(ARROWS) * size).tolist()
    hints = [{"start": place[:2], "end": place[2:]} for place in places]
    photo.with_name("hints.json").write_text(json.dumps({"hints": hints}))
    return BuildSettings(
        mask=photo.with_name("mask.png"), hints=photo.with_name("hints.json"), frames=12, size=SIDE
    )


def job(name: str, photo: Path, arrays: dict[str, np.ndarray], **arguments: object) -> JobResult:
    settings = {"frames": 12, "size": SIDE}
    words = {"photo": str(photo), "settings": settings, **arguments}
    return JOBS[name](JobInput(words, arrays, lambda stage, share: None))


def drawn_over(directed: DirectedPhoto) -> np.ndarray:
    return rgb_bytes(draw_motion(directed.photo.rgb, directed.motion))


def same_arrays(one: CinemagraphScene, other: CinemagraphScene) -> bool:
    pairs = [(one.cloud.positions, other.cloud.positions), (one.velocity, other.velocity)]
    pairs += [(one.cloud.rgb, other.cloud.rgb), (one.layer_depth, other.layer_depth)]
    pairs += [(one.cycles, other.cycles), (one.cloud.features, other.cloud.features)]
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("with_drawing", [True, False])
def test_the_preview_shows_the_motion_that_is_built(
    photo: Path, tmp_path: Path, with_drawing: bool
) -> None:
    arrays, drawn = {}, {}
    settings = BuildSettings(frames=12, size=SIDE)
    if with_drawing:
        arrays = {"mask": painted(photo)[::-1]}  # as Blender keeps pictures: bottom row first
        drawn, settings = {"hints": ARROWS}, drawn_as_files(photo)
    value, shown = job("preview_motion", photo, arrays, **drawn)
    picture = np.array(Image.open(io.BytesIO(shown["picture"].tobytes())))
    directed = direct_photo(*read_inputs(photo, settings), settings, Networks())
    assert bool(what_moves(directed.motion).any())
    assert np.array_equal(picture, drawn_over(directed))
    assert value["assumed"] == list(directed.assumed)

    job("build", photo, arrays, scene_file=str(tmp_path / "a.cine3d"), **drawn)
    built = load_scene(tmp_path / "a.cine3d")
    assert same_arrays(built, rounded(build_scene(photo, settings), tmp_path))
    assert built.parameters["assumed"] == value["assumed"]


def rounded(scene: CinemagraphScene, folder: Path) -> CinemagraphScene:
    """As a scene file keeps it."""
    from cine3d_core.files.scene.scene_file import save_scene

    save_scene(scene, folder / "b.cine3d")
    return load_scene(folder / "b.cine3d")


def test_the_preset_of_a_build_directs_its_preview_too(photo: Path) -> None:
    arguments = {"hints": ARROWS, "settings": {"frames": 12, "size": SIDE, "preset": "paper"}}
    _, paper = job("preview_motion", photo, {}, **arguments)
    _, default = job("preview_motion", photo, {}, hints=ARROWS)
    assert paper["picture"].tobytes() != default["picture"].tobytes()


def test_a_proposed_mask_is_what_moves_where_nothing_is_drawn(photo: Path) -> None:
    value, arrays = job("propose_mask", photo, {})
    proposed = arrays["moving"][::-1] > 0.5
    assert proposed.shape == (SIDE // 2, SIDE) and "found" in value["description"]
    settings = BuildSettings(frames=12, size=SIDE)
    directed = direct_photo(*read_inputs(photo, settings), settings, Networks())
    assert np.array_equal(proposed, what_moves(directed.motion)[0].numpy())


REGIONS: dict[str, Any] = {
    "hints": [{"start": [30.5, 110.25], "end": [60.0, 112.0]}],
    "mask": [[[2.0, 90.0], [120.0, 90.0], [120.0, 127.0], [2.0, 127.0]]],
    "regions": [
        {
            "hints": [{"start": [150.0, 20.0], "end": [160.0, 20.0]}],
            "mask": [[[140.0, 10.0], [200.0, 10.0], [200.0, 60.0]]],
            "name": "Bush",
            "cycles": 2,
            "mode": "sway",
            "amplitude": 1.5,
            "wavelength": 40.0,
        },
        {"hints": [], "mask": "water", "speed": 0.5, "perspective": False},
        {"hints": [], "mask": {"picture": "tower.png"}, "rests": True},
        {"hints": [{"start": [150.0, 100.0], "end": [160.0, 100.0]}], "mode": "shimmer"},
    ],
    "freeze": [{"points": [[20.0, 100.0]], "width": 8.0}],
    "strokes": [
        {"label": "moves", "points": [[5.0, 95.0], [9.0, 99.0]], "width": 3.0},
        {"label": "rests", "points": [[70.0, 95.0], [9.0, 99.0]], "width": 3.0},
    ],
}


def test_every_key_of_a_file_comes_through_blender_and_back(photo: Path) -> None:
    tower = np.zeros((SIDE // 2, SIDE), np.uint8)
    tower[20:40, 30:50] = 255
    Image.fromarray(tower).save(photo.with_name("tower.png"))
    path, again = photo.with_name("all.json"), photo.with_name("again.json")
    path.write_text(json.dumps(REGIONS))
    value, arrays = job("read_directions", photo, {}, path=str(path))
    assert value["regions"] == len(REGIONS["regions"])
    job("write_directions", photo, arrays, path=str(again))
    written = json.loads(again.read_text())
    assert written["regions"][2]["mask"] == {"picture": str(photo.with_name("tower.png"))}
    written["regions"][2]["mask"] = {"picture": "tower.png"}
    assert written == REGIONS


def test_regions_from_blender_are_those_of_a_file(photo: Path) -> None:
    path = photo.with_name("some.json")
    path.write_text(json.dumps({**REGIONS, "regions": REGIONS["regions"][:2]}))
    _, arrays = job("read_directions", photo, {}, path=str(path))
    settings = {"frames": 12, "size": SIDE}
    came = asked(JobInput({"photo": str(photo), "settings": settings}, arrays, print)).drawing
    _, read = read_inputs(photo, BuildSettings(hints=path, frames=12, size=SIDE))
    assert came.mask is not None and read.mask is not None
    assert torch.equal(came.mask, read.mask)
    assert replace(came, mask=None) == replace(read, mask=None)


def test_the_live_motion_is_the_build_s_at_its_size(photo: Path) -> None:
    path = photo.with_name("live.json")
    path.write_text(json.dumps({**REGIONS, "regions": REGIONS["regions"][:1]}))
    _, arrays = job("read_directions", photo, {}, path=str(path))
    value, live = job("live_motion", photo, arrays)
    settings = BuildSettings(hints=path, frames=12, size=SIDE)
    motion = direct_photo(*read_inputs(photo, settings), settings, Networks()).motion
    height, width = SIDE // 2, SIDE
    flow, swing = (live[name][::-1].transpose(2, 0, 1) for name in ("flow", "swing"))
    shares = np.array([width, -height], np.float32)[:, None, None]
    np.testing.assert_allclose(flow[:2] * shares, motion.velocity.numpy(), atol=1e-5)
    assert np.array_equal(flow[2] > 0, motion.moving[0].numpy())
    assert np.array_equal(swing[3], motion.cycles[0].numpy())
    np.testing.assert_allclose(swing[:2] * shares, motion.in_place["sway"][:2].numpy(), atol=1e-5)
    owner = live["owner"][::-1]
    assert set(np.unique(owner)) == {0, 1, 255}
    assert np.array_equal(owner == 255, motion.moving[0].numpy())
    assert np.array_equal((owner == 1) | (owner == 255), (flow[2] > 0) | (swing[2] != 0))
    assert value["num_frames"] == 12 and live["depth"].shape == (height, width)
    sure = live["sure"][::-1]
    assert (sure[owner == 1] == 255).all() and sure.min() < 128  # outlined; found or not


def test_a_first_stroke_does_not_estimate_the_depth_again(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, asked_of = [], requests.estimate_depth

    def counted(*arguments: Any, **words: Any) -> EstimatedDepth:
        opened.append(words["before"] is None)
        return asked_of(*arguments, **words)

    monkeypatch.setattr(requests, "estimate_depth", counted)
    requests._estimated_of_file.cache_clear()
    settings = BuildSettings(frames=12, size=SIDE)
    for finds in (False, True, False, True):
        estimated = requests.estimated_depth(str(photo), settings, find_fluids=finds)
        rgb = requests.working_photo(str(photo), settings).rgb
        fresh = estimate_depth(rgb, settings, Networks(), find_fluids=finds)
        assert torch.equal(estimated.depth.depth, fresh.depth.depth)
        assert estimated.asked == fresh.asked
    assert opened == [True, False]


def test_a_photo_that_was_looked_at_before_its_first_click_is_not_looked_at_again(
    photo: Path,
) -> None:
    requests._seen_in_file.cache_clear()
    assert job("prepare_click", photo, {}) == ({}, {})
    looked = requests._seen_in_file.cache_info().misses
    job("click_thing", photo, {}, clicks=[[0.8, 0.15, True]])
    assert looked == requests._seen_in_file.cache_info().misses == 1


def test_a_click_on_the_sky_outlines_the_sky(photo: Path) -> None:
    value, arrays = job("click_thing", photo, {}, clicks=[[0.8, 0.15, True]])
    content = json.loads(arrays["drawing"].tobytes())["content"]
    place = torch.zeros(1, SIDE // 2, SIDE, dtype=torch.bool)
    for region in content["regions"]:
        place = rasterize_polygons(region["mask"], SIDE // 2, SIDE)
    assert value["network"] == BUNDLED  # there is none for clicks on this machine
    assert value["what"] == "sky" and bool(place[0, 19, 205])
    assert not bool(place[0, 110:].any()) and float(place.float().mean()) > 0.15


def test_a_scene_says_which_networks_found_what_was_clicked_on(photo: Path, tmp_path: Path) -> None:
    words = {"scene_file": str(tmp_path / "s.cine3d"), "clicked_with": ["sam", "a"]}
    job("build", photo, {}, settings={"frames": 4, "size": 96, "preset": "draft"}, **words)
    assert load_scene(tmp_path / "s.cine3d").parameters["clicked_with"] == ["a", "sam"]
