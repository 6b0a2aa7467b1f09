"""A scene, a camera path and a range of frames become files."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cine3d_core import __version__
from cine3d_core.cameras import framing_of, move_camera
from cine3d_core.device import bytes_of, on_device
from cine3d_core.errors import InputError
from cine3d_core.families import family_of
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.scene.camera_path import read_camera_path
from cine3d_core.files.scene.ply import cloud_vertices
from cine3d_core.files.video.writer import FrameWriter
from cine3d_core.imaging.card_facts import card_errors_told
from cine3d_core.moves import CAMERA_MOVES, MAX_STRENGTH, move_named
from cine3d_core.output.hand_over import FrameDrawer, Promise
from cine3d_core.progress import Progress
from cine3d_core.render.animation import PreparedScene, Shot, group_flow, group_phase, prepare
from cine3d_core.render.decoder_choice import DecoderChoice
from cine3d_core.render.stored import animation_of
from cine3d_core.scene import Camera, CinemagraphScene, resized_camera

CameraOfFrame = Callable[[int], Camera]

_MAX_SIDE = 16384  # px of a rendered frame


@dataclass(frozen=True)
class CameraPath:
    """A camera for every frame index that may be rendered."""

    camera: CameraOfFrame
    num_frames: int | None  # None: any frame has a camera
    height: int
    width: int


def open_camera_path(
    scene: CinemagraphScene, name: str | None, width: int | None, *, strength: float = 1.0
) -> CameraPath:
    """The camera path of a name (`moves.CAMERA_MOVES`) or a JSON file, at a width in pixels.

    Args:
        scene: whose photo camera the named moves start from.
        name: a move, or a path ending in `.json`; None: the orbit, or the published circle for a
            scene that was built the paper's way.
        width: of the frames; None keeps the photo's or the file's.
        strength: factor of a named move's size.

    Raises:
        InputError: no such move or file, a width that cannot be rendered, or a strength that
            no move bears.
    """
    if not abs(strength) <= MAX_STRENGTH:
        raise InputError(
            f"a strength of {strength:g} was asked for; choose from {-MAX_STRENGTH:g} "
            f"to {MAX_STRENGTH:g}"
        )
    move = move_named("circle" if name is None else name, published=_is_of_the_paper(scene))
    if move is not None:
        framing = framing_of(scene)

        def of_frame(frame: int) -> Camera:
            return move_camera(
                scene.camera, move, frame, scene.num_frames, framing=framing, strength=strength
            )

        return _sized(of_frame, None, scene.camera, width)
    assert name is not None  # it is a move without one
    if not name.lower().endswith(".json"):
        moves = ", ".join(CAMERA_MOVES)
        raise InputError(f"'{name}' is no camera move; use one of {moves}, or a .json camera path")
    if strength != 1.0:
        raise InputError(f"the camera path {name} has no strength", "leave {strength} out")
    cameras = read_camera_path(name)

    def of_file(frame: int) -> Camera:
        return cameras[frame]

    return _sized(of_file, len(cameras), cameras[0], width)


def _is_of_the_paper(scene: CinemagraphScene) -> bool:
    facts = scene.parameters
    return facts.get("preset") == "paper" or facts.get("models") == "official"


def _sized(
    of_frame: CameraOfFrame, num_frames: int | None, size: Camera, width: int | None
) -> CameraPath:
    width = size.width if width is None else width
    height = max(1, round(size.height * width / size.width))
    if not 16 <= width <= _MAX_SIDE or not 1 <= height <= _MAX_SIDE:
        raise InputError(
            f"frames of {width}x{height} pixels were asked for; choose a width that gives "
            f"16 to {_MAX_SIDE} pixels a side"
        )

    def resized(frame: int) -> Camera:
        return resized_camera(of_frame(frame), height, width)

    return CameraPath(resized, num_frames, height, width)


def frame_range(text: str | None, path: CameraPath, scene: CinemagraphScene) -> range:
    """Frames to render for "A:B" (B excluded), "A" alone, or None for the whole path.

    Raises:
        InputError: not such a range, empty, negative, or beyond the camera path's end.
    """
    end = scene.num_frames if path.num_frames is None else path.num_frames
    if text is None:
        return range(end)
    first, colon, last = text.partition(":")
    try:
        start = int(first) if first else 0
        stop = (int(last) if last else end) if colon else start + 1
    except ValueError as error:
        raise InputError(f"frames '{text}' are not of the form A:B, such as 0:60") from error
    if start < 0 or stop <= start or stop > 1_000_000:
        raise InputError(f"frames '{text}' are not a rising range from 0 on; give A:B with A < B")
    if path.num_frames is not None and stop > path.num_frames:
        raise InputError(
            f"frames '{text}' were asked for but the camera path has {path.num_frames} frames"
        )
    return range(start, stop)


def shot_of(path: CameraPath, frame: int) -> Shot:
    """The camera of a frame and of its neighbours, as far as the path has them."""
    before, after = frame - 1, frame + 1
    if path.num_frames is not None:
        before, after = max(before, 0), min(after, path.num_frames - 1)
    return Shot(path.camera(frame), path.camera(before), path.camera(after))


def frame_drawer(
    scene: CinemagraphScene,
    device: torch.device,
    *,
    networks: Networks | None = None,
    decoder: DecoderChoice = "scene",
) -> FrameDrawer:
    """What draws the frames of a scene, with the networks that it was built with.

    The frames are on the CPU. Scenes of the official networks have no motion vectors, and always
    their decoder. Without a decoder ("none") the splat is the picture.

    Raises:
        InputError: the scene needs a network that is not installed.
        DeviceError: a card failed, then or when it draws.
    """
    with card_errors_told(device):
        draw = family_of(scene).frames(scene, networks or Networks(), device, decoder)
    # two sizes of a scene at most, or as much again that is worked out of it
    return FrameDrawer(draw, device, held_bytes=2 * bytes_of(scene))


def render_clip(
    drawer: FrameDrawer,
    path: CameraPath,
    frames: Sequence[int],
    writer: FrameWriter,
    *,
    motion_vectors: bool,
    progress: Progress,
) -> None:
    """Renders frames in order into an open writer, leaving out what it already has.

    A card draws the next frame while one is copied and another encoded.
    """
    under_way: deque[tuple[int, Promise]] = deque()

    def write_oldest() -> None:
        frame, promise = under_way.popleft()
        writer.write(frame, promise())

    for count, frame in enumerate(frames):
        progress(f"frame {frame}", count / len(frames))
        if not writer.needs(frame):
            continue
        shot, colours_only = shot_of(path, frame), writer.colours_only
        promise = drawer.begin(shot, frame, motion_vectors, colours_only=colours_only)
        under_way.append((frame, promise))
        if len(under_way) >= drawer.ahead:
            write_oldest()
    while under_way:
        write_oldest()
    progress("done", 1.0)


def fingerprint(
    scene: CinemagraphScene,
    scene_sha256: str,
    camera_name: str | None,
    path: CameraPath,
    *,
    strength: float = 1.0,
    decoder: DecoderChoice = "scene",
) -> str:
    """What decides how a frame looks, as one checksum; resuming compares it.

    The program's version and the decoder are part of it, since others may draw the same scene
    otherwise.
    """
    drawn_by = family_of(scene).drawn_by(scene, Networks(), decoder)
    cameras: object = [camera_name or "", strength]
    if path.num_frames is not None:
        poses = [path.camera(frame) for frame in range(path.num_frames)]
        cameras = [[c.intrinsics.tolist(), c.world_to_camera.tolist()] for c in poses]
    facts = [__version__, drawn_by, scene_sha256, cameras, path.height, path.width]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def prepare_on(scene: CinemagraphScene, device: torch.device) -> PreparedScene:
    """The scene on a device, with its motion integrated there."""
    return prepare(on_device(scene, device))


def cloud_at(
    prepared: PreparedScene, frame: int, times: Mapping[int, float] | None = None
) -> dict[str, Any]:
    """Vertices of the points at a frame, for `files.scene.ply.write_ply`.

    `times`: as `Shot.times`.

    Moving points stand where the copy that fades in most at that frame has them: the forward one
    in the first half of each cycle, the backward one in the second.
    """
    scene = prepared.scene
    cloud = scene.cloud
    positions, flow = cloud.positions.clone(), torch.zeros_like(cloud.positions)
    lift = animation_of(scene).lift
    for group in prepared.groups:
        phase = group_phase(group, frame % scene.num_frames, scene.num_frames, times or {})
        backward = phase >= 0.5
        length = scene.num_frames / group.cycles
        time = (1 - phase if backward else phase) * length
        now = group_flow(scene, group, time, backward=backward, lift=lift).displacement
        later = group_flow(scene, group, time + 1, backward=backward, lift=lift).displacement
        positions[group.index] += now
        flow[group.index] = now - later if backward else later - now
    return cloud_vertices(
        positions=positions.cpu().numpy(),
        rgb=cloud.rgb.cpu().numpy(),
        layer=cloud.layer.cpu().numpy(),
        flow=flow.cpu().numpy(),
        inpainted=cloud.inpainted.cpu().numpy(),
    )


def describe(scene: CinemagraphScene, scene_path: Path) -> dict[str, Any]:
    """What `cine3d info` prints."""
    camera, cloud = scene.camera, scene.cloud
    speed = scene.velocity.abs().sum(dim=1).flatten(start_dim=1)
    seen = ~cloud.inpainted
    moving = speed[cloud.layer[seen].long(), cloud.pixel[seen]] > 0
    return {
        "file": str(scene_path),
        "bytes": scene_path.stat().st_size,
        "width": camera.width,
        "height": camera.height,
        "focal_px": float(camera.intrinsics[0, 0]),
        "frames": scene.num_frames,
        "fps": scene.fps,
        "layers": len(scene.layer_depth),
        "points": len(cloud.positions),
        "inpainted_points": int(cloud.inpainted.sum()),
        "moving_share": float(moving.float().mean()),  # of the points that the photo shows
        "models": scene.models,
        "decoder": family_of(scene).decoder(scene),
        "photo_sha256": scene.photo_sha256,
        "parameters": scene.parameters,
    }
