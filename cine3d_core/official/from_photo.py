"""A photo, a drawing and the settings of a build as `official.build` wants them."""

from __future__ import annotations

from dataclasses import replace

import torch

from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.device import choose_device, on_device
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.official.build import Loop, build_official
from cine3d_core.progress import Progress
from cine3d_core.scene import CinemagraphScene, Drawing
from cine3d_core.settings import BuildSettings


def official_scene(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    networks: Networks,
    progress: Progress,
) -> CinemagraphScene:
    """A scene by the official networks, on the CPU.

    Depth is from what the person named, else from their DPT, else from our network.

    Raises:
        InputError: a drawing that the official networks do not know, or a network is missing.
    """
    if drawing.mask is None or not drawing.hints:
        raise InputError(
            "the official networks need a mask and at least one arrow",
            "pass {hints} with both",
            "{mask} and {hints}",
        )
    if replace(drawing, mask=None) != Drawing(drawing.hints, drawing.polygons):
        raise InputError(
            "the official networks use only one mask and its arrows, but the drawing has regions, "
            "freeze strokes or scribbles",
            "remove them",
            "use {models} compact",
        )
    nearness = None
    if settings.depth is not None or networks.info("official-dpt") is None:
        source = open_depth_source(settings.depth, networks)
        nearness = 1 / source(photo.rgb, params=DepthParams()).depth[0]
    device = choose_device(settings.device)
    scene = build_official(
        replace(photo, rgb=photo.rgb.to(device)),
        drawing.mask.to(device),
        drawing.hints,
        networks,
        inverse_depth=nearness,
        loop=Loop(settings.frames, settings.fps),
        progress=progress,
    )
    return on_device(scene, torch.device("cpu"))
