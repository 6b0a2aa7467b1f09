"""Training pairs of the renderer out of scenes with known truth (`evaluation.scenes`).

The still with its true depth and flow is splatted as in use, and asked for the true frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cine3d_core.animation import AnimationParams, prepare
from cine3d_core.evaluation.scenes import DISOCCLUDED, OUTSIDE, TruthScene, read_frame
from cine3d_core.pipeline import PRESETS, SceneParts, scene_from_parts
from cine3d_core.training.render import SCENE_PREFIX
from cine3d_core.training.render_data import RenderPair, write_pair
from cine3d_core.training.render_pairs import PairParams, Sight, patches, splatted


def pairs_of_scene(
    truth: TruthScene, params: PairParams, generator: np.random.Generator
) -> Iterator[RenderPair]:
    """Patches of all true frames of a scene."""
    parts = SceneParts(truth.rgb, truth.depth, truth.motion, truth.camera)
    scene = scene_from_parts(parts, PRESETS["default"], num_frames=truth.num_frames, fps=truth.fps)
    prepared = prepare(replace(scene, cloud=_without_features(scene.cloud)))
    for moment in truth.moments:
        sight = Sight(prepared, prepared, truth.shot(moment), moment.frame, AnimationParams())
        frame, true = splatted(sight), read_frame(truth, moment)
        unknown = (true.regions == DISOCCLUDED) | (true.regions == OUTSIDE)
        frame = replace(frame, seen=frame.seen * ~unknown)
        # The truth is complete also where the still shows nothing: patches need to show less.
        lenient = replace(params, least_seen=0.5)
        yield from patches(sight, frame, true.rgb, lenient, generator)


def _without_features(cloud):  # noqa: ANN001, ANN202
    return replace(cloud, features=torch.zeros(len(cloud.pixel), 0))


def write_scenes(
    scenes: list[TruthScene], data: Path, params: PairParams, *, seed: int
) -> Iterator[Path]:
    """Writes the pairs of all scenes, yields the folders; leaves what exists as it is."""
    for truth in scenes:
        folder = data / f"{SCENE_PREFIX}-{truth.name}"
        finished = folder / "finished"
        if not finished.exists():
            folder.mkdir(parents=True, exist_ok=True)
            generator = np.random.default_rng([seed, truth.seed])
            for count, pair in enumerate(pairs_of_scene(truth, params, generator)):
                write_pair(folder / f"{count:04d}.npz", pair)
            finished.touch()
        yield folder
