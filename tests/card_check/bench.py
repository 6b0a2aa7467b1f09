"""Where the checks run: a real card, or a pretended one with small sizes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from cine3d_core.cameras import move_camera
from cine3d_core.families import build_scene
from cine3d_core.files.models.networks import Networks
from cine3d_core.render.animation import Shot
from cine3d_core.render.decoder_choice import with_decoder, with_features
from cine3d_core.scene import CinemagraphScene, resized_camera
from cine3d_core.settings import BuildSettings
from tests.river import river_motion, river_scene

MOVE = "published-circle"  # of the camera
CPU, CARD = torch.device("cpu"), torch.device("cuda:0")
ROOT = Path(__file__).parents[2]
PHOTO, HINTS = ROOT / "tests/bridge/photo.jpg", ROOT / "tests/bridge/hints.json"
LEVEL = 1 / 255


@dataclass
class Bench:
    """The device, the sizes, and what is left of the time."""

    dry: bool
    seconds: float  # for everything
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.seconds - (time.monotonic() - self.started)

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width of frames by their names."""
        if self.dry:
            return {"small": (36, 64), "larger": (54, 96)}
        return {"1280x720": (720, 1280), "1920x1080": (1080, 1920), "3840x2160": (2160, 3840)}

    @property
    def repeats(self) -> int:
        """Frames that are timed."""
        return 3 if self.dry else 40

    @cached_property
    def scene(self) -> CinemagraphScene:
        """The sample photo's scene, or a small river; both with a decoder, one swaying."""
        if self.dry:
            sway = torch.zeros(3, *river_motion().moving.shape[1:])
            sway[0, :6], sway[2] = 0.5, 1.0
            networks = Networks()
            return with_decoder(with_features(river_scene(sway=sway), networks, CPU), networks)
        return build_scene(PHOTO, BuildSettings(hints=HINTS, device="cpu"))

    def shot(self, size: tuple[int, int], frame: int = 3) -> Shot:
        """A camera on the circle and its neighbours, for frames of a size."""
        count = self.scene.num_frames
        cameras = (
            resized_camera(move_camera(self.scene.camera, MOVE, frame + way, count), *size)
            for way in (0, -1, 1)
        )
        return Shot(*cameras)

    def wait(self) -> None:
        """Until the card has done all that it was given."""
        torch.cuda.synchronize(CARD)

    def median(self, work: Callable[[], object]) -> float:
        """Median seconds of a call and of the card's work for it, after one to warm up."""
        times = []
        for _ in range(4):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - started)
        return sorted(times[1:])[1]
