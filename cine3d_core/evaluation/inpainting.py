"""`cine3d evaluate inpainting`: an inpainting network and simpler methods on held-out photographs.

All get the same crops of `cine3d train inpaint photos`, in which a silhouette hides a part. The
analytic fill saw the whole photograph, all others see the crop.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from cine3d_core.evaluation.metrics import (
    at_size,
    gradient_similarity,
    masked_deviation,
    masked_mean,
    psnr,
    squared_error,
)
from cine3d_core.evaluation.perceptual import HedLpips, distance, load_hed_lpips
from cine3d_core.networks import inpainting as networks
from cine3d_core.training.inpaint.data import InpaintBatch, to_batch
from cine3d_core.training.inpaint.train import InpaintTrainingConfig, read_photographs
from cine3d_core.training.trainer import shipped

# A batch of one crop -> colours [3, S, S]; what it says outside the hole is not looked at.
Paint = Callable[[InpaintBatch], Tensor]
OPENCV_RADIUS = 5  # px around a pixel that OpenCV's fills look at
CROPS = 4  # of a photograph that are looked at, evenly spread


@dataclass(frozen=True)
class HoleScores:
    """How far the holes of some crops are from the truth; PSNR is better when higher."""

    psnr: float  # dB, of all pixels of all holes
    gmsd: float  # mean over the crops, like the others
    l1: float  # in [0, 1]
    hed_lpips: float | None  # None: its network was not at hand


def painting_methods(network: networks.InpaintingNetwork) -> dict[str, Paint]:
    """The rows of the table by name."""
    methods: dict[str, Paint] = {
        "analytic fill": lambda crop: crop.guess[0],
        "network": lambda crop: network(crop.guess, crop.context, crop.hole)[0],
        "OpenCV, Telea": lambda crop: _with_opencv(crop, cv2.INPAINT_TELEA),
        "OpenCV, Navier-Stokes": lambda crop: _with_opencv(crop, cv2.INPAINT_NS),
    }
    if hasattr(cv2, "xphoto"):  # in OpenCV's contributed modules only, unknown to its types
        methods["OpenCV, patches"] = partial(_with_patches, getattr(cv2, "xphoto"))  # noqa: B009
    return methods


@dataclass(frozen=True)
class JudgedCrop:
    """A crop, and the features of its truth that hed-lpips compares with."""

    batch: InpaintBatch  # of one
    features: list[Tensor] | None  # None: hed-lpips is not measured


@torch.no_grad()
def score_crop(paint: Paint, crop: JudgedCrop, judge: HedLpips | None) -> tuple[HoleScores, float]:
    """Of one crop, and its mean squared error in the hole."""
    truth, hole = crop.batch.truth[0], crop.batch.hole[0]
    painted = torch.lerp(truth, paint(crop.batch).clamp(0, 1), hole)  # nothing else is judged
    similarity = gradient_similarity(painted, truth)
    error = masked_mean(squared_error(painted, truth), hole)
    perceptual = None
    if judge is not None and crop.features is not None:
        perceptual = distance(judge.distance_maps(judge.features(painted), crop.features), hole)
    scores = HoleScores(
        psnr=psnr(error),
        gmsd=masked_deviation(similarity, at_size(hole, *similarity.shape[1:])),
        l1=masked_mean((painted - truth).abs().mean(dim=0, keepdim=True), hole),
        hed_lpips=perceptual,
    )
    return scores, error


def score_photographs(
    methods: Mapping[str, Paint],
    photographs: Mapping[str, Sequence[dict[str, Any]]],
    judge: HedLpips | None,
) -> Iterator[tuple[str, str, HoleScores]]:
    """Photograph, method and scores; `photographs` are packed crops by name."""
    for name, packed in photographs.items():
        chosen = packed[:: max(1, len(packed) // CROPS)][:CROPS]
        crops = [judged(to_batch([crop]), judge) for crop in chosen]
        weights = np.array([float(crop.batch.hole.sum()) for crop in crops])
        for method, paint in methods.items():
            found = [score_crop(paint, crop, judge) for crop in crops]
            scores = mean_scores([scores for scores, _ in found])
            error = float(np.average([error for _, error in found], weights=weights))
            yield name, method, HoleScores(**{**vars(scores), "psnr": psnr(error)})


def judged(batch: InpaintBatch, judge: HedLpips | None) -> JudgedCrop:
    """A crop with what the judge sees in its truth."""
    return JudgedCrop(batch, None if judge is None else judge.features(batch.truth[0]))


def mean_scores(scores: Sequence[HoleScores]) -> HoleScores:
    """Mean of every score."""
    means = {}
    for field in fields(HoleScores):
        values = [getattr(one, field.name) for one in scores]
        means[field.name] = None if None in values else float(np.mean(values))
    return HoleScores(**means)


def table(found: Sequence[tuple[str, str, HoleScores]]) -> str:
    """Markdown: means over the photographs, and in how many of them the network did better."""
    by_method: dict[str, dict[str, HoleScores]] = defaultdict(dict)
    for photograph, method, scores in found:
        by_method[method][photograph] = scores
    lines = [
        "| fill | PSNR dB | GMSD | L1 | hed-lpips | network is better in PSNR |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    network = by_method["network"]
    for method, of in by_method.items():
        mean = mean_scores(list(of.values()))
        perceptual = "-" if mean.hed_lpips is None else f"{mean.hed_lpips:.4f}"
        wins = sum(network[name].psnr > scores.psnr for name, scores in of.items())
        won = "" if method == "network" else f"{wins} of {len(of)}"
        measured = f"{mean.psnr:.2f} | {mean.gmsd:.4f} | {mean.l1:.4f} | {perceptual}"
        lines.append(f"| {method} | {measured} | {won} |")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the comparison to a parser."""
    parser.add_argument("checkpoint", type=Path, help="of cine3d train inpaint fit")
    parser.add_argument("--data", type=Path, required=True, help="folder of packed crops")
    parser.add_argument(
        "--held-out", nargs="*", default=[], metavar="NAME", help="more photos that were held out"
    )
    parser.add_argument(
        "--no-perceptual", action="store_true", help="leave hed-lpips out, which needs packages"
    )


def run(args: argparse.Namespace) -> None:
    """Measures and prints the table."""
    config = InpaintTrainingConfig()
    network = shipped(args.checkpoint, networks.build(**config.architecture))
    photographs = read_photographs(args.data, (*config.validation_photos, *args.held_out))
    judge = None if args.no_perceptual else load_hed_lpips()
    rows = score_photographs(painting_methods(network), photographs, judge)
    found = list(tqdm(rows, unit="row"))
    print(f"{len(photographs)} photographs, at most {CROPS} crops each, in the holes:")
    print(table(found))


def _with_opencv(crop: InpaintBatch, kind: int) -> Tensor:
    rgb, unknown = _for_opencv(crop)
    return _from_opencv(cv2.inpaint(rgb, unknown, OPENCV_RADIUS, kind))


def _with_patches(xphoto: Any, crop: InpaintBatch) -> Tensor:
    """Statistics of patch offsets (He and Sun, ECCV 2012)."""
    rgb, unknown = _for_opencv(crop)
    painted = np.zeros_like(rgb)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)  # the module says so
    xphoto.inpaint(lab, 255 - unknown, painted, xphoto.INPAINT_SHIFTMAP)
    return _from_opencv(cv2.cvtColor(painted, cv2.COLOR_LAB2RGB))


def _for_opencv(crop: InpaintBatch) -> tuple[np.ndarray, np.ndarray]:
    """Bytes [S, S, 3], black where nothing is known, and 255 there [S, S]."""
    known = crop.context[0]
    rgb = (crop.guess[0] * known * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return rgb, ((1 - known[0]) * 255).byte().numpy()


def _from_opencv(rgb: np.ndarray) -> Tensor:
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
