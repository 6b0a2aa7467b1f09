"""Whole programs on a pretended card: builds, worker jobs, the official family, training steps."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cine3d_core.cli.doctor import examine
from cine3d_core.device import choose_device
from cine3d_core.errors import DeviceError, InputError
from cine3d_core.families import build_scene
from cine3d_core.files.scene.scene_file import save_scene
from cine3d_core.imaging import card_facts, launch
from cine3d_core.layers.fill_learned import correct
from cine3d_core.official.frame import official_frames
from cine3d_core.output.hand_over import FrameDrawer
from cine3d_core.progress import ignore_progress
from cine3d_core.render.animation import Shot
from cine3d_core.scene import CinemagraphScene
from cine3d_core.settings import BuildSettings
from cine3d_core.worker import check as check_job
from cine3d_core.worker import jobs, kept, requests
from cine3d_core.worker.server import JobInput
from tests.card_check import __main__ as gpu_check
from tests.card_check import checks
from tests.command_line import HINTS, PHOTO
from tests.core.layers.test_fill_learned import half_covered, picture, trained
from tests.core.official import test_build as published
from tests.pretended_card import (
    CARD,
    CardTensor,
    pretended_apple,
    pretended_card,
    pretended_limit,
)
from tests.river import river_scene

CPU = torch.device("cpu")
MOST_WAITS = 3  # of a frame
needs_kernels = pytest.mark.skipif(not launch.is_installed(), reason="no gpu extra")


@pytest.fixture
def fresh_networks():
    """Networks that went to the pretended card are not used afterwards."""
    yield
    requests.NETWORKS._kept.clear()
    for name, module in list(sys.modules.items()):
        for value in list(vars(module).values()) if name.startswith("cine3d_core") else ():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def job(**arguments: object) -> JobInput:
    return JobInput(arguments, {}, ignore_progress)


def built_on(device: str, **choices: Any) -> CinemagraphScene:
    settings = BuildSettings(hints=HINTS, size=96, frames=4, device=device, **choices)
    return build_scene(PHOTO, settings)


@pytest.fixture(scope="module")
def built_by_the_cpu() -> CinemagraphScene:
    return built_on("cpu")


CARDS = {
    "kernels": (pretended_card, "cuda:0"),
    "torch": (partial(pretended_card, kernels=False), "cuda:0"),
    "Apple": (pretended_apple, "mps"),
}


@pytest.mark.parametrize("kind", [pytest.param("kernels", marks=needs_kernels), "torch", "Apple"])
def test_a_scene_is_built_with_the_card_as_without(fresh_networks, built_by_the_cpu, kind: str):
    wanted, (card, device) = built_by_the_cpu, CARDS[kind]
    with card():
        found = built_on(device)
    assert type(found.cloud.rgb) is torch.Tensor  # ready for a file
    assert found.layer_depth.shape == wanted.layer_depth.shape
    torch.testing.assert_close(found.layer_depth, wanted.layer_depth, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.cloud.rgb, wanted.cloud.rgb, atol=1 / 255, rtol=0)
    torch.testing.assert_close(found.cloud.features, wanted.cloud.features, atol=1e-2, rtol=0)
    torch.testing.assert_close(found.velocity, wanted.velocity, atol=1e-2, rtol=0)
    assert torch.equal(found.cloud.pixel, wanted.cloud.pixel)
    assert torch.equal(found.cloud.layer, wanted.cloud.layer)


def test_a_build_that_a_card_has_no_memory_for_says_what_to_do(fresh_networks):
    with pretended_card(kernels=False), pretended_limit(20_000):
        with pytest.raises(DeviceError, match="too little memory.*smaller size.*--device to cpu"):
            built_on("cuda:0")


@needs_kernels
def test_check_draws_its_frame_on_the_card_that_it_names(fresh_networks, monkeypatch):
    drawn = []
    begin = check_job.frame_drawer

    def noted(scene, device, **choices):
        drawn.append(device)
        return begin(scene, device, **choices)

    monkeypatch.setattr(check_job, "frame_drawer", noted)
    with pretended_card(name="Card 9") as waits:
        facts, _ = jobs.JOBS["check"](job(device="cuda"))
        assert "event" in waits  # a frame came from the card
    assert drawn == [torch.device("cuda")]
    assert facts["device_name"] == "Card 9" and "Warp" in facts["drawn_by"]
    assert "Card 9" in facts["card"]


def camera_record(scene) -> dict[str, object]:
    return jobs._camera_record(scene.camera)


@needs_kernels
@pytest.mark.parametrize("preview", [False, True])
def test_a_worker_renders_on_the_card(tmp_path: Path, preview: bool):
    scene = river_scene()
    save_scene(scene, tmp_path / "s.cine3d")
    camera = camera_record(scene)
    answers = []
    for where in ("cpu", "cuda:0"):
        with pretended_card():
            arguments = {"scene_file": str(tmp_path / "s.cine3d"), "device": where, "frame": 3}
            arguments |= dict.fromkeys(("camera", "previous", "next"), camera)
            arguments |= {"passes": ["depth", "vector", "moving"], "preview": preview}
            answers.append(jobs.JOBS["render"](job(**arguments)))
    assert [answer["drawn_on"] for answer, _ in answers] == ["cpu", "cuda:0"]
    for name, wanted in answers[0][1].items():
        found = torch.from_numpy(answers[1][1][name])
        torch.testing.assert_close(found, torch.from_numpy(wanted), atol=1 / 255, rtol=1e-3)


def test_a_card_that_fails_is_an_error_unless_the_cpu_is_allowed(tmp_path: Path, monkeypatch):
    scene = river_scene()
    save_scene(scene, tmp_path / "s.cine3d")

    def broken(self, *_):
        if self.device.type == "cuda":
            raise RuntimeError("CUDA error: an illegal instruction was encountered\nmore")
        return begin(self, *_)

    begin = jobs.FrameDrawer.__call__
    monkeypatch.setattr(jobs.FrameDrawer, "__call__", broken)
    arguments = {"scene_file": str(tmp_path / "s.cine3d"), "device": "cuda:0", "frame": 1}
    arguments |= dict.fromkeys(("camera", "previous", "next"), camera_record(scene))
    with pretended_card(kernels=False):
        with pytest.raises(InputError, match="illegal instruction.*driver.*--device to cpu"):
            jobs.JOBS["render"](job(**arguments))
        answers = [jobs.JOBS["render"](job(**arguments, cpu_allowed=True))[0]]
        film = {"scene_file": arguments["scene_file"], "device": "cuda:0", "frames": [1]}
        film |= {"cameras": [camera_record(scene)], "path": str(tmp_path / "film"), "fps": 25}
        with pytest.raises(InputError, match="illegal instruction"):
            jobs.JOBS["film"](job(**film, loops=1))
        answers.append(jobs.JOBS["film"](job(**film, loops=1, cpu_allowed=True))[0])
    for answer in answers:
        assert answer["drawn_on"].startswith("cpu, since the graphics card could not be used")


def test_a_programs_own_mistake_is_not_blamed_on_the_card():
    with pytest.raises(RuntimeError, match="shape"):
        with card_facts.card_errors_told(CARD):
            raise RuntimeError("shape mismatch")


def test_doctor_names_the_card_and_what_draws():
    def told() -> str:
        return next(f.text for f in examine() if f.subject == "graphics card")

    assert told().startswith(("none", "Apple")) or "driver" in told()
    with pretended_card(kernels=False, name="Card 9"):
        assert "Card 9" in told() and "cine3d[gpu]" in told()


def test_a_card_that_this_pytorch_cannot_use_says_why(monkeypatch):
    monkeypatch.setattr(card_facts, "driver_says", lambda: ("Old Card", "390.1"))
    facts = card_facts.card_facts()
    assert facts.name == "Old Card" and facts.problem is not None
    assert "PyTorch" in facts.problem
    with pytest.raises(InputError, match=f"'cuda' is not available.*{facts.problem[:20]}.*cpu"):
        choose_device("cuda")
    checked, _ = jobs.JOBS["check"](job(device="auto"))
    assert checked["device"] == "cpu" and facts.problem in checked["card"]
    with pretended_card(), monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_90", "sm_100a"])
        problem = card_facts.card_facts().problem
        assert problem is not None and "too old" in problem
        with pytest.raises(DeviceError, match="no kernel image.*too old.*--device to cpu"):
            with card_facts.card_errors_told(CARD):
                raise RuntimeError("CUDA error: no kernel image is available for execution")


def test_scenes_are_kept_as_long_as_memory_allows():
    free = 100
    store = kept.KeptScenes(lambda device: free)
    made = []

    def maker(name: str, size: int):
        return lambda: (made.append(name), (name, size))[1]

    for name in ("a", "b", "a", "c"):
        assert store.get(("frames", name, 1, CPU), maker(name, 15)) == name
    assert made == ["a", "b", "c"] and len(store) == 3
    store.get(("frames", "d", 1, CPU), maker("d", 15))  # 45 of 145 are more than a quarter
    assert len(store) == 3
    store.get(("frames", "a", 2, CPU), maker("a2", 15))  # the file has changed
    assert made == ["a", "b", "c", "d", "a2"]


@pytest.mark.parametrize("kernels", [pytest.param(True, marks=needs_kernels), False])
def test_the_official_family_draws_on_the_card(kernels: bool):
    camera = published.camera()
    wanted = official_frames(published.scene(), published.networks(), CPU)(camera, 3)
    with pretended_card(kernels=kernels) as waits:
        draw = official_frames(published.scene(), published.networks(), CARD)
        drawer = FrameDrawer(lambda shot, frame, _: draw(shot.camera, round(frame)), CARD)
        shot = Shot(camera, camera, camera)
        drawer(shot, 2, False)  # makes room for the fragments
        waits.clear()
        promise = drawer.begin(shot, 3, False)
        assert len(waits) == (0 if kernels else 2)  # torch asks how long each list is
        frame = promise()
        assert len(waits) <= MOST_WAITS
    away = (frame.rgb - wanted.rgb).abs()
    assert float((away > 1 / 255).float().mean()) < 1e-3, float(away.max())


@pytest.mark.parametrize("name", [name for name in checks._networks() if name != "official motion"])
def test_a_training_step_is_that_of_the_cpu(name: str):
    loss, gradients = checks._step(name, CPU)
    with pretended_card():
        there, found = checks._step(name, CARD)
    assert abs(loss - there) < 1e-4
    for one, other in zip(gradients, found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-3)


def test_the_network_that_fills_works_on_the_card():
    rgb, (context, hole) = picture(50, 70, seed=2), half_covered(50, 70)
    wanted = correct(trained(3), rgb, context, hole)
    with pretended_card():
        found = correct(trained(3).to(CARD), rgb, context, hole)
    assert not isinstance(found, CardTensor)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_gpu_check_without_our_kernels_compiler_says_so_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(launch, "is_installed", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu-check", "--dry"])
    assert gpu_check.main() == 2
    assert capsys.readouterr().err == "gpu-check: Warp is not installed; pip install cine3d[gpu]\n"
