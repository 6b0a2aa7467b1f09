"""One row on one scene: every true frame's scores, the loop's scores, the time of a frame."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from torch import Tensor

from cine3d_core.evaluation import metrics
from cine3d_core.evaluation.perceptual import HedLpips, distance
from cine3d_core.evaluation.renderer.baselines import Draw
from cine3d_core.evaluation.renderer.loops import LoopScores, loop_frames, score_loop
from cine3d_core.render.animation import Shot
from cine3d_core.synthetic.truth_folder import REGIONS, Moment, TrueFrame, TruthScene, read_frame

ALL = "all"
SMALL_REGION = 1e-3  # of the picture: smaller parts of a frame say nothing about a region


@dataclass(frozen=True)
class RegionScores:
    """One region of one frame; NaN where it was not measured."""

    share: float  # of the picture
    squared_error: float
    ssim: float
    hed_lpips: float
    gmsd: float


@dataclass(frozen=True)
class FrameScores:
    """One frame by region: all, static, fluid, disoccluded; those too small are left out."""

    moment: Moment
    regions: dict[str, RegionScores]


@dataclass(frozen=True)
class SceneScores:
    """One row on one scene."""

    frames: tuple[FrameScores, ...]
    loop: LoopScores
    seconds: float  # processor time of a frame, median
    build_seconds: float  # processor time before the first frame


@dataclass(frozen=True)
class JudgedFrame:
    """A true frame with what is needed to compare pictures with it."""

    moment: Moment
    shot: Shot
    truth: TrueFrame
    features: list[Tensor] | None  # of hed-lpips; None where that is not measured


def judged_frames(
    scene: TruthScene, network: HedLpips | None, perceptual: Sequence[Moment]
) -> list[JudgedFrame]:
    """All true frames of a scene; hed-lpips is measured on those in `perceptual`."""
    judged = []
    for moment in scene.moments:
        truth = read_frame(scene, moment)
        features = None
        if network is not None and moment in perceptual:
            # half precision: half a gigabyte a scene otherwise; no effect on the third digit
            features = [part.half() for part in network.features(truth.rgb)]
        judged.append(JudgedFrame(moment, scene.shot(moment), truth, features))
    return judged


def spread_moments(moments: Sequence[Moment], count: int) -> list[Moment]:
    """`count` moments spread evenly over all, in the order of moves and frames."""
    order = sorted(moments, key=lambda moment: (moment.move, moment.frame))
    count = min(count, len(order))
    return [order[int((k + 0.5) * len(order) / count)] for k in range(count)]


def compare(rgb: Tensor, judged: JudgedFrame, network: HedLpips | None) -> FrameScores:
    """The scores of one picture [3, H, W]."""
    truth = judged.truth
    rgb = metrics.agree_outside(rgb, truth.rgb, truth.valid)
    error = metrics.squared_error(rgb, truth.rgb)
    similarity = metrics.ssim_map(rgb, truth.rgb, truth.valid)
    gradients = metrics.gradient_similarity(rgb, truth.rgb)
    maps = None
    if network is not None and judged.features is not None:
        maps = network.distance_maps(network.features(rgb), judged.features)
    regions = {}
    for name, region in _regions(truth).items():
        share = float(region.float().mean())
        if share < SMALL_REGION:
            continue
        regions[name] = RegionScores(
            share=share,
            squared_error=metrics.masked_mean(error, region),
            ssim=metrics.masked_mean(similarity, region),
            hed_lpips=math.nan if maps is None else distance(maps, region),
            gmsd=metrics.masked_deviation(gradients, metrics.at_size(region, *gradients.shape[1:])),
        )
    return FrameScores(judged.moment, regions)


def _regions(truth: TrueFrame) -> dict[str, Tensor]:
    parts = {name: truth.regions == value for name, value in REGIONS.items()}
    return {ALL: truth.valid} | parts


def score_row(
    draw: Draw, scene: TruthScene, judged: Sequence[JudgedFrame], network: HedLpips | None
) -> tuple[SceneScores, dict[Moment, Tensor]]:
    """All scores of what `draw` shows, and the pictures themselves."""
    pictures, frames, seconds = {}, [], []
    for one in judged:
        started = time.process_time()
        rgb = draw(one.shot, one.moment.frame).clamp(0, 1)
        seconds.append(time.process_time() - started)
        pictures[one.moment] = rgb
        frames.append(compare(rgb, one, network))
    loop = score_loop(_fixed_camera_frames(draw, scene), scene.motion, scene.num_frames)
    return SceneScores(tuple(frames), loop, median(seconds), 0.0), pictures


def _fixed_camera_frames(draw: Draw, scene: TruthScene) -> dict[int, Tensor]:
    moments, pairs = loop_frames(scene.num_frames)
    wanted = {*moments, *pairs, *(k + 1 for k in pairs), 0}
    shot = Shot(scene.camera, scene.camera, scene.camera)
    return {frame: draw(shot, frame).clamp(0, 1) for frame in sorted(wanted)}
