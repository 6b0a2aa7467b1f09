"""What the worker can do for Blender; each job is a few calls of the core's public functions.

Pictures travel as Blender keeps them: rows from bottom to top. Positions on the photo travel as
shares of its width and height, y from the top, so that its size in pixels need not be known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from cine3d_core.build import direct_photo
from cine3d_core.cameras import framing_of
from cine3d_core.device import bytes_of, choose_device
from cine3d_core.errors import DeviceError, InputError
from cine3d_core.families import family_of, scene_of_photo
from cine3d_core.files.atomic import check_output, writing
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.pictures.exr import srgb_to_linear
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.files.scene.camera_json import checked_matrices, checked_size
from cine3d_core.files.scene.ply import write_ply
from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.imaging.card_facts import card_errors_told
from cine3d_core.motion.direct import asks_what_flows
from cine3d_core.motion.draw import draw_motion
from cine3d_core.motion.guess import guess_mask, offered_regions
from cine3d_core.output.clip import cloud_at, frame_drawer, prepare_on
from cine3d_core.output.coverage import holes, safe_reach, uncovered
from cine3d_core.output.focus import Lens, focused
from cine3d_core.output.hand_over import FrameDrawer
from cine3d_core.output.matte import matte
from cine3d_core.output.viewport_points import viewport_points
from cine3d_core.render.animation import PreparedScene, Shot, prepare
from cine3d_core.scene import Camera, CinemagraphScene, RenderedFrame
from cine3d_core.worker.check import check
from cine3d_core.worker.direct_jobs import DIRECT_JOBS
from cine3d_core.worker.film import write_film
from cine3d_core.worker.kept import kept_scene
from cine3d_core.worker.model_jobs import MODEL_JOBS
from cine3d_core.worker.pictures import png_of, rows_up
from cine3d_core.worker.requests import (
    NETWORKS,
    asked,
    estimated_depth,
    settings_asked,
    working_photo,
)
from cine3d_core.worker.server import JobFunction, JobInput, JobResult

MAX_SIDE_PX = 16_384  # of a frame
PREVIEW_SIDE_PX = 640  # of a picture of the motion
PREVIEW_KEYS = 5  # of the way of a point that is shown, not rendered


@dataclass(frozen=True)
class _Drawable:
    """A scene and what draws its frames."""

    scene: CinemagraphScene
    draw: FrameDrawer


def build(job: JobInput) -> JobResult:
    """A photo becomes a scene file and the points to show."""
    path = Path(job.arguments["scene_file"])
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    check_output(path)  # now, not after minutes of work
    request = asked(job)
    scene = scene_of_photo(
        request.photo, request.drawing, request.settings, NETWORKS, progress=_scaled(job, 0.0, 0.85)
    )
    if clicked_with := job.arguments.get("clicked_with"):
        names = sorted(str(name) for name in clicked_with)
        scene = replace(scene, parameters={**scene.parameters, "clicked_with": names})
    job.progress("Writing the scene file", 0.86)
    save_scene(scene, path)
    job.progress("Preparing the points", 0.9)
    value, arrays = _described(scene, path, request.photo, job.arguments.get("points", "FULL"))
    if request.photo.alpha is not None:
        value["assumed"] = [*value["assumed"], "the photo's transparent areas become opaque"]
    return value, arrays


def open_scene(job: JobInput) -> JobResult:
    """The points of a scene file that exists."""
    path = Path(job.arguments["scene_file"])
    return _described(load_scene(path), path, None, job.arguments.get("points", "FULL"))


def render(job: JobInput) -> JobResult:
    """One frame, as Blender's passes: `combined` and those named in `passes`.

    `combined` [H, W, 4] scene-linear (premultiplied by coverage if `transparent`); `depth`
    [H, W, 1] core units, 0 where nothing is; `vector` [H, W, 4] px with y up, from here to the
    previous frame and from the next frame to here, as Cycles has it; `moving` [H, W, 1].
    A `camera` with a `lens` (`focus`, `blur_px`) has depth of field.
    `times`: pairs of a drawn region, counted from 1, and the frame of the loop that it shows.
    `region` (left, bottom, width, height) cuts a part out. `preview` draws in a moment, for frames
    of about `PREVIEW_SIDE_PX`: fewer points, no decoder. A card that fails is an error, unless
    `cpu_allowed`: then the CPU draws, and `drawn_on` says why.
    """
    arguments = job.arguments
    job.progress("Drawing", 0.2)
    camera, before, after = (_camera(arguments[name]) for name in ("camera", "previous", "next"))
    shot = Shot(camera, before, after, _times(arguments.get("times")))
    number = _frame(arguments["frame"])
    with_vectors = "vector" in arguments.get("passes", [])
    drawn = _drawn(arguments, lambda scene: scene.draw(shot, number, with_vectors))
    frame = focused(drawn.result, _lens(arguments["camera"]))
    job.progress("Handing over", 0.95)
    planes = {"combined": _combined(frame, bool(arguments.get("transparent")))}
    planes |= {
        "depth": frame.depth,
        "vector": frame.motion * torch.tensor([1.0, -1.0, -1.0, 1.0])[:, None, None],
        "moving": matte(frame.moving),
    }
    arrays = {name: rows_up(planes[name]) for name in ["combined", *arguments.get("passes", [])]}
    if region := arguments.get("region"):
        left, bottom, width, height = region
        if width < 1 or height < 1:
            raise InputError("the render region is empty; draw it again or switch it off")
        arrays = {k: v[bottom : bottom + height, left : left + width] for k, v in arrays.items()}
    facts = {**_provenance(drawn.scene, arguments["scene_file"]), "uncovered": holes(frame.alpha)}
    facts["drawn_on"] = drawn.where
    return facts, arrays


Result = TypeVar("Result")


@dataclass(frozen=True)
class _Drawn(Generic[Result]):
    """What came out, of which scene, and what drew it."""

    result: Result
    scene: CinemagraphScene
    where: str  # a device; for the CPU instead of a card, with the reason


def _drawn(arguments: dict[str, Any], draw: Callable[[_Drawable], Result]) -> _Drawn[Result]:
    """What `draw` does with the scene, on the device asked for or, if allowed, on the CPU.

    Raises:
        DeviceError: a card failed, and the CPU is not allowed to do its work.
    """
    opened = _preview if arguments.get("preview") else _drawable
    path, device = arguments["scene_file"], choose_device(arguments.get("device", "auto"))
    try:
        with card_errors_told(device):
            scene = opened(path, str(device))
            return _Drawn(draw(scene), scene.scene, str(scene.draw.device))
    except DeviceError as error:
        if not arguments.get("cpu_allowed"):
            raise
        scene = opened(path, "cpu")
        return _Drawn(draw(scene), scene.scene, f"cpu, since {error.told({})}")


def _frame(value: float) -> float:
    """A whole frame as a whole number, so that it is drawn as it always was."""
    return int(value) if value == int(value) else float(value)


def _times(pairs: list[list[float]] | None) -> dict[int, float]:
    return {int(region): _frame(frame) for region, frame in pairs or []}


def _combined(frame: RenderedFrame, transparent: bool) -> Tensor:  # [4, H, W]
    linear = srgb_to_linear(frame.rgb)
    if transparent:
        return torch.cat([linear * frame.alpha, frame.alpha])
    return torch.cat([linear, torch.ones_like(frame.alpha)])


def export_ply(job: JobInput) -> JobResult:
    """The points at some frames as PLY files, in the space that `matrix` leads to."""
    prepared = _prepared(job.arguments["scene_file"], "cpu")
    files = job.arguments["files"]
    for number, file in enumerate(files):
        job.progress("Writing the points", number / len(files))
        _write_frame_ply(prepared, job.arguments, file)
    return {"points": len(prepared.scene.cloud.positions), "files": len(files)}, {}


def _write_frame_ply(
    prepared: PreparedScene, arguments: dict[str, Any], file: dict[str, Any]
) -> None:
    matrix = np.array(arguments["matrix"], np.float64)  # [4, 4] from core axes
    vertices = cloud_at(prepared, int(file["frame"]), _times(file.get("times")))
    for names, shift in (("x", "y", "z"), matrix[:3, 3]), (("flow_x", "flow_y", "flow_z"), 0.0):
        moved = np.stack([vertices[name] for name in names], axis=1) @ matrix[:3, :3].T + shift
        vertices |= {name: moved[:, i].astype(np.float32) for i, name in enumerate(names)}
    write_ply(Path(file["path"]), vertices, binary=bool(arguments.get("binary", True)))


def coverage(job: JobInput) -> JobResult:
    """Share of uncovered pixels for each camera: `uncovered` [n]."""
    draw = _preview(job.arguments["scene_file"], "cpu").draw
    cameras = [_camera(record) for record in job.arguments["cameras"]]
    shares = np.zeros(len(cameras), np.float64)
    for index, camera in enumerate(cameras):
        job.progress("Looking for holes", index / len(cameras))
        shares[index] = uncovered(draw, camera)
    return {}, {"uncovered": shares}


def reach_of_camera(job: JobInput) -> JobResult:
    """How far the photo's camera may go: `reach` [6, 3], see `coverage.safe_reach`.

    In Blender's axes.
    """
    preview = _preview(job.arguments["scene_file"], "cpu")
    limit = float(job.arguments["uncovered"])
    reach = safe_reach(preview.draw, preview.scene.camera, limit, job.progress)
    return {}, {"reach": reach @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])}


def film(job: JobInput) -> JobResult:
    """Frames of the cameras as one file: `path`, `fps`, `loops`; see `worker.film` and `render`."""
    arguments = job.arguments
    path = Path(arguments["path"])
    cameras = [_camera(record) for record in arguments["cameras"]]
    lenses = [_lens(record) for record in arguments["cameras"]]
    frames = [_frame(value) for value in arguments["frames"]]
    times = [_times(pairs) for pairs in arguments.get("times") or [None] * len(frames)]

    def write(scene: _Drawable) -> None:
        write_film(
            scene.draw,
            cameras,
            lenses,
            frames,
            times,
            path,
            fps=float(arguments["fps"]),
            loops=int(arguments["loops"]),
            progress=job.progress,
        )

    drawn = _drawn(arguments, write)
    size = sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))
    return {"bytes": size, "drawn_on": drawn.where}, {}


def propose_mask(job: JobInput) -> JobResult:
    """What seems to flow in a photo: `moving` [H, W] float32, bottom row first."""
    settings = settings_asked(job)
    photo = working_photo(job.arguments["photo"], settings)
    estimated = estimated_depth(job.arguments["photo"], settings, find_fluids=True)
    guess = guess_mask(photo.rgb, estimated.depth)
    return {"description": guess.description}, {"moving": rows_up(guess.mask)[..., 0]}


def preview_motion(job: JobInput) -> JobResult:
    """The flow over the photo: `picture`, the bytes of a PNG file.

    `maybe` are regions that may flow but are left still, with a place that an arrow can start at.
    """
    request = asked(job, max_side=PREVIEW_SIDE_PX)
    estimated = estimated_depth(
        job.arguments["photo"], request.settings, find_fluids=asks_what_flows(request.drawing)
    )
    directed = direct_photo(
        request.photo,
        request.drawing,
        request.settings,
        NETWORKS,
        estimated=estimated,
        progress=_scaled(job, 0.0, 1.0),
    )
    picture = draw_motion(request.photo.rgb, directed.motion)
    kind = guess_mask(request.photo.rgb, estimated.depth).kind[0].cpu().numpy()
    maybe = [asdict(region) for region in offered_regions(estimated.depth, kind)]
    return {"assumed": list(directed.assumed), "maybe": maybe}, {"picture": png_of(picture)}


def _described(scene: CinemagraphScene, path: Path, photo: Photo | None, points: str) -> JobResult:
    """What Blender keeps of a scene: its description, the photo as picture, the points.

    `points` is FULL for all, PREVIEW for as many as a window of `PREVIEW_SIDE_PX` shows.
    """
    arrays: dict[str, np.ndarray] = {}
    if points == "PREVIEW":
        groups = viewport_points(prepare(family_of(scene).coarse(scene)), num_keys=PREVIEW_KEYS)
    else:
        groups = viewport_points(prepare(scene))
    for number, group in enumerate(groups):
        fields = asdict(group)
        fields = {k: v for k, v in fields.items() if isinstance(v, np.ndarray)}
        arrays.update({f"{name}_{number}": array for name, array in fields.items()})
    if photo is not None:
        arrays["photo"] = png_of(photo.rgb)
    value = {
        "regions": [group.region for group in groups],
        "cycles": [group.cycles for group in groups],
        "camera": _camera_record(scene.camera),
        "framing": asdict(framing_of(scene)),
        "num_frames": scene.num_frames,
        "fps": scene.fps,
        "assumed": scene.parameters.get("assumed", []),
        **_provenance(scene, path),
    }
    return value, arrays


def _provenance(scene: CinemagraphScene, path: str | Path) -> dict[str, Any]:
    return {
        "photo_sha256": scene.photo_sha256,
        "scene_sha256": _checksum(str(path), Path(path).stat().st_mtime_ns),
        "models": scene.models,
    }


@lru_cache(maxsize=4)
def _checksum(path: str, _modified: int) -> str:
    return sha256_of(path)


def _prepared(scene_file: str, device: str) -> PreparedScene:
    def make(scene: CinemagraphScene, there: torch.device) -> tuple[PreparedScene, int]:
        prepared = prepare_on(scene, there)
        return prepared, bytes_of(prepared)

    return kept_scene("points", scene_file, choose_device(device), make)


def _drawable(scene_file: str, device: str) -> _Drawable:
    def make(scene: CinemagraphScene, there: torch.device) -> tuple[_Drawable, int]:
        drawer = frame_drawer(scene, there, networks=NETWORKS)
        return _Drawable(scene, drawer), drawer.held_bytes

    return kept_scene("frames", scene_file, choose_device(device), make)


def _preview(scene_file: str, device: str) -> _Drawable:
    def make(scene: CinemagraphScene, there: torch.device) -> tuple[_Drawable, int]:
        scene = family_of(scene).coarse(scene)
        drawer = frame_drawer(scene, there, networks=NETWORKS, decoder="none")
        return _Drawable(scene, drawer), drawer.held_bytes

    return kept_scene("preview", scene_file, choose_device(device), make)


def _camera(record: dict[str, Any]) -> Camera:
    """A camera as Blender has it, which a keyed lens or a scaled parent may have made absurd."""
    intrinsics, pose = checked_matrices(record, "the camera")
    height, width = checked_size(record, "the camera")
    if max(height, width) > MAX_SIDE_PX:
        raise InputError(
            f"frames of {width}x{height} pixels were asked for; choose at most {MAX_SIDE_PX} a side"
        )
    return Camera(torch.from_numpy(intrinsics), torch.from_numpy(pose), height, width)


def _lens(record: dict[str, Any]) -> Lens | None:
    """The lens of a camera record, None where all is sharp."""
    lens = record.get("lens")
    return None if lens is None else Lens(float(lens["focus"]), float(lens["blur_px"]))


def _camera_record(camera: Camera) -> dict[str, Any]:
    return {
        "K": camera.intrinsics.tolist(),
        "world_to_camera": camera.world_to_camera.tolist(),
        "height": camera.height,
        "width": camera.width,
    }


def _scaled(job: JobInput, start: float, end: float):
    """The job's progress for a part of it."""
    return lambda stage, share: job.progress(stage.capitalize(), start + (end - start) * share)


JOBS: dict[str, JobFunction] = {
    "check": check,
    "build": build,
    "open": open_scene,
    "render": render,
    "export_ply": export_ply,
    "coverage": coverage,
    "safe_reach": reach_of_camera,
    "film": film,
    "propose_mask": propose_mask,
    "preview_motion": preview_motion,
    **DIRECT_JOBS,
    **MODEL_JOBS,
}
