"""Training pairs of the renderer out of real clips in the layout of the Holynski data set.

Each clip of a folder is a video of a fixed camera and its mean flow:

    NAME.mp4  or  NAME_gt.mp4     the frames
    NAME_motion.flo  or  NAME.flo  px/frame of the video, Middlebury format

As published (reference, section 3): a start, a middle and an end frame are drawn; the forward
cloud comes from the start frame, the backward cloud from the end frame, and both must give the
middle one. Depth is that of the middle frame, since the camera is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.flow import read_flow
from cine3d_core.geometry import photo_camera
from cine3d_core.render.animation import AnimationParams, Shot, prepare
from cine3d_core.scene import MotionField
from cine3d_core.training.render.data import RenderPair, write_pair
from cine3d_core.training.render.pairs import FrameSetup, PairParams, patches, splatted

MOVING_SHARE = 0.1  # of the mean speed: what is slower counts as static (published)
LONGEST_CLIP = 60  # frames between start and end, at most


@dataclass(frozen=True)
class RealClip:
    """A video and its mean flow."""

    video: Path
    flow: Path

    @property
    def name(self) -> str:
        """Without ending."""
        return self.video.stem.removesuffix("_gt")


def find_clips(folder: Path) -> list[RealClip]:
    """The clips of a folder and of those in it, by name.

    Raises:
        InputError: no video there has a flow beside it.
    """
    clips = []
    for video in sorted(folder.rglob("*.mp4")):
        stem = video.stem.removesuffix("_gt")
        flows = (video.with_name(f"{stem}{ending}.flo") for ending in ("_motion", ""))
        flow = next((path for path in flows if path.is_file()), None)
        if flow is not None:
            clips.append(RealClip(video, flow))
    if not clips:
        raise InputError(
            f"no clip was found in {folder}; each wants NAME.mp4 (or NAME_gt.mp4) and "
            "NAME_motion.flo (or NAME.flo)"
        )
    return clips


def read_frames(clip: RealClip) -> list[NDArray[np.uint8]]:
    """All frames of a clip, [H, W, 3] each.

    Raises:
        InputError: no video, or one of fewer than three frames.
    """
    try:
        with av.open(str(clip.video)) as container:
            decoded = container.decode(video=0)
            frames = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in decoded]
    except (FFmpegError, OSError, IndexError) as error:
        raise InputError(f"the video {clip.video} cannot be read ({error}); replace it") from error
    if len(frames) < 3:
        raise InputError(f"the video {clip.video} has {len(frames)} frames; three are needed")
    return frames


def motion_of_clip(clip: RealClip, height: int, width: int) -> MotionField:
    """The clip's flow at the size of its frames; what is slow compared with the mean is static."""
    velocity = read_flow(clip.flow)
    scale = torch.tensor([width / velocity.shape[2], height / velocity.shape[1]])
    velocity = torch.nn.functional.interpolate(
        velocity[None], (height, width), mode="bilinear", align_corners=False
    )[0]
    velocity = velocity * scale[:, None, None]
    speed = velocity.norm(dim=0, keepdim=True)
    moving = (speed > MOVING_SHARE * speed.mean()) & (speed > 0)
    return MotionField(velocity * moving, moving, torch.ones_like(moving, dtype=torch.int16))


def pairs_of_clip(
    clip: RealClip, params: PairParams, *, triplets: int, generator: np.random.Generator
) -> Iterator[RenderPair]:
    """Patches of `triplets` random start, middle and end frames."""
    frames = read_frames(clip)
    height, width, _ = frames[0].shape
    motion = motion_of_clip(clip, height, width)
    depths = open_depth_source("compact", Networks())
    camera = photo_camera(height, width)
    for _ in range(triplets):
        start, middle, end = drawn_triplet(len(frames), generator)
        rgb = [_tensor(frames[index]) for index in (start, middle, end)]
        depth = depths(rgb[1], params=PRESETS["default"].depth)
        # `end + 1` since frame N of a loop is frame 0 again: the clip's end is one step before.
        count = end - start + 1
        stages = replace(PRESETS["default"], features=False, decoder=False)
        scenes = [
            prepare(
                scene_from_parts(
                    SceneParts(picture, depth, motion, camera), stages, num_frames=count, fps=25.0
                )
            )
            for picture in (rgb[0], rgb[2])
        ]
        shot = Shot(camera, camera, camera)
        setup = FrameSetup(scenes[0], scenes[1], shot, middle - start, AnimationParams())
        yield from patches(setup, splatted(setup), rgb[1], params, generator)


def drawn_triplet(count: int, generator: np.random.Generator) -> tuple[int, int, int]:
    """Rising indices of a start, a middle and an end frame out of `count` >= 3."""
    length = int(generator.integers(2, min(count - 1, LONGEST_CLIP) + 1))
    start = int(generator.integers(count - length))
    return start, start + int(generator.integers(1, length)), start + length


def write_clips(
    clips: list[RealClip], data: Path, params: PairParams, *, triplets: int, seed: int
) -> Iterator[Path]:
    """Writes the pairs of all clips, yields the folders; leaves what exists as it is."""
    for number, clip in enumerate(clips):
        folder = data / clip.name
        finished = folder / "finished"
        if not finished.exists():
            folder.mkdir(parents=True, exist_ok=True)
            generator = np.random.default_rng([seed, number])
            pairs = pairs_of_clip(clip, params, triplets=triplets, generator=generator)
            for count, pair in enumerate(pairs):
                write_pair(folder / f"{count:04d}.npz", pair)
            finished.touch()
        yield folder


def _tensor(frame: NDArray[np.uint8]) -> Tensor:  # [H, W, 3] -> [3, H, W] in [0, 1]
    return torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 255
