"""The official networks with parameters filled by rule, for measuring how long they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.files.drawing.hints import read_directions
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.store import LoadedNetwork, ModelInfo
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.imaging.polygons import rasterize_polygons
from cine3d_core.networks.official import (
    feature_net,
    image_decoder,
    inpainting_nets,
    motion_net,
)
from cine3d_core.official.build import Loop, build_official
from cine3d_core.official.frame import official_frames as frames_of
from cine3d_core.scene import Camera, CinemagraphScene, RenderedFrame
from tests.golden.filler import filled_state_dict

NETWORKS = {
    "official-feature": ("feature_net", feature_net.build),
    "official-decoder": ("img_decoder", image_decoder.build),
    "official-motion": ("motion_netG", motion_net.build),
    "official-inpaint-color": ("inpaint_color", lambda: inpainting_nets.build(kind="color")),
    "official-inpaint-depth": ("inpaint_depth", lambda: inpainting_nets.build(kind="depth")),
}


def filled_network(name: str) -> LoadedNetwork:
    """A network of the authors, filled."""
    rule, build = NETWORKS[name]
    network = build()
    network.load_state_dict(filled_state_dict(rule))
    info = ModelInfo(name, name, {}, rule, "", "", Path())
    return LoadedNetwork(network.eval().requires_grad_(False), info)


def official_scene(photo_path: Path, hints: Path, frames: int) -> CinemagraphScene:
    """The scene of a photo by their way, with our network's depth."""
    photo = read_photo(photo_path, max_side=1 << 20)
    height, width = photo.rgb.shape[1:]
    drawn = read_directions(hints, height=height, width=width, original_size=(height, width))
    mask = rasterize_polygons(drawn.polygons, height, width)
    source = open_depth_source("compact", Networks())
    nearness = 1 / source(photo.rgb, params=DepthParams()).depth[0]
    return build_official(
        photo,
        mask,
        drawn.hints,
        Networks(load=filled_network),
        inverse_depth=nearness,
        loop=Loop(frames, 25.0),
    )


def official_frames(scene: CinemagraphScene) -> Callable[[Camera, int], RenderedFrame]:
    """What draws its frames."""
    draw = frames_of(scene, Networks(load=filled_network), torch.device("cpu"))

    def without_gradients(camera: Camera, frame: int) -> RenderedFrame:
        with torch.no_grad():
            return draw(camera, frame)

    return without_gradients
