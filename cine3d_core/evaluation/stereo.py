"""Real second views: the left picture of a stereo pair, drawn as the right camera sees it.

The pictures are rectified, so depth is the inverse of disparity and the right camera stands beside
the left one; with a unit of depth at the largest disparity d, it stands d / focal to the right.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.errors import InputError
from cine3d_core.evaluation import metrics
from cine3d_core.evaluation.depth import TrueDisparity, fit_scale_shift, read_truth
from cine3d_core.evaluation.perceptual import HedLpips, distance, load_hed_lpips
from cine3d_core.evaluation.renderer import baselines, sheets
from cine3d_core.evaluation.renderer.baselines import Clip
from cine3d_core.evaluation.renderer.results import write_text
from cine3d_core.files.models.networks import Networks
from cine3d_core.geometry import photo_camera
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.motion.direct import still_motion
from cine3d_core.render.animation import AnimationParams, Shot, prepare
from cine3d_core.render.decode import pass_through
from cine3d_core.render.decoder_choice import open_decoder
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import Camera, DepthMap
from cine3d_core.synthetic.truth_folder import read_rgb, write_rgb

_LOOP = Clip(2, 25.0)  # nothing moves


@dataclass(frozen=True)
class StereoPair:
    """A picture, its measured disparity, and the view from the right."""

    name: str
    left: Tensor  # [3, H, W]
    right: Tensor  # [3, H, W]
    disparity: Tensor  # [1, H, W] px, > 0
    known: Tensor  # [1, H, W] bool: where it was measured


@dataclass(frozen=True)
class StereoScores:
    """How near a drawn right view is to the true one; NaN for an empty region."""

    psnr: float
    ssim: float
    hed_lpips: float
    psnr_seen: float  # of what the left picture shows, too
    psnr_disoccluded: float


def read_pair(left: Path, right: Path, disparity: Path, *, max_side: int) -> StereoPair:
    """A rectified pair, reduced to `max_side` px.

    Raises:
        InputError: the pictures are of different sizes.
    """
    pictures = [read_rgb(path) for path in (left, right)]
    truth = read_truth(disparity)
    sizes = {tuple(picture.shape[1:]) for picture in pictures} | {truth.disparity.shape}
    if len(sizes) > 1:
        raise InputError(
            f"{left}, {right} and {disparity} differ in size; give pictures of one pair"
        )
    height, width = pictures[0].shape[1:]
    scale = min(1.0, max_side / max(height, width))
    size = (round(width * scale), round(height * scale))
    reduced = [_resized(picture, size, cv2.INTER_AREA) for picture in pictures]
    known = torch.from_numpy(truth.known)[None].float()
    values = torch.from_numpy(np.where(truth.known, truth.disparity, 0)).float()[None]
    # nearest: a mean of two surfaces is neither
    known = _resized(known, size, cv2.INTER_NEAREST) > 0.5
    values = _resized(values, size, cv2.INTER_NEAREST) * scale
    filled = torch.where(known, values, push_pull(values, known.float())).clamp(min=0.5)
    return StereoPair(left.stem, reduced[0], reduced[1], filled, known)


def _resized(planes: Tensor, size: tuple[int, int], how: int) -> Tensor:  # [C, H, W]
    picture = np.ascontiguousarray(planes.permute(1, 2, 0).numpy())
    resized = cv2.resize(picture, size, interpolation=how)
    return torch.from_numpy(resized.reshape(size[1], size[0], -1)).permute(2, 0, 1).contiguous()


def seen_from_right(pair: StereoPair) -> tuple[Tensor, Tensor]:
    """Pixels of the right view that the left shows, and those it hides: [1, H, W] bool each.

    What lies beyond the left picture's edge is neither.
    """
    _, height, width = pair.disparity.shape
    seen = torch.zeros(height, width, dtype=torch.bool)
    rows, columns = torch.nonzero(pair.known[0], as_tuple=True)
    target = (columns + 0.5 - pair.disparity[0, rows, columns]).floor().long()
    inside = target >= 0
    seen[rows[inside], target[inside]] = True
    # A stretched surface leaves gaps of a pixel that are no disocclusions.
    closed = cv2.morphologyEx(seen.numpy().astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3)))
    seen = torch.from_numpy(closed.astype(bool))
    to_the_right = seen.flip(1).cummax(dim=1).values.flip(1)
    to_the_left = seen.cummax(dim=1).values
    return seen[None], (~seen & to_the_right & to_the_left)[None]


def right_views(pair: StereoPair) -> dict[str, Tensor]:
    """The right view by each row's name, drawn from the left picture."""
    height, width = pair.left.shape[1:]
    camera = photo_camera(height, width)
    unit = float(pair.disparity.max())
    shot = _beside(camera, unit)
    estimated = open_depth_source("compact", Networks())(pair.left, params=PRESETS["default"].depth)
    measured = TrueDisparity(pair.disparity[0].numpy(), pair.known[0].numpy())
    fitted = torch.from_numpy(fit_scale_shift((1 / estimated.depth[0]).numpy(), measured))
    fitted = fitted.float()[None].clamp(min=0.02 * unit)
    views = {"photo": pair.left}
    for suffix, disparity in (("", pair.disparity), ("-estimated", fitted)):
        depth = DepthMap(unit / disparity, torch.zeros_like(disparity))
        parts = SceneParts(pair.left, depth, still_motion(pair.left), camera)
        scene = scene_from_parts(parts, PRESETS["default"], num_frames=2, fps=25.0)
        ours = prepare(scene)
        decoder = open_decoder(ours.scene, Networks(), torch.device("cpu"))
        views[f"ours{suffix}"] = render_frame(ours, shot, 0, decoder=decoder).rgb
        if not suffix:
            naive = prepare(baselines.naive_scene(parts, _LOOP))
            plain = AnimationParams()
            views["no-decoder"] = baselines.symmetric(ours, plain, pass_through)(shot, 0)
            views["naive-pc"] = baselines.symmetric(naive, plain, baselines.leave_black)(shot, 0)
            views["naive-pc-filled"] = baselines.symmetric(naive, plain, pass_through)(shot, 0)
    return views


def _beside(camera: Camera, disparity_at_one: float) -> Shot:
    pose = camera.world_to_camera.clone()
    pose[0, 3] -= disparity_at_one / float(camera.intrinsics[0, 0])
    right = replace(camera, world_to_camera=pose)
    return Shot(right, right, right)


def score_view(view: Tensor, pair: StereoPair, network: HedLpips) -> StereoScores:
    """Scores of a right view [3, H, W] over what the left shows or hides."""
    seen, hidden = seen_from_right(pair)
    valid = seen | hidden
    view = metrics.agree_outside(view.clamp(0, 1), pair.right, valid)
    error = metrics.squared_error(view, pair.right)
    maps = network.distance_maps(network.features(view), network.features(pair.right))

    def psnr_over(region: Tensor) -> float:
        mean = metrics.masked_mean(error, region)
        return math.nan if math.isnan(mean) else metrics.psnr(mean)

    return StereoScores(
        psnr=psnr_over(valid),
        ssim=metrics.masked_mean(metrics.ssim_map(view, pair.right, valid), valid),
        hed_lpips=distance(maps, valid),
        psnr_seen=psnr_over(seen),
        psnr_disoccluded=psnr_over(hidden),
    )


def table(scored: Mapping[str, Mapping[str, StereoScores]]) -> str:
    """Scores by pair and row, Markdown."""
    lines = [
        "| pair | row | PSNR dB | SSIM | hed-lpips | PSNR seen | PSNR disoccluded |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for pair, rows in scored.items():
        for row, scores in rows.items():
            lines.append(
                f"| {pair} | `{row}` | {scores.psnr:.2f} | {scores.ssim:.3f} | "
                f"{scores.hed_lpips:.3f} | {scores.psnr_seen:.2f} | {scores.psnr_disoccluded:.2f} |"
            )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the stereo evaluation to a parser."""
    for name, text in (
        ("left", "left picture of a rectified pair; may be repeated"),
        ("right", "its right picture, in the same order"),
        ("disparity", "disparity of the left picture, .npz or grey picture (0 = unknown)"),
    ):
        parser.add_argument(f"--{name}", type=Path, action="append", required=True, help=text)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder")
    parser.add_argument("--size", type=int, default=640, help="long side at most, pixels (640)")


def run(args: argparse.Namespace) -> None:
    """Draws the right views, prints their scores, and writes table and sheets."""
    if not len(args.left) == len(args.right) == len(args.disparity):
        raise InputError(
            f"{len(args.left)} left, {len(args.right)} right pictures and {len(args.disparity)} "
            "disparities were given; give one of each for every pair"
        )
    network = load_hed_lpips()
    scored = {}
    for files in zip(args.left, args.right, args.disparity, strict=True):
        pair = read_pair(*files, max_side=args.size)
        views = right_views(pair)
        scored[pair.name] = {row: score_view(view, pair, network) for row, view in views.items()}
        sheet = sheets.contact_sheet({"truth": pair.right, **views})
        write_rgb(args.output / "sheets" / f"{pair.name}.png", sheet)
    text = table(scored)
    write_text(args.output / "stereo.md", text + "\n")
    print(text)
