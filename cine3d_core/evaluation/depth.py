"""Relative depth against measured stereo disparity, beside a ramp that ignores the picture.

Scale and shift are fitted in disparity, as relative predictions have neither (Ranftl et al.,
TPAMI 2022, section 6); errors are those of depth = 1 / disparity (Eigen et al., NeurIPS 2014).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from cine3d_core.networks.see import predict
from cine3d_core.see.look import BUNDLED, LONG_SIDES

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class TrueDisparity:
    """Measured disparity of one photograph."""

    disparity: FloatArray  # [H, W] pixels between the two cameras, near = large
    known: NDArray[np.bool_]  # [H, W]


@dataclass(frozen=True)
class DepthScores:
    """How well a relative disparity fits the measured one."""

    abs_rel: float  # mean of |depth - true| / true
    within: float  # share of pixels whose depth is within a factor of 1.25
    spearman: float  # rank correlation of the disparities, ties averaged


@dataclass(frozen=True)
class ScoredPhoto:
    """One photograph's scores, network and baseline."""

    name: str
    pixels: int  # with known disparity
    network: DepthScores
    ramp: DepthScores


def fit_scale_shift(disparity: FloatArray, truth: TrueDisparity) -> FloatArray:
    """The disparity [H, W] scaled and shifted to the least squared difference from the truth."""
    x, y = (
        disparity[truth.known].astype(np.float64),
        truth.disparity[truth.known].astype(np.float64),
    )
    scale, shift = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)[0]
    return disparity * scale + shift


def score(disparity: FloatArray, truth: TrueDisparity) -> DepthScores:
    """Scores of a relative disparity [H, W] after fitting scale and shift."""
    if disparity.shape != truth.disparity.shape:
        raise ValueError(
            f"the prediction is {disparity.shape} but the truth is {truth.disparity.shape}; "
            "resize the prediction to the truth"
        )
    true = truth.disparity[truth.known].astype(np.float64)
    # a fitted disparity may reach zero or below: counted as the farthest known point
    fitted = np.maximum(fit_scale_shift(disparity, truth)[truth.known], true.min())
    ratio = true / fitted  # of the depths
    return DepthScores(
        abs_rel=float(np.abs(ratio - 1).mean()),
        within=float((np.maximum(ratio, 1 / ratio) < 1.25).mean()),
        spearman=float(np.asarray(spearmanr(disparity[truth.known], true))[0]),
    )


def vertical_ramp(height: int, width: int) -> FloatArray:
    """The picture-blind baseline [height, width]: below is near."""
    return np.repeat(np.linspace(0.0, 1.0, height)[:, None], width, axis=1)


def predict_disparity(
    network: nn.Module, rgb: NDArray[np.uint8], *, long_sides: Sequence[int]
) -> FloatArray:
    """The network's disparity [H, W] at the size of the photo [H, W, 3]."""
    photo = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1).float() / 255
    disparity = predict(network, photo, long_sides=long_sides).disparity.numpy()
    size = (rgb.shape[1], rgb.shape[0])
    return np.asarray(cv2.resize(disparity, size, interpolation=cv2.INTER_LINEAR), np.float32)


def evaluate(
    network: nn.Module, photo: Path, truth: Path, *, long_sides: Sequence[int] = LONG_SIDES
) -> ScoredPhoto:
    """Scores of one photograph with measured disparity."""
    bgr = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{photo} is not a readable picture; give a JPEG or PNG")
    measured = read_truth(truth)
    disparity = predict_disparity(network, bgr[:, :, ::-1].astype(np.uint8), long_sides=long_sides)
    ramp = vertical_ramp(*measured.disparity.shape)
    known = int(measured.known.sum())
    return ScoredPhoto(photo.name, known, score(disparity, measured), score(ramp, measured))


def read_truth(path: Path) -> TrueDisparity:
    """Disparity from a one-array .npz (not finite = unknown) or a grey picture (0 = unknown)."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            disparity = arrays[arrays.files[0]].astype(np.float64)
    else:
        grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if grey is None or grey.ndim != 2:
            raise ValueError(
                f"{path} is not a grey picture of disparity; give .npz or one-channel PNG"
            )
        disparity = grey.astype(np.float64)
    return TrueDisparity(disparity, np.isfinite(disparity) & (disparity > 0))


def table(scored: Sequence[ScoredPhoto]) -> str:
    """The scores as text, one line for each photo and method."""
    lines = [f"{'photo':24}{'method':10}{'AbsRel':>8}{'d<1.25':>8}{'Spearman':>10}{'pixels':>10}"]
    for photo in scored:
        for method, scores in (("network", photo.network), ("ramp", photo.ramp)):
            numbers = f"{scores.abs_rel:8.3f}{scores.within:8.3f}{scores.spearman:10.3f}"
            lines.append(f"{photo.name:24}{method:10}{numbers}{photo.pixels:10d}")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the depth evaluation to a parser."""
    parser.add_argument(
        "--photo", type=Path, action="append", required=True, help="photograph; may be repeated"
    )
    parser.add_argument(
        "--truth",
        type=Path,
        action="append",
        required=True,
        help="its disparity, .npz or grey picture, in the same order",
    )
    parser.add_argument(
        "--long-sides",
        type=int,
        nargs="+",
        default=LONG_SIDES,
        help=f"long sides of the network's views, pixels (default {LONG_SIDES})",
    )


def run(args: argparse.Namespace) -> None:
    """Prints the scores of the shipped network."""
    from cine3d_core.files.models.store import (
        load_network,  # reads weights: only when there is work
    )

    if len(args.photo) != len(args.truth):
        raise ValueError(
            f"{len(args.photo)} photos but {len(args.truth)} truths; "
            "give one --truth for each --photo"
        )
    network = load_network(BUNDLED).network
    pairs = zip(args.photo, args.truth, strict=True)
    print(table([evaluate(network, *pair, long_sides=args.long_sides) for pair in pairs]))
