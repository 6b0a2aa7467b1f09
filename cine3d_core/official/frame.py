"""The official way from a scene and a camera to a frame.

scene, frame -> displacement both ways -> moved points -> two splats -> blend -> decoder -> frame
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cine3d_core.device import on_device
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.geometry import NEAR_PLANE, project
from cine3d_core.imaging.launch import upload
from cine3d_core.networks.official.image_decoder import ImageDecoder
from cine3d_core.official.blend import ALPHA, DISPARITY, blend
from cine3d_core.official.build import official_decoder
from cine3d_core.official.euler import EulerPath, displacement_after, trace
from cine3d_core.official.lift import (
    LayerPoints,
    MovedPoints,
    integer_centred,
    layer_points,
    moved_points,
)
from cine3d_core.render.decoder_choice import DecoderChoice
from cine3d_core.render.drawer import DrawFrame
from cine3d_core.render.fragments import PAPER_SPLAT, Points
from cine3d_core.render.place import splat_radius
from cine3d_core.render.splat import composite, rasterize, rows_of_fours
from cine3d_core.scene import Camera, CinemagraphScene, RenderedFrame

Limit = float | Tensor  # a number, on a device where that is

DECODER = "official-decoder"
JITTERED_FRAMES, JITTER = 0.4, 0.1  # share of frames; largest relative change of a radius


@dataclass(frozen=True)
class PreparedOfficial:
    """A published scene with all that does not depend on the frame worked out."""

    scene: CinemagraphScene
    points: LayerPoints
    attributes: Tensor  # [N, C4] colour and features, zeros up to a multiple of 4
    moving: Tensor  # [N] float32, 1 where the flow is not zero
    forward: EulerPath
    backward: EulerPath
    jitter_seed: int | None  # see `pipeline.OfficialParams`


@dataclass(frozen=True)
class _View:
    """One cloud before the camera."""

    points: Points
    disparity: Tensor  # [N] 1 / depth
    drawn: Tensor  # [N] bool


@torch.no_grad()
def prepare_official(scene: CinemagraphScene) -> PreparedOfficial:
    """Integrates the flow both ways and works out how the layers hang together.

    Raises:
        InputError: the scene was not made by `build_official`.
    """
    seed = _recorded_seed(scene)
    layers, _, height, width = scene.layer_depth.shape
    cloud, flow = scene.cloud, scene.velocity[0]
    flat = cloud.layer.long() * (height * width) + cloud.pixel
    solid = torch.zeros(layers * height * width, dtype=torch.bool, device=flow.device)
    seen = solid.clone()
    solid[flat] = True
    # The published masks are the points that were seen, but for runs of a pixel or two at the
    # picture's end, which their erosion removes.
    seen[flat[~cloud.inpainted]] = True
    shape = (layers, height, width)
    moves = (flow != 0).any(0)
    points = layer_points(
        scene.layer_depth, seen.view(shape)[:, None], solid.view(shape), moves[None, None]
    )
    return PreparedOfficial(
        scene,
        points,
        attributes=rows_of_fours(torch.cat((cloud.rgb, cloud.features), dim=1)),
        moving=moves.flatten()[cloud.pixel].float(),
        forward=trace(flow, scene.num_frames),
        backward=trace(-flow, scene.num_frames),
        jitter_seed=seed,
    )


def _recorded_seed(scene: CinemagraphScene) -> int | None:
    recorded = scene.parameters.get("official")
    seed = recorded.get("jitter_seed") if isinstance(recorded, dict) else False
    if seed is None or type(seed) is int and 0 <= seed < 2**32:
        return seed
    raise InputError(
        "this scene was not built with the official networks", "build it with {models} official"
    )


@torch.no_grad()
def render_official_frame(
    prepared: PreparedOfficial,
    camera: Camera,
    frame: int,
    decoder: ImageDecoder,
) -> RenderedFrame:
    """One frame, before the border is cut; depends on its arguments only.

    Args:
        prepared: from `prepare_official`.
        camera: any; the published paths are in `cameras`.
        frame: index, any integer; frame `num_frames` is frame 0.
        decoder: the authors'; also holds the factor of the blend.
    """
    count = prepared.scene.num_frames
    steps = frame % count
    moved = (
        _moved(prepared, prepared.forward, steps),
        _moved(prepared, prepared.backward, count - steps),
    )
    views = [_view(cloud, prepared.scene, camera) for cloud in moved]
    if prepared.jitter_seed is not None:
        seed = prepared.jitter_seed * count + steps
        views = _jittered(views, torch.Generator().manual_seed(seed))
    limits = _disparity_limits(views)
    splats, shares = zip(*(_splat(prepared, view, camera, limits) for view in views), strict=True)
    time = steps / count
    blended = blend(splats[0], splats[1], time, decoder.alpha)
    moving = torch.lerp(shares[0], shares[1], time)
    del splats
    return _finished(blended, moving, limits, decoder)


def official_frames(
    scene: CinemagraphScene, networks: Networks, device: torch.device
) -> Callable[[Camera, int], RenderedFrame]:
    """What draws a scene's frames with the imported decoder, on a device.

    The scene, on the CPU, is prepared there: where points of two layers lie equally far away, a
    last bit decides which is seen, and so it is the same on every device.

    Raises:
        InputError: the scene was not made by `build_official`, or the decoder was not imported.
    """
    prepared = on_device(prepare_official(scene), device)
    decoder = official_decoder(device, networks)

    def draw(camera: Camera, frame: int) -> RenderedFrame:
        return render_official_frame(prepared, camera, frame, decoder)

    return draw


def frames_of_official(
    scene: CinemagraphScene, networks: Networks, device: torch.device, _: DecoderChoice
) -> DrawFrame:
    """`official_frames` on a device, asked as the compact family is.

    It has no motion vectors, always its decoder, and no frames between two.
    """
    draw = official_frames(scene, networks, device)
    return lambda shot, frame, motion_vectors: draw(shot.camera, round(frame))


def _moved(prepared: PreparedOfficial, path: EulerPath, steps: int) -> MovedPoints:
    intrinsics = integer_centred(prepared.scene.canvas_camera.intrinsics)
    return moved_points(prepared.points, displacement_after(path, steps)[None], intrinsics)


def _view(cloud: MovedPoints, scene: CinemagraphScene, camera: Camera) -> _View:
    """Points on the screen, half a pixel up and to the left of where they belong.

    The published program hands coordinates with integer pixel centres to a rasteriser whose
    centres are at +0.5.
    """
    pixels, depth = project(cloud.positions, camera)
    drawn = cloud.inside & (depth > NEAR_PLANE)
    zoom = float(camera.intrinsics[1, 1] / scene.camera.intrinsics[1, 1])
    radius = splat_radius(cloud.positions[:, 2], depth, zoom, PAPER_SPLAT)
    shown_depth = torch.where(drawn, depth, 0.0)  # not beyond the near plane: not drawn
    points = Points((pixels - 0.5).float(), shown_depth.float(), radius.float())
    return _View(points, 1 / depth.clamp(min=NEAR_PLANE), drawn)


def _jittered(views: list[_View], generator: torch.Generator) -> list[_View]:
    if float(torch.rand((), generator=generator)) >= JITTERED_FRAMES:
        return views
    result = []
    for view in views:
        noise = torch.rand(len(view.points.radius), generator=generator) * 2 - 1
        radius = view.points.radius * (1 + JITTER * upload(noise, view.points.radius.device))
        points = Points(view.points.pixels, view.points.depth, radius)
        result.append(_View(points, view.disparity, view.drawn))
    return result


def _disparity_limits(views: list[_View]) -> tuple[Limit, Limit]:
    """Smallest and largest disparity of both clouds of this frame."""
    if views[0].drawn.device.type != "cpu":  # choosing the drawn would wait for the device
        every = torch.cat([view.disparity for view in views])
        drawn = torch.cat([view.drawn for view in views])
        return every.where(drawn, torch.inf).amin(), every.where(drawn, -torch.inf).amax()
    disparity = torch.cat([view.disparity[view.drawn] for view in views])
    if len(disparity) == 0:
        return 0.0, 1.0
    return float(disparity.min()), float(disparity.max())


def _range(limits: tuple[Limit, Limit]) -> Limit:
    low, high = limits
    return (high - low).clamp(min=1e-9) if isinstance(high, Tensor) else max(high - low, 1e-9)


def _splat(
    prepared: PreparedOfficial, view: _View, camera: Camera, limits: tuple[Limit, Limit]
) -> tuple[Tensor, Tensor]:
    """A cloud's channels [1, 3 + 1 + C + 1, H, W] (see `blend`) and its moving share [1, H, W]."""
    low = limits[0]
    fragments = rasterize(view.points, camera.height, camera.width, params=PAPER_SPLAT)
    disparity = (view.disparity - low) / _range(limits)
    own = torch.stack((disparity.float(), prepared.moving), dim=1)
    drawn, alpha = composite(fragments, prepared.attributes, PAPER_SPLAT)
    own, _ = composite(fragments, own, PAPER_SPLAT)
    colour, features = drawn[:3], drawn[3 : 3 + prepared.scene.cloud.features.shape[1]]
    return torch.cat((colour, alpha, features, own[:1]))[None], own[1:]


def _finished(
    blended: Tensor,  # [1, C, H, W]
    moving: Tensor,  # [1, H, W]
    limits: tuple[Limit, Limit],
    decoder: ImageDecoder,
) -> RenderedFrame:
    """The decoded frame. The method has no motion vectors: `motion` is zero."""
    low, high = limits
    alpha = blended[0, ALPHA : ALPHA + 1].clone()
    solid = alpha > 0
    disparity = blended[0, DISPARITY:] / alpha.clamp(min=1e-6) * (high - low) + low
    return RenderedFrame(
        rgb=decoder(blended)[0],
        alpha=alpha.clamp(0, 1),
        depth=torch.where(solid, 1 / disparity.clamp(min=1e-6), 0.0),
        motion=torch.zeros(4, *alpha.shape[1:], device=alpha.device),
        moving=moving,
    )
