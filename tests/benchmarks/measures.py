"""The measurements, each meant for a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from cine3d_core import build as pipeline
from cine3d_core.build import PRESETS
from cine3d_core.families import build_scene
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.scene.scene_file import load_scene, save_scene
from cine3d_core.files.video.writer import open_frame_writer
from cine3d_core.output import clip as clips
from cine3d_core.progress import ignore_progress
from cine3d_core.render import animation, decoder_choice, stored
from cine3d_core.render import blend as blending
from cine3d_core.render.coarse import preview_of
from cine3d_core.render.decode import decoder_planes
from cine3d_core.scene import Camera, CinemagraphScene
from cine3d_core.settings import BuildSettings
from tests.benchmarks import STARTED
from tests.benchmarks.machine import both_medians, ceilings, median, peak_gib
from tests.benchmarks.sample import built_scene, sample_hints, sample_photo

CPU = torch.device("cpu")
FRAME = 7  # any but the first, which has only one cloud

Figures = dict[str, float]


def build(folder: Path, width: int, frames: int) -> Figures:
    """Seconds of each stage of a build, imports included, and how much of it is one processor's."""
    marks = [("start of the program", STARTED)]

    def progress(stage: str, share: float) -> None:
        marks.append((stage, time.perf_counter()))

    settings = BuildSettings(hints=sample_hints(folder, width), size=width, frames=frames)
    scene = build_scene(sample_photo(folder, width), settings, progress=progress)
    path = folder / f"{width}-{frames}.cine3d"
    save_scene(scene, path)
    marks.append(("end", time.perf_counter()))
    figures: Figures = {}
    for (stage, before), (_, after) in zip(marks, marks[1:], strict=False):
        name = {"done": "writing the scene"}.get(stage, stage)
        figures[name] = figures.get(name, 0.0) + after - before
    figures["whole build"] = marks[-1][1] - STARTED
    figures["processor seconds"] = time.process_time()
    figures["scene file, MB"] = path.stat().st_size / 1e6
    figures["peak GiB"] = peak_gib()
    return figures


def frames(folder: Path, width: int, frames: int) -> Figures:
    """Median seconds of each stage of a frame, and of a frame written to a video."""
    scene = load_scene(built_scene(folder, width, frames))
    draw, plain = clips.frame_drawer(scene, CPU), clips.frame_drawer(scene, CPU, decoder="none")
    names = "published-circle", "still"
    path, still = (clips.open_camera_path(scene, name, None) for name in names)
    shot, rest = clips.shot_of(path, FRAME), clips.shot_of(still, FRAME)
    repeats = 5 if width <= 1920 else 3

    def seconds(*arguments: object, by=draw) -> tuple[float, float]:
        return both_medians(lambda: by(*arguments), repeats)

    figures = stages(scene, shot, repeats)
    figures["frame, compact decoder"], used = seconds(shot, FRAME, False)
    figures["its processor seconds"] = used
    figures["frame, pass-through decoder"], used = seconds(shot, FRAME, False, by=plain)
    figures["its processor seconds "] = used
    figures["the same with motion vectors"], _ = seconds(shot, FRAME, True, by=plain)
    figures["frame, compact decoder, still camera"], _ = seconds(rest, FRAME, False)
    figures["encode"] = encoding(folder, path, draw(shot, FRAME, False).rgb)
    return figures


def stages(scene: CinemagraphScene, shot: animation.Shot, repeats: int) -> Figures:
    """The stages of a frame with the compact decoder, and how near to the machine they are."""
    prepared, params = clips.prepare_on(scene, CPU), stored.animation_of(scene)
    channels = blending.splat_channels(scene.cloud.features.shape[1])
    pair = animation.splat_directions(prepared, shot, FRAME, params)

    def blend() -> blending.SplatImage:
        return blending.blend_directions(
            *pair,
            channels,
            loop_phase=FRAME / scene.num_frames,
            disparity_range=scene.disparity_range,
            params=params.blend,
        )

    splat, splatting = both_medians(
        lambda: animation.splat_directions(prepared, shot, FRAME, params), repeats
    )
    decoder = decoder_choice.open_decoder(scene, Networks(), CPU, "scene")
    image = blend()
    decode, decoding = both_medians(lambda: decoder(image, channels), repeats)
    moving = len(prepared.moving_neighbours)
    traffic = splat_bytes(len(prepared.static), moving, shot.camera)
    return {
        "points": float(len(scene.cloud.positions)),
        "displace and splat": splat,
        "splat, processor seconds": splatting,
        "Mpoint/s": (len(prepared.static) + moving) / splat / 1e6,
        "GB per processor second of splatting, at least": traffic / splatting / 1e9,
        "blend": median(blend, repeats),
        "decode": decode,
        "decode, processor seconds": decoding,
        "GFLOP per processor second of decoding": decoder_flop(decoder, image, channels)
        / decoding
        / 1e9,
    }


def splat_bytes(static: int, moving: int, camera: Camera) -> int:
    """What a splat of both clouds has to move once: points in and placed, planes out."""
    point = 12 + 8 + 2 * 16 + 16  # position, neighbours, placed and read again, what it carries
    planes = 2 * (3 + 2 + 2 + 1 + 1)  # colour, pixel grid, tags, disparity, coverage of both clouds
    return (static + moving) * point + planes * 4 * camera.height * camera.width


def decoder_flop(decoder, image: blending.SplatImage, channels: blending.SplatChannels) -> int:
    """Multiplications and additions of the decoder's convolutions for one frame."""
    from torch.utils.flop_counter import FlopCounterMode

    planes = decoder_planes(image, channels, decoder.network.num_features)[None]
    sides = (side // 4 * 4 for side in planes.shape[2:])
    height, width = sides
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        decoder.network(planes[..., :height, :width])
    return counter.get_total_flops()


def encoding(folder: Path, path: clips.CameraPath, rgb: torch.Tensor) -> float:
    """Seconds of a frame's encoding alone; noise is added, or all frames would be one."""
    from cine3d_core.files.video.encoders import Mp4Encoder

    generator = torch.Generator().manual_seed(1)
    pictures = [
        rgb_bytes(rgb + 0.02 * torch.rand(rgb.shape, generator=generator)) for _ in range(4)
    ]
    with Mp4Encoder(folder / "e.mp4", height=path.height, width=path.width, fps=25) as encoder:
        started = time.perf_counter()
        for number in range(12):
            encoder.add(pictures[number % 4])
        return (time.perf_counter() - started) / 12


def clip(
    folder: Path, width: int, frames: int, *, decoder: decoder_choice.DecoderChoice = "scene"
) -> Figures:
    """A whole loop to MP4 under a circling camera: all that `cine3d render` does."""
    scene_file = built_scene(folder, width, frames)
    started = time.perf_counter()
    scene = load_scene(scene_file)
    path = clips.open_camera_path(scene, "published-circle", None)
    draw = clips.frame_drawer(scene, CPU, decoder=decoder)
    loaded = time.perf_counter()
    with open_frame_writer(
        folder / "clip.mp4", height=path.height, width=path.width, fps=25, fingerprint=""
    ) as writer:
        clips.render_clip(
            draw, path, range(frames), writer, motion_vectors=False, progress=ignore_progress
        )
    seconds = time.perf_counter() - loaded
    return {
        "load and prepare": loaded - started,
        "frames": float(frames),
        "whole clip": time.perf_counter() - STARTED,
        "per frame, encoding beside": seconds / frames,
        "processor seconds per frame": time.process_time() / frames,
        "peak GiB": peak_gib(),
    }


def plain_clip(folder: Path, width: int, frames: int) -> Figures:
    """`clip` without the compact decoder."""
    return clip(folder, width, frames, decoder="none")


def preview(folder: Path, width: int, frames: int) -> Figures:
    """A frame of 640x360 as the 3D view of Blender asks for it."""
    scene = load_scene(built_scene(folder, width, frames))
    started = time.perf_counter()
    small = preview_of(scene)
    draw = clips.frame_drawer(small, CPU, decoder="none")
    ready = time.perf_counter() - started
    shot = clips.shot_of(clips.open_camera_path(scene, "published-circle", 640), FRAME)
    seconds, used = both_medians(lambda: draw(shot, FRAME, False), 9)
    return {
        "points": float(len(small.cloud.positions)),
        "making the smaller scene": ready,
        "frame": seconds,
        "its processor seconds": used,
    }


def layers(folder: Path, width: int, count: int) -> Figures:
    """Build and frame of a scene of at most `count` layers."""
    stages_of = PRESETS["default"]
    layering = replace(stages_of.layering, max_layers=count)
    pipeline.PRESETS["default"] = replace(stages_of, layering=layering)
    settings = BuildSettings(hints=sample_hints(folder, width), size=width)
    started = time.perf_counter()
    scene = build_scene(sample_photo(folder, width), settings)
    seconds = time.perf_counter() - started
    shot = clips.shot_of(clips.open_camera_path(scene, "published-circle", None), FRAME)
    draw = clips.frame_drawer(scene, CPU, decoder="none")
    frame, used = both_medians(lambda: draw(shot, FRAME, False))
    return {
        "layers": float(len(scene.layer_depth)),
        "points": float(len(scene.cloud.positions)),
        "build": seconds,
        "frame, pass-through decoder": frame,
        "its processor seconds": used,
        "peak GiB": peak_gib(),
    }


def official(folder: Path, width: int, frames: int) -> Figures:
    """The official networks: what `--preset paper --models official` does for a frame.

    Their parameters are filled by the rule of `tests/golden`, since the checkpoints cannot be part
    of this repository; the time does not depend on the values.
    """
    from tests.benchmarks.official import official_frames, official_scene

    started = time.perf_counter()
    scene = official_scene(sample_photo(folder, width), sample_hints(folder, width), frames)
    set_up = time.perf_counter() - started
    shot = clips.shot_of(clips.open_camera_path(scene, "published-circle", None), FRAME)
    draw = official_frames(scene)
    frame, used = both_medians(lambda: draw(shot.camera, FRAME), 3)
    return {
        "set-up": set_up,
        "frame": frame,
        "its processor seconds": used,
        "peak GiB": peak_gib(),
    }


MEASURES = {
    "ceilings": lambda folder, width, frames: ceilings(),
    "build": build,
    "frames": frames,
    "clip": clip,
    "plain_clip": plain_clip,
    "preview": preview,
    "layers": layers,
    "official": official,
}


def measured(what: str, folder: Path | None, width: int, frames: int) -> Figures:
    """One measurement in this process."""
    if folder is not None:
        return MEASURES[what](folder, width, frames)
    with TemporaryDirectory() as name:
        return MEASURES[what](Path(name), width, frames)
