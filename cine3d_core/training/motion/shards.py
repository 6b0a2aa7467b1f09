"""Making the shards of synthetic flows beforehand; a stopped run goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.motion.guidance import stretched
from cine3d_core.networks.see import predict
from cine3d_core.synthetic.flow_pictures import FlowScene, PhotoBank, make_scene
from cine3d_core.synthetic.flow_rivers import rapids, river
from cine3d_core.synthetic.flow_stirred import (
    curling_smoke,
    currents,
    stirred_clouds,
    stirred_water,
)
from cine3d_core.synthetic.flow_validation import VALIDATION_FAMILIES, whirling_sky
from cine3d_core.synthetic.flows import Family, Size, Surface, draw_surfaces, fall, sea, sky, smoke
from cine3d_core.training.motion import data

NEARNESS_SIDE = 192  # px, of the depth network's view
# how often each family is the subject of a picture
TRAINING_FAMILIES: tuple[tuple[float, Family], ...] = (
    (0.3, river),
    (0.06, sea),
    (0.08, fall),
    (0.14, rapids),
    (0.08, stirred_water),
    (0.08, sky),
    (0.08, stirred_clouds),
    (0.06, smoke),
    (0.08, curling_smoke),
    (0.04, currents),
)


@dataclass(frozen=True)
class FlowFamilies:
    """What a set of pictures is drawn from."""

    name: str  # prefix of its shards
    families: tuple[tuple[float, Family], ...]
    background_sky: Family


def _any_sky(rng: np.random.Generator, size: Size) -> Surface:
    return (sky if rng.random() < 0.5 else stirred_clouds)(rng, size)


FAMILIES = {
    "train": FlowFamilies("train", TRAINING_FAMILIES, _any_sky),
    "validation": FlowFamilies("validation", VALIDATION_FAMILIES, whirling_sky),
}


def draw_scene(
    rng: np.random.Generator, size: Size, flows: FlowFamilies, bank: PhotoBank
) -> FlowScene:
    """A picture of which enough moves after things have come in front."""
    while True:
        surfaces = draw_surfaces(rng, size, flows.families, flows.background_sky)
        scene = make_scene(rng, size, surfaces, bank)
        if (scene.kind > 0).mean() > 0.02 and np.abs(scene.flow).max() > 0:
            return scene


def estimated_nearness(network: nn.Module, rgb: Tensor) -> Tensor:  # [3, H, W] -> [1, H, W]
    """Disparity of a picture in [0, 1] as the bundled network sees it."""
    prediction = predict(network, rgb, long_sides=(NEARNESS_SIDE,))
    disparity = torch.nn.functional.interpolate(
        (prediction.disparity * (1 - prediction.classes[1]))[None, None],
        rgb.shape[1:],
        mode="bilinear",
    )[0]
    return stretched(disparity)


def make_shards(
    folder: Path,
    flows: FlowFamilies,
    bank: PhotoBank,
    depth_network: nn.Module,
    *,
    shards: range,
    seed: int,
) -> Iterator[Path]:
    """Writes the shards that are not there yet, each reproducible on its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in shards:
        path = folder / f"{flows.name}-{number:04d}.npy"
        if not path.exists():
            size = data.SIZES[number % len(data.SIZES)]
            records = []
            for index in range(data.SHARD):
                rng = np.random.default_rng([seed, number, index])
                scene = draw_scene(rng, size, flows, bank)
                records.append(
                    data.make_record(scene, rng, lambda rgb: estimated_nearness(depth_network, rgb))
                )
            data.write_shard(path, records)
        yield path
