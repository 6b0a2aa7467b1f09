"""Every network of the shelf, tiny: got from a hub on the loopback, used by a build, offline."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.files.models.catalogue import SHELF
from cine3d_core.files.models.installed import chosen
from cine3d_core.files.models.runtimes import OnnxProgram, import_transformers
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.layers.fill_learned import foreign_fill
from cine3d_core.networks.shelf import ade20k, da3, moge
from cine3d_core.networks.shelf.clicks import Click, encode, mask_of
from cine3d_core.settings import BuildSettings
from cine3d_core.worker.jobs import JOBS
from cine3d_core.worker.model_jobs import found_by_network
from cine3d_core.worker.server import JobInput
from tests import tiny_networks
from tests.command_line import PHOTO
from tests.hub_server import entry, hub, on_hub, table

pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def tiny() -> dict[str, dict[str, bytes]]:
    return {name: make() for name, (_, _, make) in tiny_networks.TINY.items()}


@pytest.fixture
def filled(
    tiny: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A models folder with every entry, got from the loopback; then no socket connects."""
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "*")
    rank = {one.name: one.rank for one in SHELF}
    entries = [
        entry(name, task, kind, tiny[name], rank=rank[name])
        for name, (task, kind, _) in tiny_networks.TINY.items()
    ]
    monkeypatch.setenv("CINE3D_SHELF", str(table(tmp_path / "table.json", *entries)))
    files = {k: v for name in tiny for k, v in on_hub(name, tiny[name]).items()}
    with hub(files) as state:
        monkeypatch.setenv("HF_ENDPOINT", state.address)
        assert main(["models", "get", *tiny, "--progress", "none"]) == 0

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("asked somebody over a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path / "models"


def job(**arguments: Any) -> JobInput:
    return JobInput(arguments, {}, lambda stage, share: None)


def build(folder: Path, *options: str) -> Any:
    words = ["build", str(PHOTO), "-o", str(folder / "s.cine3d"), "--size", "96", "--frames", "4"]
    assert main([*words, *options]) == 0
    return load_scene(folder / "s.cine3d")


def test_the_best_of_the_shelf_is_used_everywhere_and_recorded(
    filled: Path, tmp_path: Path
) -> None:
    scene = build(tmp_path)
    assert {"da3-mono-large", "lama", "upernet-convnext-tiny"} <= scene.models.keys()
    assert scene.parameters["focal_from"] == "assumed"
    assert main(["models", "remove", "da3-mono-large"]) == 0
    scene = build(tmp_path)
    assert {"moge-2-small", "lama", "upernet-convnext-tiny"} <= scene.models.keys()
    assert "da3-mono-large" not in scene.models
    assert "moge-2-small" in scene.parameters["focal_from"]
    # the lens of the tiny network, found again through the whole build
    focal = float(scene.camera.intrinsics[0, 0])
    assert focal == pytest.approx(tiny_networks.FOCAL * 96, rel=0.02)
    moving = JOBS["propose_mask"](job(photo=str(PHOTO), settings={"size": 96}))[1]["moving"]
    assert moving.shape[:2] == (scene.camera.height, scene.camera.width)


def test_the_artists_choice_comes_first_and_compact_switches_back(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = build(tmp_path, "--depth", "depth-anything-v2-small", "--fill", "mi-gan",
                  "--classes", "compact")  # fmt: skip
    assert {"depth-anything-v2-small", "mi-gan", "see"} <= scene.models.keys()
    assert not {"moge-2-small", "lama", "upernet-convnext-tiny"} & scene.models.keys()
    scene = build(tmp_path, *(f"--{name}=compact" for name in ("depth", "fill", "classes")))
    assert "see" in scene.models and scene.parameters["focal_from"] == "assumed"
    assert not tiny_networks.TINY.keys() & scene.models.keys()
    capsys.readouterr()
    words = ["build", str(PHOTO), "-o", str(tmp_path / "x.cine3d"), "--fill", "moge-2-small"]
    assert main(words) == 2 and "is for depth, not for fill" in capsys.readouterr().err


def test_previews_take_the_choice_of_classes_and_notice_what_came_since(filled: Path) -> None:
    def proposed(**settings: object) -> np.ndarray:
        words = {"size": 96, "depth": "compact", **settings}
        return JOBS["propose_mask"](job(photo=str(PHOTO), settings=words))[1]["moving"]

    best, bundled = proposed(), proposed(classes="compact")
    assert not np.array_equal(best, bundled)
    assert np.array_equal(proposed(classes="upernet-convnext-tiny"), best)
    assert main(["models", "remove", "upernet-convnext-tiny"]) == 0
    assert np.array_equal(proposed(), bundled)


def test_clicks_find_a_mask_and_only_the_first_is_slow(filled: Path) -> None:
    clicks = [[0.5, 0.8, True]]
    value, arrays = JOBS["click_mask"](job(photo=str(PHOTO), size=96, clicks=clicks))
    assert value == {"network": "sam-2.1-tiny"}
    assert arrays["mask"].dtype == np.float32 and max(arrays["mask"].shape) == 96
    assert 0 <= arrays["mask"].min() <= arrays["mask"].max() <= 1
    begin = time.process_time()
    clicks.append([0.2, 0.1, False])
    again = JOBS["click_mask"](job(photo=str(PHOTO), size=96, clicks=clicks))[1]["mask"]
    assert time.process_time() - begin < 1.0
    assert np.abs(again - arrays["mask"]).max() > 0
    settings = {"size": 96, "border": "keep"}
    value, _ = JOBS["click_mask"](
        job(photo=str(PHOTO), settings=settings, clicks=clicks, network="sam-2.1-tiny")
    )
    assert value == {"network": "sam-2.1-tiny"}
    place = (Click(0.5, 0.8, True),)
    name, mask = found_by_network(str(PHOTO), BuildSettings(size=96), place)  # as Blender's tool
    assert name == "sam-2.1-tiny" and np.array_equal(mask, arrays["mask"][::-1] > 0.5)
    with pytest.raises(InputError, match="no click"):
        JOBS["click_mask"](job(photo=str(PHOTO), size=96, clicks=[]))


@pytest.mark.slow  # seconds: the photo half of SAM 2.1 Tiny at its real size, made-up weights
def test_a_click_takes_a_moment_after_the_photo_was_encoded() -> None:
    transformers = import_transformers("this test")
    model = transformers.Sam2Model(transformers.Sam2Config()).eval()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(31.4e6, rel=0.01)
    photo = encode(model, torch.rand(3, 853, 1280, generator=torch.Generator().manual_seed(0)))
    taken = []
    for count in (1, 1, 2, 3, 4, 5):  # the first one warms up
        clicks = tuple(Click(0.1 * n + 0.2, 0.5, n % 2 == 0) for n in range(count))
        begin = time.process_time()
        mask_of(model, photo, clicks)
        taken.append(time.process_time() - begin)
    print("seconds of processor time a click:", [round(t, 3) for t in taken])
    assert float(np.median(taken[1:])) <= 0.3


def test_without_a_package_an_entry_is_passed_over_and_refused_by_name(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert chosen("fill", None) is None
    with pytest.raises(InputError, match="needs the package onnxruntime"):
        chosen("fill", "lama")


@pytest.mark.parametrize("name", ["mi-gan", "lama"])
def test_fills_invent_the_hole_and_leave_the_rest(
    tmp_path: Path, tiny: dict[str, dict[str, bytes]], name: str
) -> None:
    (content,) = tiny[name].values()
    (tmp_path / "m.onnx").write_bytes(content)
    kind = tiny_networks.TINY[name][1]
    rgb = torch.rand(3, 70, 90, generator=torch.Generator().manual_seed(0))
    hole = torch.zeros(1, 70, 90, dtype=torch.bool)
    hole[:, 20:40, 30:60] = True
    fill = foreign_fill(kind, OnnxProgram(tmp_path / "m.onnx", name))
    found = fill(rgb, torch.ones(1, 70, 90), ~hole, hole)
    inside = {"mi-gan": (250 / 255, 120 / 255, 100 / 255), "lama": (0.1, 0.9, 0.2)}[name]
    assert torch.equal(found.rgb[:, ~hole[0]], rgb[:, ~hole[0]])
    colour = found.rgb[:, 25:35, 40:50].mean((1, 2))
    torch.testing.assert_close(colour, torch.tensor(inside), atol=0.01, rtol=0)


@pytest.mark.parametrize("focal", [35.0, 90.0, 400.0])
@pytest.mark.parametrize("shift", [-0.7, 0.0, 2.5])
def test_the_lens_and_the_shift_are_found_again(focal: float, shift: float) -> None:
    height, width = 60, 90
    generator = np.random.default_rng(3)
    distance = 1 + 4 * generator.random((height, width))
    y, x = np.mgrid[:height, :width] + 0.5
    points = np.stack([x - width / 2, y - height / 2, 0 * x], -1) / focal * distance[..., None]
    points[..., 2] = distance - shift
    points += generator.normal(0, 1e-3, points.shape)
    sure = generator.random((height, width)) > 0.3
    found, added = moge.lens_of_points(points, sure)
    assert found == pytest.approx(focal, rel=0.02)
    assert added == pytest.approx(shift, abs=0.1)


def test_depth_of_points_keeps_proportions_and_sky_is_far() -> None:
    rgb = torch.zeros(3, 40, 60)
    rgb[0, :, 30:] = 1.0  # twice as far
    rgb[2, :10] = 1.0  # no place

    class Known:
        inputs: dict[str, Any] = {}
        shapes: dict[str, Any] = {}

        def __call__(self, arrays: Any) -> dict[str, np.ndarray]:
            image = arrays["image"][0]
            y, x = np.mgrid[:40, :60] + 0.5
            z = 1 + image[0]
            points = np.stack([(x - 30) / 48 * z, (y - 20) / 48 * z, z - 0.4], -1)
            return {"points": points[None], "mask": (image[2:] < 0.5).astype(np.float32),
                    "metric_scale": np.array([3.0], np.float32)}  # fmt: skip

    seen = moge.predict(Known(), rgb)
    assert seen is not None and seen.focal_px == pytest.approx(48, rel=0.01)
    near, far = seen.distance[0, 30, 10], seen.distance[0, 30, 50]
    assert float(far / near) == pytest.approx(2, rel=0.01) and float(near) == pytest.approx(3, 0.02)
    assert seen.valid[0, 5].max() < 0.5 and float(seen.distance[0, 5].min()) >= float(far) * 0.99
    assert moge.predict(Known(), torch.ones(3, 40, 60)) is None


@pytest.mark.parametrize("turned", [False, True])
def test_distances_and_sky_of_a_program_for_lying_pictures(
    tmp_path: Path, tiny: dict[str, dict[str, bytes]], turned: bool
) -> None:
    (content,) = tiny["da3-mono-large"].values()
    (tmp_path / "m.onnx").write_bytes(content)
    program = OnnxProgram(tmp_path / "m.onnx", "DA3")
    assert program.shapes == {"image": (1, 3, 42, 56)}
    rgb = torch.zeros(3, 80, 120)
    rgb[0, :, 60:] = 1.0  # twice as far
    rgb[2, :20] = 1.0  # sky
    shown = rgb.rot90(-1, (1, 2)) if turned else rgb
    seen = da3.predict(program, shown)
    assert seen is not None and seen.focal_px is None
    distance, valid = seen.distance, seen.valid
    if turned:
        assert distance.shape == (1, 56, 42)
        distance, valid = (plane.rot90(1, (1, 2)) for plane in (distance, valid))
    assert distance.shape == (1, 42, 56)
    assert float(distance[0, 30, 50] / distance[0, 30, 5]) == pytest.approx(2, rel=0.02)
    assert valid[0, :8].max() < 0.5 and valid[0, 14:].min() > 0.5
    assert float(distance[0, :8].min()) == pytest.approx(float(distance.max()))
    nothing = torch.zeros(3, 80, 120)
    nothing[2] = 1.0
    assert da3.predict(program, nothing) is None


def test_classes_by_any_of_their_names() -> None:
    labels = {0: "wall", 1: "Sky", 2: "sea, ocean", 3: "seat", 4: "waterfall, falls", 5: "lake"}
    assert ade20k.places_of(labels) == {"sky": [1], "water": [2, 5], "falls": [4]}


def test_files_that_are_no_networks_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08nothing")
    with pytest.raises(InputError, match="cannot be loaded"):
        OnnxProgram(tmp_path / "m.onnx", "MI-GAN")
