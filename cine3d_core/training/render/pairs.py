"""Training pairs of the renderer out of photographs and out of scenes whose views are known.

photograph -> warped views elsewhere and at other times -> scenes -> splat back -> patches
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.build import PRESETS, SceneParts, StageParams, scene_from_parts
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.motion.direct import still_motion
from cine3d_core.networks.decoder import BASE_PLANES
from cine3d_core.networks.features import (
    GRID_CHANNELS,
    PLANES,
    REACH,
    layer_planes,
    pixel_grid_of_points,
)
from cine3d_core.render.animation import AnimationParams, PreparedScene, Shot, prepare
from cine3d_core.render.blend import blend_share
from cine3d_core.render.decode import decoder_planes
from cine3d_core.render.frame import splat_frame
from cine3d_core.scene import Camera, CinemagraphScene, DepthMap, MotionField
from cine3d_core.training.render.data import RenderPair, without_rare_layers, write_pair
from cine3d_core.training.render.shares import PointShares, blended, point_shares
from cine3d_core.training.render.warped_views import (
    Blobs,
    Photograph,
    Window,
    averaged_down,
    flowed,
    moved,
    random_flow,
    view_from,
    window_camera,
)


@dataclass(frozen=True)
class PairParams:
    """How pairs are made."""

    window: tuple[int, int] = (288, 416)  # height, width of what is splatted
    patch: int = 128  # px, a multiple of 4
    # of the whole photograph, pixels; one of less than twice the least is halved instead
    widths: tuple[int, ...] = (640, 800, 1024)
    reach: tuple[float, float, float] = (0.09, 0.08, 0.24)  # of the camera, as the published moves
    still_share: float = 0.15  # of the pairs whose camera is the photograph's own
    moving_share: float = 0.55  # of the pairs in which something flows
    longest: float = 0.03  # way of the flow within the loop, in long sides of the photograph
    num_frames: int = 24
    max_points: int = 6  # kept in each pixel
    layer_side: int = 208  # px, parts of layers larger than this are left out with their patch
    least_layer: float = 0.05  # share of a patch below which a layer is left out
    least_seen: float = 0.7  # share of a patch that the warped view shows


@dataclass(frozen=True)
class FrameSetup:
    """One splatted frame, and how it came about; both clouds may be of one scene."""

    forward: PreparedScene
    backward: PreparedScene
    shot: Shot
    frame: int
    params: AnimationParams


@dataclass(frozen=True)
class Splatted:
    """A frame as the decoder gets it, with what is needed to give it features."""

    planes: Tensor  # [6, H, W]
    shares: PointShares  # points of the backward scene are numbered after those of the forward
    seen: Tensor  # [1, H, W] share of what is not invented


def splatted(setup: FrameSetup) -> Splatted:
    """The frame as `render_frame` would decode it."""
    scene, later = setup.forward.scene, setup.backward.scene
    drawn = splat_frame(
        setup.forward, setup.shot, setup.frame, setup.params, backward=setup.backward
    )
    shares = point_shares(setup.forward, setup.shot, setup.frame, setup.params, backward=False)
    phase = setup.frame / scene.num_frames
    if setup.frame % scene.num_frames != 0:  # frame 0 is the forward cloud alone
        other = point_shares(setup.backward, setup.shot, setup.frame, setup.params, backward=True)
        spread, blend = scene.disparity_range, setup.params.blend
        weight = blend_share(drawn.forward, drawn.backward, drawn.channels, phase, spread, blend)
        other = replace(other, point=other.point + len(scene.cloud.pixel))
        shares = blended(shares, other, weight)
    invented = torch.cat([scene.cloud.inpainted, later.cloud.inpainted])
    alpha = drawn.image.alpha.clamp(0, 1)
    seen = (shares.share * ~invented[shares.point]).sum(dim=-1)[None] * alpha
    planes = decoder_planes(drawn.image, drawn.channels, GRID_CHANNELS)[:BASE_PLANES]
    return Splatted(planes, shares, seen)


def open_photograph(
    path: Path, widths: Sequence[int], generator: np.random.Generator
) -> Photograph:
    """A photograph at one of the widths, with depth by the shipped network.

    Its views are sampled at twice the width, so wider ones than half of the photo are left out.
    """
    fine = read_photo(path, max_side=1 << 14).rgb
    half = fine.shape[2] // 2
    width = int(generator.choice([width for width in widths if width <= half] or [half]))
    height = round(fine.shape[1] * width / fine.shape[2])
    rows = np.ascontiguousarray((fine * 255).round().byte().permute(1, 2, 0).numpy())
    size = (2 * width, 2 * height)
    rows = np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_AREA), np.uint8)
    rgb = averaged_down(rows)
    source = open_depth_source("compact", Networks())
    depth = source(rgb, params=PRESETS["default"].depth).depth.float()
    # Steps that the texture has left in the depth would tear at every move, in both directions.
    disparity = cv2.bilateralFilter((1 / depth[0]).numpy(), 0, 0.04, 0.004 * width)
    return Photograph(rows, 1 / torch.from_numpy(disparity)[None].clamp(min=1 / 40))


def write_photographs(
    paths: Sequence[Path],
    data: Path,
    params: PairParams,
    *,
    rounds: range,
    frames: int,
    seed: int,
) -> Iterator[Path]:
    """Writes the pairs of all photographs, `frames` of each in every round; yields the folders.

    What exists already is left as it is, so that a stopped run goes on where it was.
    """
    for number in rounds:
        for path in paths:
            folder = data / path.stem
            finished = folder / f"{number:03d}.finished"
            if not finished.exists():
                folder.mkdir(parents=True, exist_ok=True)
                name = int.from_bytes(path.stem.encode()[:8].ljust(8), "big")
                generator = np.random.default_rng([seed, number, name])
                pairs = pairs_of_photograph(path, params, frames=frames, generator=generator)
                for count, pair in enumerate(pairs):
                    write_pair(folder / f"{number:03d}-{count:03d}.npz", pair)
                finished.touch()
            yield folder


def pairs_of_photograph(
    path: Path, params: PairParams, *, frames: int, generator: np.random.Generator
) -> Iterator[RenderPair]:
    """Patches of `frames` random windows, views and flows of one photograph."""
    photo = open_photograph(path, params.widths, generator)
    for _ in range(frames):
        window = _random_window(photo, params, generator)
        setup = random_setup(photo, window, params, generator)
        top, left, height, width = window
        fine = photo.fine[2 * top : 2 * (top + height), 2 * left : 2 * (left + width)]
        yield from patches(setup, splatted(setup), averaged_down(fine), params, generator)


def _random_window(photo: Photograph, params: PairParams, generator: np.random.Generator) -> Window:
    height, width = photo.depth.shape[1:]
    rows, columns = (
        min(a, b) // 4 * 4 for a, b in zip(params.window, (height, width), strict=True)
    )
    top = int(generator.integers(height - rows + 1))
    return Window(top, int(generator.integers(width - columns + 1)), rows, columns)


def random_setup(
    photo: Photograph, window: Window, params: PairParams, generator: np.random.Generator
) -> FrameSetup:
    """The window splatted from views of another camera and, maybe, other times."""
    size = (photo.depth.shape[1], photo.depth.shape[2])
    move = tuple(float(v) for v in generator.uniform(-1, 1, 3) * params.reach)
    move = (move[0], move[1], -abs(move[2]) if generator.random() < 0.8 else abs(move[2]) / 3)
    if generator.random() < params.still_share:
        move = (0.0, 0.0, 0.0)
    view = view_from(photo, window, move)
    camera = window_camera(size, window)
    scale = max(size) / max(window[2:])
    stages, drawing = window_params(scale)
    there = moved(camera, move)
    target = Shot(there, there, there)
    if generator.random() >= params.moving_share:
        rgb = averaged_down(view.fine)
        scene = _scene(rgb, view.depth, still_motion(rgb), camera, stages, params)
        return FrameSetup(scene, scene, target, 0, drawing)
    longest = float(generator.uniform(0.1, 1.0)) * params.longest * max(size)
    motion = random_flow(view.depth, longest, params.num_frames, generator, Blobs())
    frame = int(generator.integers(1, params.num_frames))
    ends = []
    for steps in (frame, frame - params.num_frames):
        rgb = averaged_down(flowed(view, motion, steps))
        ends.append(_scene(rgb, view.depth, motion, camera, stages, params))
    return FrameSetup(ends[0], ends[1], target, frame, drawing)


def window_params(scale: float) -> tuple[StageParams, AnimationParams]:
    """The defaults for a window whose photograph is `scale` times as large.

    They state lengths as shares of a picture's long side.
    """
    stages, drawing = PRESETS["default"], AnimationParams()
    fill = stages.inpainting
    fill = replace(
        fill,
        band=fill.band * scale,
        parallax=fill.parallax * scale,
        jump_slope=fill.jump_slope / scale,
        jump_width=fill.jump_width * scale,
        fringe=fill.fringe * scale,
    )
    blend = replace(drawing.blend, contrast_window=drawing.blend.contrast_window * scale)
    # A window of a photograph holds fewer surfaces than the photograph.
    layering = replace(stages.layering, max_layers=3)
    stages = replace(
        stages,
        margin=stages.margin * scale,
        layering=layering,
        inpainting=fill,
        features=False,  # a training pair holds what the features are made of
        decoder=False,
    )
    return stages, replace(drawing, blend=blend)


def _scene(
    rgb: Tensor,
    depth: Tensor,
    motion: MotionField,
    camera: Camera,
    stages: StageParams,
    params: PairParams,
) -> PreparedScene:
    parts = SceneParts(rgb, DepthMap(depth, torch.zeros_like(depth)), motion, camera)
    return with_pixel_grid(scene_from_parts(parts, stages, num_frames=params.num_frames, fps=25.0))


def with_pixel_grid(scene: CinemagraphScene) -> PreparedScene:
    """The scene as it is drawn in use; what else its points may carry a pair holds itself."""
    grid = pixel_grid_of_points(scene.cloud, scene.canvas_camera.width)
    return prepare(replace(scene, cloud=replace(scene.cloud, features=grid)))


def patches(
    setup: FrameSetup,
    frame: Splatted,
    target: Tensor,  # [3, H, W]
    params: PairParams,
    generator: np.random.Generator,
) -> Iterator[RenderPair]:
    """The frame cut into patches at a random offset, without what is mostly invented."""
    height, width = target.shape[1:]
    side = params.patch
    spare = (height % side or side * (height > side), width % side or side * (width > side))
    top, left = (int(generator.integers(max(1, s + 1))) if s < side else 0 for s in spare)
    sources = _layers_of(setup)
    for y in range(top, height - side + 1, side):
        for x in range(left, width - side + 1, side):
            part = (slice(y, y + side), slice(x, x + side))
            if float(frame.seen[(slice(None), *part)].mean()) < params.least_seen:
                continue
            plain = float(target[(slice(None), *part)].std()) < 0.02
            if plain and generator.random() < 0.7:
                continue
            pair = _patch(frame, target, part, sources, params)
            if pair is not None:
                yield pair


@dataclass(frozen=True)
class _Sources:
    """The layers of both scenes as one stack, and where each point lies in it."""

    planes: Tensor  # [S, 5, Hc, Wc]
    place: Tensor  # [N] index into S * Hc * Wc


def _layers_of(setup: FrameSetup) -> _Sources:
    planes, places, count = [], [], 0
    scenes = [setup.forward.scene]
    if setup.backward is not setup.forward:
        scenes.append(setup.backward.scene)
    for scene in scenes:
        layers, _, height, width = scene.velocity.shape
        planes += [layer_planes(scene.cloud, layer, height, width) for layer in range(layers)]
        places.append((scene.cloud.layer.long() + count) * (height * width) + scene.cloud.pixel)
        count += layers
    if len(scenes) == 1:
        places.append(places[0])
    return _Sources(torch.stack(planes), torch.cat(places))


def _patch(
    frame: Splatted,
    target: Tensor,
    part: tuple[slice, slice],
    sources: _Sources,
    params: PairParams,
) -> RenderPair | None:
    """One patch; None where its points come from all over the canvas."""
    share, order = frame.shares.share[part].topk(params.max_points, dim=-1)
    place = sources.place[frame.shares.point[part].gather(-1, order)]
    total = frame.shares.share[part].sum(dim=-1, keepdim=True)
    share = share * total / share.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    _, _, height, width = sources.planes.shape
    used = place[share > 0]
    layer, row, column = used // (height * width), used // width % height, used % width
    top, left = (max(0, int(v.min()) - REACH) // 4 * 4 for v in (row, column))
    bottom, right = (-(-(int(v.max()) + 1 + REACH) // 4) * 4 for v in (row, column))
    bottom, right = min(bottom, height), min(right, width)
    if max(bottom - top, right - left) > params.layer_side:
        return None
    kept, renumbered = torch.unique(layer, return_inverse=True)
    stack = sources.planes[kept, :, top:bottom, left:right].clone()
    index = torch.zeros_like(place)
    index[share > 0] = (renumbered * (bottom - top) + row - top) * (right - left) + column - left
    stack[:, :3] *= 255
    assert stack.shape[1] == PLANES
    everything = (slice(None), *part)
    seen = frame.seen[everything].clamp(0, 1)
    pair = RenderPair(
        planes=frame.planes[everything].numpy().astype(np.float16),
        target=(target[everything] * 255).round().byte().numpy(),
        weight=(seen * 255).round().byte().numpy(),
        layers=stack.round().byte().numpy(),
        point=index.to(torch.int32).numpy(),
        share=share.numpy().astype(np.float16),
    )
    return without_rare_layers(pair, params.least_layer)
