"""The whole way from a photo to a scene; `rendering` goes on from there.

photo -> depth -----------> canvas -> layers -> inpainted layers -> point cloud -+-> scene
  +----> mask + arrows -> motion -> canvas motion -> motion of each layer -------+

scene, camera, frame -> forward and backward splat -> blend -> decode -> rendered frame
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, with_sky, with_sky_where_far
from cine3d_core.depth.sources import DepthSource, KeptDepth, open_depth_source
from cine3d_core.depth.surface import SurfaceParams, smooth_surfaces
from cine3d_core.device import choose_device, on_device
from cine3d_core.errors import InputError
from cine3d_core.files.drawing.drawing import read_drawing
from cine3d_core.files.models.store import list_models
from cine3d_core.files.pictures.panorama import read_view
from cine3d_core.files.pictures.photo import Photo, read_photo, without_border
from cine3d_core.geometry import photo_camera
from cine3d_core.imaging.borders import Insets
from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.uncover import InpaintParams, extend_canvas, inpaint_layers
from cine3d_core.memory import available_gib, check_memory, check_reading_memory
from cine3d_core.motion.direct import asks_what_flows, direct_motion
from cine3d_core.motion.flow import MotionParams
from cine3d_core.motion.refiner import motion_checksums, motion_refiner
from cine3d_core.official.build import Loop, build_official
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
from cine3d_core.see.classes import better_classes, classes_checksums
from cine3d_core.see.look import can_see, see, see_checksums
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


def build_scene(
    photo_path: Path, settings: BuildSettings, *, progress: Progress = ignore_progress
) -> CinemagraphScene:
    """The scene of a photo: everything that does not depend on camera and frame.

    Args:
        photo_path: any picture that `read_photo` reads.
        settings: what the person chose.
        progress: told the stage and the share of the whole that is done; may raise to cancel.

    Raises:
        InputError: something the person gave cannot be used.
    """
    photo, drawing = read_inputs(photo_path, settings, progress=progress)
    return scene_of_photo(photo, drawing, settings, progress=progress)


def read_inputs(
    photo_path: Path, settings: BuildSettings, *, progress: Progress = ignore_progress
) -> tuple[Photo, Drawing]:
    """The photo at its working size, and what the named files say was drawn on it.

    Raises:
        InputError: a file that cannot be used, or a loop that nobody can mean.
    """
    check_loop(settings.frames, settings.fps)
    progress("reading the photo", 0.0)
    photo = read_working_photo(photo_path, settings)
    return photo, read_drawing(settings.hints, settings.mask, photo)


def read_working_photo(photo_path: Path, settings: BuildSettings) -> Photo:
    """The photo at the size that it is worked on.

    Raises:
        InputError: it cannot be read, or is too large for this machine's memory.
    """
    size = min(settings.size, DRAFT_SIZE) if settings.preset == "draft" else settings.size
    view = None if settings.view is None else read_view(settings.view)
    check_reading_memory(photo_path, size, view)
    photo = read_photo(photo_path, max_side=size, view=view)
    of_the_paper = settings.preset == "paper" or settings.models == "official"
    # a depth picture is one of the whole photo
    if settings.border == "cut" and not of_the_paper and not Path(settings.depth or "").is_file():
        photo = without_border(photo)
    _, height, width = photo.rgb.shape
    check_memory(height, width, available_gib())
    return photo


def scene_of_photo(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    *,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """What `build_scene` makes of a photo and a drawing; `settings` names no files of them.

    Raises:
        InputError: as `build_scene`.
    """
    check_loop(settings.frames, settings.fps)
    if settings.models == "official":
        return _build_official(photo, drawing, settings, progress)
    directed = direct_photo(photo, drawing, settings, progress=progress)
    return scene_of(directed, settings, progress=progress)


@dataclass(frozen=True)
class EstimatedDepth:
    """Depth of a photo, and who estimated it."""

    depth: DepthMap  # on the CPU; with sky, and with what flows where that was asked
    source: DepthSource


def estimate_depth(rgb: Tensor, settings: BuildSettings, *, find_fluids: bool) -> EstimatedDepth:
    """Depth and sky of a photo [3, H, W], and what flows in it.

    Args:
        rgb: at the working size.
        settings: where depth comes from, and on what device.
        find_fluids: ask what flows, too; see `asks_what_flows`.

    Raises:
        InputError: the source of depth or a network cannot be used.
    """
    source = open_depth_source(settings.depth)
    depth = source(rgb.to(choose_device(settings.device)), params=PRESETS[settings.preset].depth)
    if depth.fluid is None and find_fluids and can_see():
        # depth from elsewhere knows nothing of what flows
        seen = see(rgb)
        depth = replace(depth, fluid=seen.fluid, direction=seen.direction)
        depth = _with_seen_sky(depth, source)
    if find_fluids:
        fluid = better_classes(rgb, depth.fluid, settings.classes)
        if fluid is not None and fluid is not depth.fluid:
            depth = _with_seen_sky(replace(depth, fluid=fluid), source)
    # what follows is the CPU's work
    depth = DepthMap(
        depth.depth.cpu(),
        depth.sky.cpu(),
        None if depth.fluid is None else depth.fluid.cpu(),
        None if depth.direction is None else depth.direction.cpu(),
        depth.focal_px,
    )
    return EstimatedDepth(depth, source)


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
    assumed: tuple[str, ...]  # what nobody said, in sentences


def direct_photo(
    photo: Photo,
    drawing: Drawing,
    settings: BuildSettings,
    *,
    estimated: EstimatedDepth | None = None,
    progress: Progress = ignore_progress,
) -> DirectedPhoto:
    """Depth and motion of a photo, as every scene of the compact family gets them.

    Args:
        photo: at its working size.
        drawing: what a person drew on it.
        settings: what the person chose.
        estimated: from `estimate_depth`, where somebody has asked already.
        progress: told the stage and the share of a whole build that is done; may raise to cancel.

    Raises:
        InputError: something the person gave cannot be used.
    """
    progress("estimating depth", 0.05)
    estimated = estimated or estimate_depth(
        photo.rgb, settings, find_fluids=asks_what_flows(drawing)
    )
    progress("directing the motion", 0.35)
    params = replace(PRESETS[settings.preset].motion, num_frames=settings.frames)
    refine = motion_refiner(_motion_choice(settings))
    motion, assumed = direct_motion(photo.rgb, estimated.depth, drawing, params, refine=refine)
    assumed = (*photo.notes, *_said_of_border(photo.cut), *assumed)
    return DirectedPhoto(photo, estimated.source, estimated.depth, motion, assumed)


def _motion_choice(settings: BuildSettings) -> MotionChoice | None:
    """A preset without perspective keeps the flow without it, unless a person decides otherwise."""
    with_perspective = PRESETS[settings.preset].motion.perspective
    return settings.motion or (None if with_perspective else "analytic")


def scene_of(
    directed: DirectedPhoto, settings: BuildSettings, *, progress: Progress = ignore_progress
) -> CinemagraphScene:
    """What `build_scene` makes of a photo that `direct_photo` has directed by the same settings."""
    params, photo = PRESETS[settings.preset], directed.photo
    depth, motion, source = directed.depth, directed.motion, directed.source
    asked = see_checksums() if depth.fluid is not None and can_see() else {}
    if depth.fluid is not None:
        asked |= classes_checksums(settings.classes)
    focal_px = photo.focal_px or depth.focal_px
    moved_by = motion_checksums(_motion_choice(settings))
    if params.surface is not None:
        depth = smooth_surfaces(depth, motion.moving, params=params.surface)

    height, width = photo.rgb.shape[1:]
    scene = scene_from_parts(
        SceneParts(photo.rgb, depth, motion, photo_camera(height, width, focal_px)),
        params,
        num_frames=settings.frames,
        fps=settings.fps,
        device=choose_device(settings.device),
        fill=settings.fill,
        progress=progress,
    )
    scene = replace(
        scene,
        photo_sha256=photo.sha256,
        models=scene.models | source.checksums | asked | moved_by,
        parameters=scene.parameters
        | {
            "preset": settings.preset,
            "models": settings.models,
            "depth_source": source.description,
            "assumed": list(directed.assumed),
            "cut_px": asdict(photo.cut),
            "focal_from_exif": photo.focal_px is not None and photo.focal_from == "EXIF",
            "focal_from": _focal_from(directed),
        },
    )
    progress("done", 1.0)
    return scene


def _said_of_border(cut: Insets) -> tuple[str, ...]:
    if not cut:
        return ()
    return (
        f"the frame or margin around the picture is no part of it ({cut.left} px left, {cut.top} "
        f"above, {cut.right} right, {cut.bottom} below), so it is left out; --border keep keeps it",
    )


def _focal_from(directed: DirectedPhoto) -> str:
    """Who said what lens took the photo."""
    if directed.photo.focal_px is not None:
        return directed.photo.focal_from
    return directed.source.description if directed.depth.focal_px is not None else "assumed"


def scene_from_parts(
    parts: SceneParts,
    params: StageParams,
    *,
    num_frames: int,
    fps: float,
    device: torch.device = CPU,
    fill: str | None = None,
    progress: Progress = ignore_progress,
) -> CinemagraphScene:
    """The scene of a picture whose depth and motion are known; nothing says where it came from.

    Everything that `build_scene` does once depth and motion are there, and what the evaluation
    does with true depth and true motion.
    """
    progress("cutting into layers", 0.5)
    margin = round(params.margin * max(parts.rgb.shape[1:]))
    canvas = extend_canvas(parts.rgb, parts.depth.depth, margin)
    layers = build_layers(canvas.rgb, canvas.depth, params.layering)
    progress("filling what is hidden", 0.6)
    fill_function, filled_by = open_fill(fill)
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
        bed=params.bed,
    )
    if params.features:
        progress("reading features", 0.95)
        scene = with_features(scene, device)
    return with_decoder(scene) if params.decoder else scene


def _build_official(
    photo: Photo, drawing: Drawing, settings: BuildSettings, progress: Progress
) -> CinemagraphScene:
    """The official way; depth from what the person named, else their DPT, else our network."""
    if drawing.mask is None or not drawing.hints:
        raise InputError(
            "the official networks need a mask and at least one arrow",
            "pass {hints} with both",
            "{mask} and {hints}",
        )
    if replace(drawing, mask=None) != Drawing(drawing.hints, drawing.polygons):
        raise InputError(
            "the official networks know one mask and its arrows, but the drawing has regions, "
            "freeze strokes or scribbles",
            "remove them",
            "use {models} compact",
        )
    nearness = None
    if settings.depth is not None or not _is_installed("official-dpt"):
        source = open_depth_source(settings.depth)
        nearness = 1 / source(photo.rgb, params=DepthParams()).depth[0]
    device = choose_device(settings.device)
    scene = build_official(
        replace(photo, rgb=photo.rgb.to(device)),
        drawing.mask.to(device),
        drawing.hints,
        inverse_depth=nearness,
        loop=Loop(settings.frames, settings.fps),
        progress=progress,
    )
    return on_device(scene, torch.device("cpu"))


def _is_installed(model: str) -> bool:
    return any(info.name == model for info in list_models())
