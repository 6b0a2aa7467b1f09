"""Fluid masks against outlines drawn by hand: `cine3d evaluate fluid PHOTOS --outlines FOLDER`.

Intersection over union of each class (Everingham et al., "The PASCAL VOC Challenge", IJCV 2015,
section 4.3), beside what was used before the network and beside a guess that is blind to the
picture. On photographs where nothing flows the largest connected false region counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.errors import InputError
from cine3d_core.evaluation.fluid_sheet import SheetRow, draw_sheet
from cine3d_core.files.atomic import replacing
from cine3d_core.files.drawing.fluid_polygons import (
    LABELS,
    FluidOutlines,
    paint_classes,
    read_outlines,
)
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.imaging.regions import connected_regions
from cine3d_core.motion.guess import KINDS, guess_mask
from cine3d_core.scene import DepthMap
from cine3d_core.see.look import BUNDLED, see

ClassMap = NDArray[np.uint8]  # [H, W] index into LABELS
# what is found -> what it is called in the outlines
OUTLINED = {name: name if name in LABELS else "water" for name in KINDS} | {"fire": "smoke"}
Method = Callable[[Tensor], ClassMap]  # photo [3, H, W] -> classes

SMALLEST_TRUTH = 0.005  # share of the picture; smaller regions are not scored as a class


@dataclass(frozen=True)
class FluidScores:
    """One photograph, one method."""

    photo: str
    method: str
    overlap: Mapping[str, float]  # of the classes that the photograph has
    false_region: float  # largest connected region of any class that it lacks, share of picture


def score(photo: str, method: str, found: ClassMap, truth: ClassMap) -> FluidScores:
    """Overlap of the classes that are there, and the largest region of those that are not."""
    assert found.shape == truth.shape, (found.shape, truth.shape)
    overlap: dict[str, float] = {}
    false_region = 0.0
    for number, label in list(enumerate(LABELS))[1:]:
        there, claimed = truth == number, found == number
        if there.mean() > SMALLEST_TRUTH:
            overlap[label] = float((there & claimed).sum() / (there | claimed).sum())
    if not overlap:
        count, region = connected_regions(found > 0)
        areas = np.bincount(region.ravel(), minlength=count)[1:]
        false_region = float(areas.max(initial=0) / found.size)
    return FluidScores(photo, method, overlap, false_region)


def upper_third(rgb: Tensor) -> ClassMap:
    """The guess that is blind to the picture: the upper third is sky."""
    classes = np.zeros(tuple(rgb.shape[1:]), np.uint8)
    classes[: len(classes) // 3] = LABELS.index("sky")
    return classes


def lower_third(rgb: Tensor) -> ClassMap:
    """Its companion for water: the lower third."""
    classes = np.zeros(tuple(rgb.shape[1:]), np.uint8)
    classes[-(len(classes) // 3) :] = LABELS.index("water")
    return classes


def outlined_photos(
    photos: Path, outlines: Path, *, split: str, size: int
) -> Iterator[tuple[FluidOutlines, Tensor, ClassMap]]:
    """What was drawn, the photo [3, H, W] and its classes, `size` pixels long at most, by name.

    Raises:
        InputError: no outlines of that split, or a photograph that is not the one outlined.
    """
    drawn = [read_outlines(path) for path in sorted(outlines.glob("*.json"))]
    chosen = [one for one in drawn if one.split == split]
    if not chosen:
        raise InputError(f"{outlines} holds no outlines of the split {split!r}; name another")
    for one in chosen:
        file = photos / one.file
        if not file.is_file() or sha256_of(file) != one.sha256:
            raise InputError(f"{file} is not the photograph that {one.name}.json outlines")
        rgb = read_photo(file, max_side=size).rgb
        yield one, rgb, paint_classes(one, rgb.shape[1], rgb.shape[2])


def evaluate(
    photos: Path, outlines: Path, methods: Mapping[str, Method], *, split: str, size: int = 1280
) -> list[FluidScores]:
    """Scores of every outlined photograph of a split by every method.

    Raises:
        InputError: as `outlined_photos`.
    """
    return [
        score(drawn.name, name, call(rgb), truth)
        for drawn, rgb, truth in outlined_photos(photos, outlines, split=split, size=size)
        for name, call in methods.items()
    ]


def mean_overlap(scores: Sequence[FluidScores], method: str, label: str) -> tuple[float, int]:
    """Mean over the photographs that have the class, and how many those are."""
    values = [s.overlap[label] for s in scores if s.method == method and label in s.overlap]
    return (float(np.mean(values)) if values else float("nan")), len(values)


def table(scores: Sequence[FluidScores]) -> str:
    """The scores as text: a line for each photograph and method, then the means."""
    labels = LABELS[1:]
    lines = [f"{'photo':26}{'method':14}" + "".join(f"{x:>8}" for x in labels) + f"{'false':>8}"]
    for s in scores:
        cells = [f"{s.overlap[x]:8.3f}" if x in s.overlap else f"{'':8}" for x in labels]
        false = "" if s.overlap else f"{s.false_region:8.3f}"
        lines.append(f"{s.photo:26}{s.method:14}" + "".join(cells) + false)
    for method in dict.fromkeys(s.method for s in scores):
        means = [mean_overlap(scores, method, label) for label in labels]
        cells = [f"{mean:8.3f}" if n else f"{'':8}" for mean, n in means]
        counts = ", ".join(f"{x} n={n}" for x, (_, n) in zip(labels, means, strict=True))
        worst = max((s.false_region for s in scores if s.method == method), default=0.0)
        lines.append(f"{'mean':26}{method:14}" + "".join(cells) + f"{worst:8.3f}  ({counts})")
    return "\n".join(lines)


def guessed(rgb: Tensor, depth: DepthMap) -> ClassMap:
    """What `guess_mask` takes for flowing, in the words of the outlines: falls are water."""
    kind = guess_mask(rgb, depth).kind[0].cpu().numpy()
    return np.array([LABELS.index(OUTLINED[name]) for name in KINDS], np.uint8)[kind]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the fluid evaluation to a parser."""
    parser.add_argument("photos", type=Path, help="folder of the photographs")
    parser.add_argument("--outlines", type=Path, required=True, help="folder of their outlines")
    parser.add_argument("--split", default="test", choices=("test", "train"), help="(test)")
    parser.add_argument("--size", type=int, default=1280, help="long side, pixels (1280)")
    parser.add_argument("--sheet", type=Path, help="JPEG: photograph, outlined, found")


def run(args: argparse.Namespace) -> None:
    """Prints the scores of the shipped network, of the analytic guess and of blind guesses."""
    networks = Networks()
    depth_source = open_depth_source("compact", networks)
    eyes = networks.required(BUNDLED).network

    def analytic(rgb: Tensor) -> ClassMap:
        depth = depth_source(rgb, params=DepthParams())
        return guessed(rgb, replace(depth, fluid=None))

    def network(rgb: Tensor) -> ClassMap:
        flat = torch.ones_like(rgb[:1])  # the network looks at the picture alone
        return guessed(rgb, DepthMap(flat, 0 * flat, see(rgb, eyes).fluid))

    methods = {"network": network, "analytic": analytic}
    methods |= {"upper third": upper_third, "lower third": lower_third}
    print(table(evaluate(args.photos, args.outlines, methods, split=args.split, size=args.size)))
    if args.sheet:
        rows = [
            SheetRow(f"{drawn.name} ({drawn.credit})", rgb, truth, network(rgb))
            for drawn, rgb, truth in outlined_photos(
                args.photos, args.outlines, split=args.split, size=args.size
            )
        ]
        with replacing(args.sheet) as temporary:
            Image.fromarray(draw_sheet(rows)).save(temporary, "JPEG", quality=80)
