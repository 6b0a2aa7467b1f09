"""The worker's job `film`: frames of a moving camera into one video, GIF or folder of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.files.video.writer import FrameWriter, open_frame_writer
from cine3d_core.output.focus import Lens, focused
from cine3d_core.progress import Progress
from cine3d_core.render.animation import Shot
from cine3d_core.render.drawer import DrawFrame
from cine3d_core.scene import Camera, RenderedFrame


def write_film(
    draw: DrawFrame,
    cameras: list[Camera],
    lenses: list[Lens | None],
    frames: list[float],
    times: list[dict[int, float]],
    path: Path,
    *,
    fps: float,
    loops: int,
    progress: Progress,
) -> None:
    """Draw each frame once and write them `loops` times over, complete or not at all.

    Args:
        draw: the scene's.
        cameras: one for each frame, all of one size.
        lenses: one for each frame, None where all is sharp.
        frames: of the loop; between two where time is stretched.
        times: of regions, for each frame; see `Shot.times`.
        path: `.mp4`, `.webm`, `.gif`, or a folder, whose frames are written once.
        fps: of the video.
        loops: how often it is played within the file.
        progress: raises to cancel.

    Raises:
        InputError: a place that cannot be written.
    """
    first = cameras[0]
    writer = open_frame_writer(
        path, height=first.height, width=first.width, fps=fps, fingerprint=str(path)
    )
    again: list[torch.Tensor] = []
    drawn: RenderedFrame | None = None
    repeated = loops if path.suffix.lower() in (".mp4", ".webm") else 1
    with writer:
        shots = zip(cameras, lenses, frames, times, strict=True)
        for number, (camera, lens, frame, own) in enumerate(shots):
            progress(f"Frame {number + 1} of {len(frames)}", number / len(frames))
            drawn = focused(draw(Shot(camera, camera, camera, own), frame, False), lens)
            writer.write(number, drawn)
            if repeated > 1:
                again.append(torch.from_numpy(rgb_bytes(drawn.rgb)))
        if drawn is not None:
            _repeat(writer, drawn, again, repeated, progress)


def _repeat(
    writer: FrameWriter,
    like: RenderedFrame,
    pictures: list[torch.Tensor],  # [H, W, 3] uint8
    loops: int,
    progress: Progress,
) -> None:
    for number in range(len(pictures), len(pictures) * loops):
        progress("Writing the loops", number / (len(pictures) * loops))
        rgb = pictures[number % len(pictures)].permute(2, 0, 1).float() / 255
        writer.write(number, replace(like, rgb=rgb))
