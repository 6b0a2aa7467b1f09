"""The official way from a photo to a scene, with its networks and its order of steps.

photo -> DPT -> disparity -> depth -> bins -> layers, inpainted -> features -+-> points -> scene
  +----> mask + hints -> motion net -> flow --------------------------------+

Each network is loaded when its turn comes and let go afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.networks.layout import channels_last
from cine3d_core.networks.official.image_decoder import ImageDecoder
from cine3d_core.official.depth_bins import depth_bins, depth_from_disparity, quantised_disparity
from cine3d_core.official.dpt_depth import dpt_inverse_depth
from cine3d_core.official.flow_post import flow_from_prediction
from cine3d_core.official.hints import GRID, dense_hint, grid_mask, hint_radius
from cine3d_core.official.layering import sequential_inpainting
from cine3d_core.official.lift import (
    EROSION,
    clamped_depth,
    integer_centred,
    layer_points,
    merged_features,
    moved_points,
    point_features,
    reachable_depth,
)
from cine3d_core.official.masked_ops import eroded
from cine3d_core.progress import Progress, ignore_progress
from cine3d_core.render.frame import PAPER_ANIMATION
from cine3d_core.render.stored import animation_record
from cine3d_core.scene import (
    Camera,
    CinemagraphScene,
    FeaturePointCloud,
    LayeredDepthImage,
    MotionHint,
)


@dataclass(frozen=True)
class OfficialParams:
    """What the official program lets one choose, and what it leaves to chance."""

    flow_scale: float = 1.0  # divides the velocity; larger is slower
    hint_seed: int | None = None  # draw the hints' radius at random, as published; None: its middle
    jitter_seed: int | None = None  # jitter point radii per frame, as published; None: do not


@dataclass(frozen=True)
class Loop:
    """Length and speed of the loop."""

    num_frames: int = 60
    fps: float = 25.0


class _Opened:
    """Opens networks one at a time and remembers their checksums."""

    def __init__(self, networks: Networks, device: torch.device) -> None:
        self._networks, self._device = networks, device
        self.checksums: dict[str, str] = {}

    def open(self, name: str) -> nn.Module:
        loaded = self._networks.lent(name)
        self.checksums |= loaded.checksums
        return channels_last(loaded.network.to(self._device))


def official_decoder(device: torch.device, networks: Networks) -> ImageDecoder:
    """The imported image decoder, for `frame.render_official_frame`.

    Raises:
        InputError: it was not imported, or its file is damaged.
    """
    network = channels_last(networks.lent("official-decoder").network.to(device))
    assert isinstance(network, ImageDecoder), type(network)
    return network


@torch.no_grad()
def build_official(
    photo: Photo,
    mask: Tensor,  # [1, H, W] bool: what moves
    hints: tuple[MotionHint, ...],
    networks: Networks,
    *,
    inverse_depth: Tensor | None = None,  # [H, W] up to scale and shift
    loop: Loop | None = None,
    params: OfficialParams | None = None,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """A scene as the official program makes it, for `rendering.prepare_official`.

    Args:
        photo: its size is the working size.
        mask: of the photo.
        hints: arrows, at least one.
        networks: gives those named `official-*`, one after the other.
        inverse_depth: nearness from another source; None asks the imported DPT-hybrid.
        loop: length and frame rate.
        params: choices of the published program.
        progress: told the stage and the share of the whole that is done; may raise to cancel.

    Raises:
        InputError: there is no hint, or a network was not imported.
    """
    loop, params = loop or Loop(), params or OfficialParams()
    opened = _Opened(networks, photo.rgb.device)
    progress("estimating depth", 0.0)
    depth_source = "given"
    if inverse_depth is None:
        depth_source = "DPT-hybrid"
        inverse_depth = dpt_inverse_depth(photo.rgb, opened.open("official-dpt"))
    depth = depth_from_disparity(quantised_disparity(inverse_depth)).to(photo.rgb.device)

    progress("predicting the motion", 0.15)
    flow = predicted_flow(photo.rgb, mask, hints, opened.open("official-motion"), params)

    progress("cutting into layers", 0.2)
    bins = depth_bins(depth)

    progress("filling what is hidden", 0.25)
    nets = opened.open("official-inpaint-color"), opened.open("official-inpaint-depth")
    layers = sequential_inpainting(photo.rgb[None], depth, bins, *nets)
    del nets

    progress("extracting features", 0.75)
    features = opened.open("official-feature")(layers.rgba)

    progress("placing points", 0.95)
    recorded = animation_record(PAPER_ANIMATION) | {
        "preset": "paper",
        "models": "official",
        "depth_source": depth_source,
        "assumed": [],
        "official": asdict(params),
    }
    scene = _assembled(layers, features, flow, loop, recorded, opened.checksums, photo.sha256)
    progress("done", 1.0)
    return scene


def predicted_flow(
    rgb: Tensor,  # [3, H, W] in [0, 1]
    mask: Tensor,  # [1, H, W] bool
    hints: tuple[MotionHint, ...],
    network: Callable[[Tensor], Tensor],
    params: OfficialParams,
) -> Tensor:  # [1, 2, H, W] px/frame
    """Velocity of every pixel, from the motion net."""
    height, width = rgb.shape[-2:]
    generator = None
    if params.hint_seed is not None:
        generator = torch.Generator().manual_seed(params.hint_seed)
    radius = hint_radius(height, len(hints), generator)
    small_mask = grid_mask(mask)
    guidance = (_squeezed(rgb), small_mask, dense_hint(hints, mask, radius))
    prediction = network(torch.cat(guidance, dim=1))
    return flow_from_prediction(
        prediction, small_mask, height=height, width=width, flow_scale=params.flow_scale
    )


def _squeezed(rgb: Tensor) -> Tensor:  # [3, H, W] in [0, 1] -> [1, 3, S, S] in [-1, 1]
    """The photo on the motion net's square grid, in 8 bits and by Pillow as published."""
    pixels = (rgb * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    small = Image.fromarray(pixels).resize((GRID, GRID), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.asarray(small).copy()).to(rgb.device)
    return (values.permute(2, 0, 1)[None] / 255 - 0.5) / 0.5


def official_camera(height: int, width: int) -> Camera:
    """The photo's camera as the authors assume it.

    Their principal point is the pixel (W // 2, H // 2), whose centre lies at +0.5 for us.
    """
    focal = float(max(height, width))
    rows = [[focal, 0.0, width // 2 + 0.5], [0.0, focal, height // 2 + 0.5], [0.0, 0.0, 1.0]]
    intrinsics = torch.tensor(rows, dtype=torch.float64)
    return Camera(intrinsics, torch.eye(4, dtype=torch.float64), height, width)


def _assembled(
    layers: LayeredDepthImage,
    features: Tensor,  # [L, 32, h, w]
    flow: Tensor,  # [1, 2, H, W]
    loop: Loop,
    parameters: dict[str, Any],
    models: dict[str, str],
    photo_sha256: str,
) -> CinemagraphScene:
    """The scene of inpainted layers; points lie where the published lift puts them at frame 0."""
    count, _, height, width = layers.rgba.shape
    camera = official_camera(height, width)
    seen, solid = ~layers.inpainted, layers.rgba[:, 3] > 0.5
    depth = _lifted_depth(clamped_depth(layers.depth), seen, solid)
    moving = (flow != 0).any(1, keepdim=True)
    points = layer_points(depth, seen, solid, moving)
    unmoved = moved_points(points, torch.zeros_like(flow), integer_centred(camera.intrinsics))
    disparity = 1 / unmoved.positions[:, 2]
    return CinemagraphScene(
        camera=camera,
        canvas_camera=camera,
        cloud=FeaturePointCloud(
            positions=unmoved.positions,
            rgb=layers.rgba[:, :3].flatten(2)[points.layer, :, points.pixel],
            features=_features_of_points(features, seen.to(flow.dtype), points.layer, points.pixel),
            layer=points.layer.to(torch.int16),
            pixel=points.pixel,
            inpainted=~seen.flatten(1)[points.layer, points.pixel],
        ),
        layer_depth=depth,
        velocity=flow.repeat(count, 1, 1, 1),
        cycles=torch.ones_like(depth, dtype=torch.int16),
        num_frames=loop.num_frames,
        fps=loop.fps,
        disparity_range=(float(disparity.min()), float(disparity.max())),
        photo_sha256=photo_sha256,
        models=models,
        parameters=parameters,
    )


def _lifted_depth(depth: Tensor, seen: Tensor, solid: Tensor) -> Tensor:  # [L, 1, H, W]
    """Depth of the points of every layer; where there are none, the layer's farthest."""
    lifted = []
    for one, its_seen, its_solid in zip(depth, seen, solid, strict=True):
        trusted = eroded(its_seen[None].to(depth.dtype), EROSION)
        reached = reachable_depth(one[None], trusted)[0, 0]
        farthest = torch.where(its_solid, reached, 0.0).max()
        # the nearest bin is empty where the nearest surface is perfectly flat
        lifted.append(torch.where(its_solid, reached, farthest.clamp(min=1.0)))
    return torch.stack(lifted)[:, None]


def _features_of_points(
    features: Tensor,  # [L, C, h, w]
    seen: Tensor,  # [L, 1, H, W] 0 or 1
    layer: Tensor,  # [N]
    pixel: Tensor,  # [N]
) -> Tensor:  # [N, C]
    merged = merged_features(features, seen)
    rows = []
    for index in range(len(features)):
        one = slice(index, index + 1)
        full = point_features(features[one], merged, seen[one])
        rows.append(full[0].flatten(1)[:, pixel[layer == index]].T)
    return torch.cat(rows).contiguous()
