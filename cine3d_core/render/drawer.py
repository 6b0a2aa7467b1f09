"""What draws the frames of a scene of the compact family."""

from __future__ import annotations

from collections.abc import Callable

import torch

from cine3d_core.files.models.networks import Networks
from cine3d_core.memory import keep_freed_memory
from cine3d_core.render.animation import Shot
from cine3d_core.render.decode import pass_through
from cine3d_core.render.decoder_choice import DecoderChoice, open_decoder, without_features
from cine3d_core.render.sized import draw_sized, levels_of
from cine3d_core.scene import CinemagraphScene, RenderedFrame

DrawFrame = Callable[[Shot, float, bool], RenderedFrame]  # camera, frame, with motion vectors


def compact_frames(
    scene: CinemagraphScene, networks: Networks, device: torch.device, decoder: DecoderChoice
) -> DrawFrame:
    """Draws on the device, and leaves its frames there.

    Args:
        scene: on the CPU.
        networks: of this machine.
        device: that draws.
        decoder: without one ("none") the splat is the picture.

    Raises:
        InputError: the scene's decoder is not installed, or another one is.
    """
    network = open_decoder(scene, networks, device, decoder)
    drawn = without_features(scene) if network is pass_through else scene
    level_of = levels_of(drawn, device)
    keep_freed_memory()

    def draw(shot: Shot, frame: float, motion_vectors: bool) -> RenderedFrame:
        return draw_sized(
            level_of, drawn, shot, frame, decoder=network, motion_vectors=motion_vectors
        )

    return draw
