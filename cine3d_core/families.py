"""Families of networks: what builds a scene with one of them, and draws what it built.

`compact` is ours, `official` the published one; a scene says which of them made it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cine3d_core.build import compact_scene, read_inputs
from cine3d_core.device import choose_device
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.imaging.card_facts import card_errors_told
from cine3d_core.official.frame import DECODER as OFFICIAL_DECODER
from cine3d_core.official.frame import frames_of_official
from cine3d_core.official.from_photo import official_scene
from cine3d_core.progress import Progress, ignore_progress
from cine3d_core.render.coarse import preview_of
from cine3d_core.render.decoder_choice import DECODER, DecoderChoice, describe_decoder
from cine3d_core.render.drawer import DrawFrame, compact_frames
from cine3d_core.scene import CinemagraphScene, Drawing
from cine3d_core.settings import BuildSettings, check_loop
from cine3d_core.settings import Family as FamilyName


@dataclass(frozen=True)
class Family:
    """What one family of networks does."""

    build: Callable[[Photo, Drawing, BuildSettings, Networks, Progress], CinemagraphScene]
    # draws a scene's frames on a device and leaves them there
    frames: Callable[[CinemagraphScene, Networks, torch.device, DecoderChoice], DrawFrame]
    coarse: Callable[[CinemagraphScene], CinemagraphScene]  # fewer points, for small frames
    decoder: Callable[[CinemagraphScene], str]  # in a few words what draws a scene
    # checksum of the decoder that draws a scene when this is chosen; "none" without one
    drawn_by: Callable[[CinemagraphScene, Networks, DecoderChoice], str]


def _compact_checksum(scene: CinemagraphScene, _: Networks, decoder: DecoderChoice) -> str:
    return scene.models.get(DECODER, "none") if decoder == "scene" else decoder


def _official_checksum(_: CinemagraphScene, networks: Networks, _decoder: DecoderChoice) -> str:
    info = networks.info(OFFICIAL_DECODER)
    return "" if info is None else info.sha256


FAMILIES: dict[FamilyName, Family] = {
    "compact": Family(
        build=compact_scene,
        frames=compact_frames,
        coarse=preview_of,
        decoder=describe_decoder,
        drawn_by=_compact_checksum,
    ),
    "official": Family(
        build=official_scene,
        frames=frames_of_official,
        coarse=lambda scene: scene,  # its points hang together in a way of their own
        decoder=lambda _: "the official decoder",
        drawn_by=_official_checksum,
    ),
}


def family_of(scene: CinemagraphScene) -> Family:
    """The family whose networks made a scene."""
    return FAMILIES["official" if scene.parameters.get("models") == "official" else "compact"]


def build_scene(
    photo_path: Path,
    settings: BuildSettings,
    *,
    networks: Networks | None = None,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """The scene of a photo: everything that does not depend on camera and frame.

    Args:
        photo_path: any picture that `read_photo` reads.
        settings: what the person chose.
        networks: of this machine, where some are open already.
        progress: told the stage and the share of the whole that is done; may raise to cancel.

    Raises:
        InputError: something the person gave cannot be used.
    """
    photo, drawing = read_inputs(photo_path, settings, progress=progress)
    return scene_of_photo(photo, drawing, settings, networks or Networks(), progress=progress)


def scene_of_photo(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    networks: Networks,
    *,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """What `build_scene` makes of a photo and a drawing; `settings` names no files of them.

    Raises:
        InputError: as `build_scene`.
        DeviceError: a card failed.
    """
    check_loop(settings.frames, settings.fps)
    with card_errors_told(choose_device(settings.device)):
        return FAMILIES[settings.models].build(photo, drawing, settings, networks, progress)
