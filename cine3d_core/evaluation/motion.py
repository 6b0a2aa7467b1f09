"""Flow against truth on held-out synthetic pictures: `cine3d evaluate motion PHOTOS`.

The flows are those of `synthetic.flow_test`, on photographs that training never saw. What moves
and what of it is sky is given, depth is the shipped network's. Errors of a picture are means over
what moves of the endpoint error divided by the mean true speed of the region, so that slow pictures
count as much as fast.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cine3d_core.depth.refine import DepthParams
from cine3d_core.depth.sources import DepthSource, open_depth_source
from cine3d_core.files.models.networks import Networks
from cine3d_core.motion.direct import direct_motion
from cine3d_core.motion.flow import MotionParams
from cine3d_core.motion.guidance import Arrows, View, nearness_of, region_labels
from cine3d_core.motion.refine import MotionRefiner, hints_of
from cine3d_core.scene import FLUIDS, DepthMap, Drawing, MotionRegion
from cine3d_core.synthetic.flow_pictures import FlowScene, PhotoBank, read_photos
from cine3d_core.synthetic.flow_test import HELD_OUT_FAMILIES, stirred_sky
from cine3d_core.synthetic.flows import KINDS, SKY, Size
from cine3d_core.training.motion.data import Shards, arrows_per_region, open_shards
from cine3d_core.training.motion.shards import FlowFamilies, draw_scene

SIZES = (Size(176, 256), Size(256, 176), Size(192, 256), Size(224, 224))
HELD_OUT = FlowFamilies("held-out", HELD_OUT_FAMILIES, stirred_sky)
# Velocity of each kind, px/frame per px of the long side, that is nearest to the flows of training
# (`--training-data` finds it anew).
CLASS_CONSTANTS = {
    "sky": (-3.6e-6, 4e-7),
    "water": (3.8e-6, 2.43e-4),
    "smoke": (4.7e-6, -6.58e-4),
}
DEAD_WATER = 2e-5  # px/frame per px of the long side: slower regions rest
ANGLE_SPEED = 0.1  # of the mean speed: slower flow has no direction to speak of
# The number of each of `FLUIDS` among the kinds of made-up flows; no pixel has the number -1.
_FLUIDS = np.array([KINDS.index(n) if n in KINDS else -1 for n in FLUIDS])[:, None, None]
RESAMPLES = 2000  # of the pictures, for the interval of a ratio

Flow = NDArray[np.float32]  # [H, W, 2] px/frame


@dataclass(frozen=True)
class FlowScores:
    """Errors of one flow on one picture."""

    endpoint: float  # in mean speeds of the region
    endpoint_px: float  # px/frame
    angle_deg: float  # mean, where the true flow is not slow


def score_flow(flow: Flow, scene: FlowScene) -> FlowScores:
    """Errors of `flow` over what moves."""
    label = region_labels(scene.kind > 0, scene.kind == SKY)
    inside = label > 0
    speed = np.linalg.norm(scene.flow, axis=-1)
    mean = np.bincount(label.ravel(), speed.ravel()) / np.maximum(np.bincount(label.ravel()), 1)
    unit = np.maximum(mean, 1e-6)[label]
    error = np.linalg.norm(flow - scene.flow, axis=-1)
    clear = inside & (speed > ANGLE_SPEED * unit)
    return FlowScores(
        float((error / unit)[inside].mean()),
        float(error[inside].mean()),
        float(_angles(flow[clear], scene.flow[clear]).mean()) if clear.any() else 0.0,
    )


def _angles(a: Flow, b: Flow) -> NDArray[np.floating]:  # [N, 2], [N, 2] -> [N] degrees
    """Angle between vectors; 90 degrees where one has no length."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = (a * b).sum(-1) / np.maximum(lengths, 1e-12)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def arrow_everywhere(scene: FlowScene, arrows: Arrows) -> Flow:
    """Each region moves as its own arrow says; regions without arrows as the mean of all."""
    label = region_labels(scene.kind > 0, scene.kind == SKY)
    table = np.repeat(arrows.vectors.mean(0)[None], label.max() + 1, 0)
    x, y = arrows.feet.astype(int).T
    table[label[y, x]] = arrows.vectors
    table[0] = 0
    return table[label].astype(np.float32)


def class_flow(scene: FlowScene, constants: Mapping[str, tuple[float, float]]) -> Flow:
    """Each kind moves by its constant."""
    flow = np.zeros((*scene.kind.shape, 2), np.float32)
    for number, name in enumerate(KINDS[1:], 1):
        flow[scene.kind == number] = np.array(constants[name]) * max(scene.kind.shape)
    return flow


_SEED = 7  # of what is drawn to fit constants and to resample scores


def fit_class_constants(shards: Shards) -> dict[str, tuple[float, float]]:
    """The velocity per kind of the least mean relative error: a weighted geometric median."""
    rng = np.random.default_rng(_SEED)
    drawn: dict[int, list[tuple[Flow, NDArray[np.floating]]]] = {1: [], 2: [], 3: []}
    for record in shards:
        for kind, found in drawn.items():
            y, x = np.nonzero(record["kind"] == kind)
            if len(x) > 0:
                flow = record["flow"][y, x].astype(np.float32) * 1e-3
                speed = np.linalg.norm(flow, axis=1).mean()
                chosen = flow[rng.integers(len(x), size=32)]
                found.append((chosen, np.full(32, 1 / max(float(speed), 1e-6))))
    return {KINDS[kind]: _median(found) if found else (0.0, 0.0) for kind, found in drawn.items()}


def _median(found: list[tuple[Flow, NDArray[np.floating]]]) -> tuple[float, float]:
    """Weiszfeld's iteration."""
    points = np.concatenate([flow for flow, _ in found]).astype(np.float64)
    weights = np.concatenate([weight for _, weight in found])
    centre = np.zeros(2)
    for _ in range(200):
        pull = weights / np.maximum(np.linalg.norm(points - centre, axis=1), 1e-9)
        centre = (points * pull[:, None]).sum(0) / pull.sum()
    return float(centre[0]), float(centre[1])


def held_out_scenes(bank: PhotoBank, count: int, seed: int) -> Iterator[FlowScene]:
    """Pictures of the held-out flows, each from its own seed.

    Drawn again where a region is dead water (a channel that is shut): its error has no measure.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scene = draw_scene(rng, SIZES[number % len(SIZES)], HELD_OUT, bank)
        while _slowest_region(scene) < DEAD_WATER * max(scene.kind.shape):
            scene = draw_scene(rng, SIZES[number % len(SIZES)], HELD_OUT, bank)
        yield scene


def _slowest_region(scene: FlowScene) -> float:
    """Mean true speed of the slowest region, px/frame."""
    label = region_labels(scene.kind > 0, scene.kind == SKY)
    speed = np.linalg.norm(scene.flow, axis=-1).ravel()
    area = np.bincount(label.ravel())
    mean = np.bincount(label.ravel(), speed) / np.maximum(area, 1)
    return float(mean[1:][area[1:] > 0].min())


def drawn_regions(scene: FlowScene, arrows: Arrows) -> tuple[MotionRegion, ...]:
    """What a person would draw: the sky and the rest of what moves, each with its arrows."""
    regions, hints = [], hints_of(arrows)
    for inside in (scene.kind == SKY, (scene.kind > 0) & (scene.kind != SKY)):
        own = tuple(h for h in hints if inside[int(h.start[1]), int(h.start[0])])
        if inside.any():
            regions.append(MotionRegion(picture=torch.from_numpy(inside)[None], hints=own))
    return tuple(regions)


def flows_of_scene(
    scene: FlowScene,
    arrows: Arrows,
    depth: DepthMap,
    refiner: MotionRefiner,
    constants: Mapping[str, tuple[float, float]],
) -> dict[str, Flow]:
    """The flow of every method; mask and sky are given, as if a person had drawn the regions."""
    rgb = torch.from_numpy(scene.rgb).permute(2, 0, 1).float() / 255
    mask, behind = (torch.from_numpy(m)[None] for m in (scene.kind > 0, scene.kind == SKY))
    known = replace(depth, fluid=torch.from_numpy(scene.kind == _FLUIDS).float())
    drawing = Drawing(regions=drawn_regions(scene, arrows))
    analytic, network = (
        direct_motion(rgb, known, drawing, MotionParams(), refine=refine)[0]
        for refine in (None, refiner)
    )
    alone = refiner.without_arrows(View(rgb, mask, behind, nearness_of(depth)))
    solved, refined = _image(analytic.velocity), _image(network.velocity)
    return {
        "one arrow: network": refined,
        "one arrow: analytic": solved,
        "one arrow: arrow everywhere": arrow_everywhere(scene, arrows),
        "no arrow: network": _image(alone),
        "no arrow: constant per class": class_flow(scene, constants),
        "no arrow: zero": np.zeros_like(scene.flow),
        "bound: true direction, analytic speed": with_directions_of(scene.flow, solved),
        "bound: true direction, network's speed": with_directions_of(scene.flow, refined),
        "bound: true speed, network's direction": with_directions_of(refined, scene.flow),
        "bound: best constant per region": best_constant(scene),
    }


def with_directions_of(flow: Flow, speeds: Flow) -> Flow:
    """The directions of one flow at the speeds of another; with one of both true, a bound."""
    length = np.linalg.norm(flow, axis=-1, keepdims=True)
    return flow / np.maximum(length, 1e-9) * np.linalg.norm(speeds, axis=-1, keepdims=True)


def best_constant(scene: FlowScene) -> Flow:
    """The one velocity for each region that is nearest to the truth: no single arrow says more."""
    label = region_labels(scene.kind > 0, scene.kind == SKY)
    flow = np.zeros_like(scene.flow)
    for number in range(1, label.max() + 1):
        true = scene.flow[label == number]
        flow[label == number] = _median([(true, np.ones(len(true)))])
    return flow


def _image(flow: Tensor) -> Flow:
    return flow.permute(1, 2, 0).numpy().astype(np.float32)


def evaluate(
    bank: PhotoBank,
    refiner: MotionRefiner,
    source: DepthSource,
    *,
    count: int,
    seed: int,
    constants: Mapping[str, tuple[float, float]] = CLASS_CONSTANTS,
) -> dict[str, list[tuple[str, FlowScores]]]:
    """(family, scores) of every picture, by method."""
    scores: dict[str, list[tuple[str, FlowScores]]] = {}
    for number, scene in enumerate(held_out_scenes(bank, count, seed)):
        rgb = torch.from_numpy(scene.rgb).permute(2, 0, 1).float() / 255
        depth = source(rgb, params=DepthParams())
        arrows = arrows_per_region(scene, np.random.default_rng([seed, number, 1]))
        for name, flow in flows_of_scene(scene, arrows, depth, refiner, constants).items():
            scores.setdefault(name, []).append((scene.family, score_flow(flow, scene)))
    return scores


def table(scores: Mapping[str, list[tuple[str, FlowScores]]]) -> str:
    """The scores as text: all pictures, then the families."""
    families = sorted({family for family, _ in next(iter(scores.values()))})
    head = "".join(f"{family:>8}" for family in families)
    lines = [f"{'method':40}{'EPE':>8}{'EPE px':>8}{'angle':>8}{head}"]
    for name, found in scores.items():
        means = [
            np.mean([getattr(score, part) for _, score in found])
            for part in ("endpoint", "endpoint_px", "angle_deg")
        ]
        by_family = [np.mean([s.endpoint for f, s in found if f == family]) for family in families]
        cells = "".join(f"{value:8.3f}" for value in (*means, *by_family))
        lines.append(f"{name:40}{cells}")
    return "\n".join(lines)


def ratio(
    scores: Mapping[str, list[tuple[str, FlowScores]]], method: str, rival: str
) -> tuple[float, float, float]:
    """Mean error of a method over a rival's, and its 95 % interval over resampled pictures."""
    a, b = (np.array([s.endpoint for _, s in scores[name]]) for name in (method, rival))
    rng = np.random.default_rng(_SEED)
    draws = rng.integers(len(a), size=(RESAMPLES, len(a)))
    ratios = a[draws].mean(1) / b[draws].mean(1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(a.mean() / b.mean()), float(low), float(high)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the motion evaluation to a parser."""
    parser.add_argument("photos", type=Path, help="folder with photos.csv (name,file,contents)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="photographs to take")
    parser.add_argument("--scenes", type=int, default=50, help="pictures to draw (50)")
    parser.add_argument("--seed", type=int, default=11, help="seed of the pictures and arrows (11)")
    parser.add_argument("--model", default="motion", help="name of the network (motion)")
    parser.add_argument(
        "--training-data", type=Path, help="shards to fit the constants per class again"
    )


def run(args: argparse.Namespace) -> None:
    """Prints the scores of the network and its rivals."""
    from cine3d_core.files.models.store import (
        load_network,  # reads weights: only when there is work
    )

    constants = CLASS_CONSTANTS
    if args.training_data is not None:
        constants = fit_class_constants(open_shards(args.training_data, "train"))
        print(f"constants per class: {constants}")
    refiner = MotionRefiner(load_network(args.model).network)
    bank = read_photos(args.photos, only=args.only)
    source = open_depth_source("compact", Networks())
    scores = evaluate(bank, refiner, source, count=args.scenes, seed=args.seed, constants=constants)
    print(f"n = {args.scenes} pictures of {len(bank.photos)} photographs, seed {args.seed}")
    print(table(scores))
    for method, rivals in (
        ("one arrow: network", ("one arrow: analytic", "one arrow: arrow everywhere")),
        ("no arrow: network", ("no arrow: zero", "no arrow: constant per class")),
    ):
        for rival in rivals:
            value, low, high = ratio(scores, method, rival)
            print(f"{method} / {rival}: {value:.3f} [{low:.3f}, {high:.3f}]")
