"""Whole frames on a pretended card: equal to the CPU's, and without waiting for it."""

from __future__ import annotations

import copy
from dataclasses import fields

import pytest
import torch

from cine3d_core.cameras import move_camera
from cine3d_core.errors import DeviceError, InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.imaging import launch
from cine3d_core.output.clip import CameraPath, frame_drawer, render_clip
from cine3d_core.output.hand_over import FrameDrawer
from cine3d_core.progress import ignore_progress
from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.decode import LearnedDecoder
from cine3d_core.render.decoder_choice import open_decoder, with_decoder, with_features
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene, RenderedFrame, resized_camera
from tests.pretended_card import (
    APPLE,
    CARD,
    CardTensor,
    pretended_apple,
    pretended_card,
    pretended_limit,
)
from tests.river import river_motion, river_scene

CPU = torch.device("cpu")
NETWORKS = Networks()
KERNELS = [
    pytest.param(True, marks=pytest.mark.skipif(not launch.is_installed(), reason="no gpu extra")),
    False,
]
MOST_WAITS = 3


def scene_with_decoder() -> CinemagraphScene:
    sway = torch.zeros(3, *river_motion().moving.shape[1:])
    sway[0, :6], sway[2] = 0.5, 1.0
    return with_decoder(with_features(river_scene(sway=sway), NETWORKS, CPU), NETWORKS)


def shot(scene: CinemagraphScene, frame: int = 3) -> Shot:
    cameras = (move_camera(scene.camera, "published-circle", frame + way, 12) for way in (0, -1, 1))
    return Shot(*cameras)


def assert_alike(frame: RenderedFrame, truth: RenderedFrame) -> None:
    """Within one level of 8 bits but for a few pixels where the depth order is a tie."""
    for name, most in (("rgb", 1 / 255), ("alpha", 1e-3), ("moving", 1e-3), ("motion", 1e-2)):
        away = (getattr(frame, name) - getattr(truth, name)).abs()
        assert away.shape == getattr(truth, name).shape
        assert float((away > most).float().mean()) < 5e-4, (name, float(away.max()))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("motion_vectors", [False, True])
def test_a_frame_is_the_cpus_and_waits_only_for_its_last_copy(kernels, motion_vectors):
    scene = scene_with_decoder()
    wanted = frame_drawer(scene, CPU)(shot(scene), 3, motion_vectors)
    with pretended_card(kernels=kernels) as waits:
        drawer = frame_drawer(scene, CARD)
        drawer(shot(scene), 2, motion_vectors)  # makes room for the fragments
        waits.clear()
        promise = drawer.begin(shot(scene), 3, motion_vectors)
        begun = list(waits)
        frame = promise()
    if kernels:
        assert begun == [] and waits == ["event"]
    else:  # torch asks once for each of three clouds how long its list is
        assert begun == ["item"] * 3 and waits == [*begun, "event"]
    assert len(begun) <= MOST_WAITS
    assert_alike(frame, wanted)


def test_an_apple_draws_as_the_cpu():
    scene = scene_with_decoder()
    wanted = frame_drawer(scene, CPU)(shot(scene), 3, True)
    with pretended_apple():
        assert_alike(frame_drawer(scene, APPLE)(shot(scene), 3, True), wanted)


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_preview_is_the_cpus(kernels):
    scene = smaller_scene(river_scene(), 2)
    wanted = frame_drawer(scene, CPU, decoder="none")(shot(scene), 5, False)
    with pretended_card(kernels=kernels):
        assert_alike(frame_drawer(scene, CARD, decoder="none")(shot(scene), 5, False), wanted)


@pytest.mark.skipif(not launch.is_installed(), reason="no gpu extra")
def test_too_little_room_for_fragments_is_noticed_and_the_frame_drawn_again():
    from cine3d_core.render.card import room

    scene = river_scene()
    wanted = frame_drawer(scene, CPU)(shot(scene), 3, False)
    with pretended_card():
        room.forget_rooms()
        drawer = frame_drawer(scene, CARD)
        there = room.room_on(CARD)
        there.keys = there.keys[:100].clone()
        assert_alike(drawer(shot(scene), 3, False), wanted)
        assert there.size > 1000
        room.forget_rooms()


def test_the_decoder_in_half_precision_stays_within_a_level():
    scene = scene_with_decoder()
    decoder = open_decoder(scene, NETWORKS, CPU)
    assert isinstance(decoder, LearnedDecoder)
    prepared = prepare(scene)
    whole = render_frame(prepared, shot(scene), 5, decoder=decoder).rgb
    half = LearnedDecoder(copy.deepcopy(decoder.network).half())
    again = render_frame(prepared, shot(scene), 5, decoder=half).rgb
    plain = render_frame(prepared, shot(scene), 5).rgb
    assert float((again - whole).abs().max()) < 1 / 255
    assert float((plain - whole).abs().max()) > 1 / 255  # it does something


class Pictures:
    """A writer that keeps what it is given."""

    def __init__(self, colours_only: bool) -> None:
        self.colours_only, self.frames = colours_only, {}

    def needs(self, frame: int) -> bool:
        return frame != 1

    def write(self, frame: int, rendered: RenderedFrame) -> None:
        self.frames[frame] = rendered


class CountingDrawer(FrameDrawer):
    """Notes how many frames the writer had when each was begun."""

    def watch(self, writer: Pictures) -> list[int]:
        self.writer, self.had = writer, []
        return self.had

    def begin(self, *arguments, **choices):
        self.had.append(len(self.writer.frames))
        return super().begin(*arguments, **choices)


class LostCard(FrameDrawer):
    """A card that is gone from the third frame on, when asked for it or when waited for."""

    def lose(self, when: str) -> LostCard:
        self.when, self.begun = when, 0
        return self

    def _begin_on_card(self, *arguments):
        self.begun += 1
        promise = super()._begin_on_card(*arguments)
        if self.begun < 3:
            return promise
        return gone() if self.when == "asked" else gone


def gone(*_: object) -> RenderedFrame:
    raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might")


@pytest.mark.parametrize("when", ["asked", "waited for"])
def test_a_card_that_is_lost_in_a_clip_says_so_in_a_sentence(when: str, monkeypatch):
    camera = resized_camera(river_scene().camera, 36, 64)
    path, writer = CameraPath(lambda _: camera, None, 36, 64), Pictures(False)
    one = torch.zeros(1, 36, 64)

    def draw(*_) -> RenderedFrame:
        plane = one.to(CARD)
        return RenderedFrame(plane.expand(3, -1, -1), plane, plane, plane.expand(4, -1, -1), plane)

    with pretended_card(kernels=False):
        lost = LostCard(draw, CARD).lose(when)
        monkeypatch.setattr(torch.cuda, "mem_get_info", gone)  # it answers nothing any more
        monkeypatch.setattr(torch.cuda, "get_device_capability", gone)
        with pytest.raises(DeviceError, match="launch failure.*start the computer again.*to cpu"):
            render_clip(
                lost, path, range(9), writer, motion_vectors=False, progress=ignore_progress
            )
    assert list(writer.frames) == ([0] if when == "asked" else [0, 2])  # what had come before


def clip_drawn_on(scene, path, where, colours_only) -> dict[int, RenderedFrame]:
    with pretended_card():
        writer, plain = Pictures(colours_only), frame_drawer(scene, where)
        drawer = CountingDrawer(plain._draw, where)
        had = drawer.watch(writer)
        render_clip(drawer, path, range(5), writer, motion_vectors=False, progress=ignore_progress)
        assert had == ([0, 1, 2, 3] if where == CPU else [0, 0, 1, 2])
    return writer.frames


@pytest.mark.skipif(not launch.is_installed(), reason="no gpu extra")
@pytest.mark.parametrize("colours_only", [False, True])
def test_a_clip_comes_in_order_with_two_frames_under_way(colours_only):
    scene = river_scene()
    path = CameraPath(lambda frame: shot(scene, frame).camera, None, 36, 64)
    clips = [clip_drawn_on(scene, path, where, colours_only) for where in (CPU, CARD)]
    assert list(clips[1]) == [0, 2, 3, 4]
    for frame, wanted in clips[0].items():
        found = clips[1][frame].rgb
        if colours_only:
            assert found.dtype == torch.uint8
            wanted_bytes = (wanted.rgb * 255 + 0.5).to(torch.uint8)
            assert int((found.int() - wanted_bytes.int()).abs().max()) <= 1
        else:
            assert_alike(clips[1][frame], wanted)


@pytest.mark.skipif(not launch.is_installed(), reason="no gpu extra")
def test_too_little_memory_is_answered_by_strips_and_then_by_a_sentence():
    scene = river_scene()
    tall = resized_camera(scene.camera, 320, 64)  # a strip and what it sees beside it have 240 rows
    view = Shot(tall, tall, tall)
    wanted = render_frame(prepare(scene), view, 3, motion_vectors=True)
    with pretended_card():
        prepared = prepare_there(scene)
        drawer = FrameDrawer(lambda s, f, v: render_frame(prepared, s, f, motion_vectors=v), CARD)
        drawer(view, 3, True)
        planes = 3 + 2 + 4 + 1
        with pretended_limit(2 * planes * 4 * 300 * 64):
            frame = drawer(view, 3, True)
        for entry in fields(frame):
            away = (getattr(frame, entry.name) - getattr(wanted, entry.name)).abs()
            assert float((away > 1 / 255).float().mean()) < 1e-3, entry.name
        with pretended_limit(1000), pytest.raises(InputError, match="too little memory"):
            drawer(view, 3, False)


def test_torch_operations_that_lack_memory_say_so_in_a_sentence():
    scene = river_scene()
    with pretended_card(kernels=False):
        prepared = prepare_there(scene)
        with pretended_limit(1000), pytest.raises(InputError, match="too little memory"):
            render_frame(prepared, shot(scene), 3)


def prepare_there(scene: CinemagraphScene):
    from cine3d_core.output.clip import prepare_on

    prepared = prepare_on(scene, CARD)
    assert isinstance(prepared.static_positions, CardTensor)
    return prepared
