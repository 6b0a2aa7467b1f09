"""The whole way from a photo to a scene; `rendering` goes on from there.

photo -> depth -----------> canvas -> layers -> inpainted layers -> point cloud -+-> scene
  +----> mask + arrows -> motion -> canvas motion -> motion of each layer -------+

scene, camera, frame -> forward and backward splat -> blend -> decode -> rendered frame
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from cine3d_core.depth.lens import lens_of
from cine3d_core.depth.refine import DepthParams, with_sky, with_sky_where_far
from cine3d_core.depth.sources import DepthSource, KeptDepth, open_depth_source
from cine3d_core.depth.strokes import mend_depth
from cine3d_core.depth.surface import SurfaceParams, smooth_surfaces
from cine3d_core.device import choose_device, on_device
from cine3d_core.files.drawing.depth_strokes import read_depth_strokes
from cine3d_core.files.drawing.drawing import read_drawing
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.panorama import read_view
from cine3d_core.files.pictures.photo import Photo, read_photo, without_border
from cine3d_core.geometry import photo_camera
from cine3d_core.imaging.borders import Insets
from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.uncover import InpaintParams, extend_canvas, inpaint_layers
from cine3d_core.memory import available_gib, check_memory, check_reading_memory
from cine3d_core.motion.direct import Keep, anew, asks_what_flows, direct_regions
from cine3d_core.motion.flow import MotionParams
from cine3d_core.motion.refine import MotionRefiner
from cine3d_core.motion.refiner import motion_network
from cine3d_core.points.assemble import assemble_scene
from cine3d_core.progress import Progress, ignore_progress
from cine3d_core.render.animation import AnimationParams
from cine3d_core.render.decoder_choice import open_fill, with_decoder, with_features
from cine3d_core.render.frame import PAPER_ANIMATION
from cine3d_core.scene import (
    Camera,
    CinemagraphScene,
    DepthMap,
    Drawing,
    MotionField,
)
from cine3d_core.see.classes import better_classes
from cine3d_core.see.look import BUNDLED, see
from cine3d_core.settings import BuildSettings, MotionChoice, Preset, check_loop


@dataclass(frozen=True)
class StageParams:
    """Parameters of every stage, those that draw included; a preset is one value of this."""

    margin: float = 0.08  # of the long side: canvas beyond the photo's border
    depth: DepthParams = field(default_factory=DepthParams)
    layering: LayeringParams = field(default_factory=LayeringParams)
    inpainting: InpaintParams = field(default_factory=InpaintParams)
    motion: MotionParams = field(default_factory=MotionParams)
    surface: SurfaceParams | None = field(default_factory=SurfaceParams)  # None: as estimated
    bed: bool = True  # water does not uncover what lies behind it
    features: bool = True  # on the points, for the decoder
    decoder: bool = True  # draw with the compact decoder; else the splat is the picture
    animation: AnimationParams = field(default_factory=AnimationParams)


PRESETS: dict[Preset, StageParams] = {
    "default": StageParams(),
    # The published behaviour with our networks: one cycle, no margin, the published lift, splat
    # and blend. With the official networks `official/` follows the code step by step.
    "paper": StageParams(
        margin=0.0,
        motion=MotionParams(max_displacement=1e6, perspective=False),
        surface=None,
        bed=False,
        animation=PAPER_ANIMATION,
    ),
    "draft": StageParams(
        margin=0.0, layering=LayeringParams(max_layers=2), features=False, decoder=False
    ),
}
CPU = torch.device("cpu")
DRAFT_SIZE = 640  # px: a draft is never larger


@dataclass(frozen=True)
class SceneParts:
    """What is known of a picture before it is cut into layers."""

    rgb: Tensor  # [3, H, W]
    depth: DepthMap
    motion: MotionField
    camera: Camera  # the picture's own


def read_inputs(
    photo_path: Path, settings: BuildSettings, *, progress: Progress = ignore_progress
) -> tuple[Photo, Drawing]:
    """The photo at its working size, and what the named files say was drawn on it.

    Raises:
        InputError: a file that cannot be used, or a loop without a meaning.
    """
    check_loop(settings.frames, settings.fps)
    progress("reading the photo", 0.0)
    photo = read_working_photo(photo_path, settings)
    drawing = read_drawing(settings.hints, settings.mask, photo)
    if settings.depth_strokes is not None:
        drawing = replace(drawing, depth=read_depth_strokes(settings.depth_strokes, photo))
    return photo, drawing


def read_working_photo(photo_path: Path, settings: BuildSettings) -> Photo:
    """The photo at the size that it is worked on.

    Raises:
        InputError: it cannot be read, or is too large for this machine's memory.
    """
    size = min(settings.size, DRAFT_SIZE) if settings.preset == "draft" else settings.size
    view = None if settings.view is None else read_view(settings.view)
    check_reading_memory(photo_path, size, view)
    photo = read_photo(photo_path, max_side=size, view=view)
    # a depth picture is one of the whole photo
    of_a_picture = os.path.isfile(settings.depth or "")  # a name too long for a path is none
    if settings.border == "cut" and not settings.of_the_paper and not of_a_picture:
        photo = without_border(photo)
    _, height, width = photo.rgb.shape
    check_memory(height, width, available_gib())
    return photo


def compact_scene(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    networks: Networks,
    progress: Progress,
) -> CinemagraphScene:
    """A scene by the networks that come with Cine3D, or what is on the shelf in their places.

    Raises:
        InputError: something the person gave cannot be used.
    """
    directed = direct_photo(photo, drawing, settings, networks, progress=progress)
    return scene_of(directed, settings, networks, progress=progress)


@dataclass(frozen=True)
class EstimatedDepth:
    """Depth of a photo, and who estimated it."""

    depth: DepthMap  # on the CPU; with sky, and with what flows where that was asked
    source: DepthSource
    asked: dict[str, str]  # networks that said something of the photo, with their checksums


def estimate_depth(
    rgb: Tensor,
    settings: BuildSettings,
    networks: Networks,
    *,
    find_fluids: bool,
    before: EstimatedDepth | None = None,
) -> EstimatedDepth:
    """Depth and sky of a photo [3, H, W], and what flows in it.

    Args:
        rgb: at the working size.
        settings: where depth comes from, and on what device.
        networks: of this machine.
        find_fluids: ask what flows, too; see `asks_what_flows`.
        before: the answer to the same question without `find_fluids`, where it is known.

    Raises:
        InputError: the source of depth or a network cannot be used.
    """
    if before is not None:
        source, depth, asked = before.source, before.depth, dict(before.asked)
    else:
        source = open_depth_source(settings.depth, networks)
        device = choose_device(settings.device)
        depth = source(rgb.to(device), params=PRESETS[settings.preset].depth)
        asked = dict(source.checksums)
    finds = find_fluids or depth.fluid is not None
    eyes = networks.opened(BUNDLED) if finds else None
    if depth.fluid is None and eyes is not None:
        # depth from elsewhere knows nothing of what flows
        seen = see(rgb, eyes.network)
        depth = replace(depth, fluid=seen.fluid, direction=seen.direction)
        depth = _with_seen_sky(depth, source)
    if depth.fluid is not None and eyes is not None:
        asked |= eyes.checksums
    better = networks.classes(settings.classes) if find_fluids else None
    if better is not None:
        model, one = better
        fluid = better_classes(rgb, depth.fluid, model)
        depth = _with_seen_sky(replace(depth, fluid=fluid), source)
        asked |= {one.entry.name: one.checksum}
    # what follows is the CPU's work
    depth = DepthMap(
        depth.depth.cpu(),
        depth.sky.cpu(),
        None if depth.fluid is None else depth.fluid.cpu(),
        None if depth.direction is None else depth.direction.cpu(),
        depth.focal_px,
    )
    return EstimatedDepth(depth, source, asked)


def _with_seen_sky(depth: DepthMap, source: DepthSource) -> DepthMap:
    """The depth with the sky that was seen; what a person keeps is not changed where it is near."""
    return with_sky_where_far(depth) if isinstance(source, KeptDepth) else with_sky(depth)


@dataclass(frozen=True)
class DirectedPhoto:
    """A photo, its depth and its motion."""

    photo: Photo
    source: DepthSource
    depth: DepthMap
    motion: MotionField
    owner: Tensor  # [1, H, W] int16, as in `motion.direct.Directed`
    assumed: tuple[str, ...]  # what nobody said, in sentences
    asked: dict[str, str]  # networks that had a say, with their checksums


def direct_photo(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    networks: Networks,
    *,
    estimated: EstimatedDepth | None = None,
    keep: Keep = anew,
    progress: Progress = ignore_progress,
) -> DirectedPhoto:
    """Depth and motion of a photo, as every scene of the compact family gets them.

    Args:
        photo: at its working size.
        drawing: what a person drew on it.
        settings: what the person chose.
        networks: of this machine.
        estimated: from `estimate_depth`, where the depth is known already.
        keep: knows parts of the motion from before, for the same photo, depth and settings.
        progress: told the stage and the share of a whole build that is done; may raise to cancel.

    Raises:
        InputError: something the person gave cannot be used.
    """
    progress("estimating depth", 0.05)
    estimated = estimated or estimate_depth(
        photo.rgb, settings, networks, find_fluids=asks_what_flows(drawing)
    )
    depth = mend_depth(estimated.depth, drawing.depth)
    progress("directing the motion", 0.35)
    params = replace(PRESETS[settings.preset].motion, num_frames=settings.frames)
    mover = motion_network(networks, _motion_choice(settings))
    device = choose_device(settings.device)
    refine = None if mover is None else MotionRefiner(mover.network.to(device))
    said = direct_regions(photo.rgb, depth, drawing, params, refine=refine, keep=keep)
    assumed = (*photo.notes, *_said_of_border(photo.cut), *said.assumed)
    asked = estimated.asked | ({} if mover is None else mover.checksums)
    return DirectedPhoto(photo, estimated.source, depth, said.motion, said.owner, assumed, asked)


def _motion_choice(settings: BuildSettings) -> MotionChoice | None:
    """A preset without perspective keeps the flow without it, unless a person decides otherwise."""
    with_perspective = PRESETS[settings.preset].motion.perspective
    return settings.motion or (None if with_perspective else "analytic")


def scene_of(
    directed: DirectedPhoto,
    settings: BuildSettings,
    networks: Networks,
    *,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """What `compact_scene` makes of a photo that `direct_photo` directed by the same settings."""
    params, photo = PRESETS[settings.preset], directed.photo
    depth, motion, source = directed.depth, directed.motion, directed.source
    lens = lens_of(photo, depth, source.description, settings)
    if params.surface is not None:
        depth = smooth_surfaces(depth, motion.moving, params=params.surface)

    height, width = photo.rgb.shape[1:]
    scene = scene_from_parts(
        SceneParts(photo.rgb, depth, motion, photo_camera(height, width, lens.focal_px)),
        params,
        num_frames=settings.frames,
        fps=settings.fps,
        device=choose_device(settings.device),
        fill=settings.fill,
        networks=networks,
        progress=progress,
    )
    scene = replace(
        scene,
        photo_sha256=photo.sha256,
        models=scene.models | directed.asked,
        parameters=scene.parameters
        | {
            "preset": settings.preset,
            "models": settings.models,
            "depth_source": source.description,
            "assumed": [*directed.assumed, *lens.assumed],
            "cut_px": asdict(photo.cut),
            "focal_from_exif": lens.said_by == "EXIF",
            "focal_from": lens.said_by,
        },
    )
    progress("done", 1.0)
    return scene


def _said_of_border(cut: Insets) -> tuple[str, ...]:
    if not cut:
        return ()
    return (
        f"the frame or margin around the picture is no part of it ({cut.left} px left, {cut.top} "
        f"above, {cut.right} right, {cut.bottom} below), so it is left out; the setting border = "
        "keep keeps it",
    )


def scene_from_parts(
    parts: SceneParts,
    params: StageParams,
    *,
    num_frames: int,
    fps: float,
    device: torch.device = CPU,
    fill: str | None = None,
    networks: Networks | None = None,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """The scene of a picture whose depth and motion are known; nothing says where it came from.

    Everything that `compact_scene` does once depth and motion are there, and what the evaluation
    does with true depth and true motion.
    """
    networks = networks or Networks()
    parts = on_device(parts, device)
    progress("cutting into layers", 0.5)
    margin = round(params.margin * max(parts.rgb.shape[1:]))
    canvas = extend_canvas(parts.rgb, parts.depth.depth, margin)
    layers = build_layers(canvas.rgb, canvas.depth, params.layering)
    progress("filling what is hidden", 0.6)
    fill_function, filled_by = open_fill(networks, fill, device)
    layers = inpaint_layers(layers, params=params.inpainting, fill=fill_function)
    progress("placing points", 0.9)
    scene = assemble_scene(
        layers,
        parts.motion,
        parts.camera,
        margin_px=margin,
        source=canvas.source,
        num_frames=num_frames,
        fps=fps,
        photo_sha256="",
        models=filled_by,
        parameters={"stages": asdict(params)},
        backing_layer=params.bed,
    )
    if params.features:
        progress("reading features", 0.95)
        scene = with_features(scene, networks, device)
    scene = on_device(scene, CPU)  # once, whole: as it goes to a file
    return with_decoder(scene, networks) if params.decoder else scene
