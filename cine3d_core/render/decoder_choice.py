"""The compact renderer of a scene: features onto its points when built, its decoder when drawn."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Literal

import torch

from cine3d_core.device import on_device
from cine3d_core.errors import InputError
from cine3d_core.files.models.installed import chosen
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.runtimes import OnnxProgram
from cine3d_core.layers.fill import analytic_fill
from cine3d_core.layers.fill_learned import foreign_fill, learned_fill
from cine3d_core.layers.uncover import FillFunction
from cine3d_core.networks.decoder import ResidualDecoder
from cine3d_core.networks.features import (
    GRID_CHANNELS,
    FeatureNetwork,
    features_of_points,
    pixel_grid_of_points,
)
from cine3d_core.networks.inpainting import InpaintingNetwork
from cine3d_core.networks.layout import channels_last
from cine3d_core.render.decode import Decoder, LearnedDecoder, pass_through
from cine3d_core.scene import CinemagraphScene

DecoderChoice = Literal["scene", "none"]

FEATURES, DECODER, INPAINTING = "features", "decoder", "inpainting"  # names of models


def open_fill(
    networks: Networks, choice: str | None = None, device: torch.device | None = None
) -> tuple[FillFunction, dict[str, str]]:
    """What fills hidden surfaces, and the checksum of its network by name.

    No network for this ships, since none beat the analytic fill; one that is installed is used.

    Args:
        networks: of this machine.
        choice: a network as `shelf.chosen` has it; None for the best.
        device: where our network works; None for the CPU. The shelf's programs choose themselves.

    Raises:
        InputError: the chosen network is not here, or damaged.
    """
    one = chosen("fill", choice)
    if one is not None:
        program = OnnxProgram(one.folder / one.entry.files[0].path, one.entry.title)
        return foreign_fill(one.entry.kind, program), {one.entry.name: one.checksum}
    loaded = networks.opened(INPAINTING)
    if loaded is None:
        return analytic_fill, {}
    assert isinstance(loaded.network, InpaintingNetwork), type(loaded.network)
    return learned_fill(loaded.network.to(device or "cpu")), loaded.checksums


def with_decoder(scene: CinemagraphScene, networks: Networks) -> CinemagraphScene:
    """The scene bound to the installed compact decoder; as it is where none is installed."""
    decoder = networks.info(DECODER)
    if decoder is None:
        return scene
    return replace(scene, models={**scene.models, DECODER: decoder.sha256})


def with_features(
    scene: CinemagraphScene, networks: Networks, device: torch.device
) -> CinemagraphScene:
    """The scene with what the installed decoder wants its points to carry beside their colour.

    Features are rounded as a scene file stores them, so that saving changes nothing.
    """
    decoder = networks.info(DECODER)
    if decoder is not None and decoder.architecture.get("features") == GRID_CHANNELS:
        grid = pixel_grid_of_points(scene.cloud, scene.velocity.shape[-1])
        return replace(scene, cloud=replace(scene.cloud, features=grid))
    loaded = networks.opened(FEATURES)
    if loaded is None:
        return scene
    network = loaded.network.to(device)
    assert isinstance(network, FeatureNetwork), type(network)
    _, _, height, width = scene.velocity.shape
    features = features_of_points(network, on_device(scene.cloud, device), height, width)
    cloud = replace(scene.cloud, features=features.half().float().to(scene.cloud.rgb))
    return replace(scene, cloud=cloud, models=scene.models | loaded.checksums)


def without_features(scene: CinemagraphScene) -> CinemagraphScene:
    """The scene for those who look at colours alone; the rest is drawn as before, and sooner."""
    return replace(scene, cloud=replace(scene.cloud, features=scene.cloud.features[:, :0]))


def open_decoder(
    scene: CinemagraphScene,
    networks: Networks,
    device: torch.device,
    choice: DecoderChoice = "scene",
) -> Decoder:
    """What draws the frames of a scene of the compact family.

    Args:
        scene: as it was built; its `models` say which decoder it is bound to.
        networks: of this machine.
        device: where the decoder shall work.
        choice: "scene" takes the scene's decoder, none if it was built without; "none" draws the
            plain splat.

    Raises:
        InputError: the scene's decoder is not installed, or another one is.
    """
    recorded = scene.models.get(DECODER)
    if choice == "none" or recorded is None:
        return pass_through
    loaded = networks.required(DECODER)
    if loaded.info.sha256 != recorded:
        raise InputError(
            "the scene was built for another decoder than the installed one",
            "build it again",
            "render with {decoder} none",
        )
    network = loaded.network
    assert isinstance(network, ResidualDecoder), type(network)
    if device.type != "cuda":
        return LearnedDecoder(channels_last(network).to(device))
    # its own copy in half precision: others may ask for the kept one
    return LearnedDecoder(channels_last(copy.deepcopy(network)).to(device).half())


def describe_decoder(scene: CinemagraphScene) -> str:
    """In a few words what draws the scene's frames."""
    if DECODER not in scene.models:
        return "none; holes are filled from around them"
    return "compact decoder" + ("" if scene.cloud.features.shape[1] else ", without features")
