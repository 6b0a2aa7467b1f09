"""Training pairs of the renderer out of scenes with known truth (`synthetic.truth_folder`).

The still with its true depth and flow is splatted as in use, and asked for the true frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.render.animation import AnimationParams
from cine3d_core.synthetic.truth_folder import DISOCCLUDED, OUTSIDE, TruthScene, read_frame
from cine3d_core.training.render.data import SCENE_PREFIX, RenderPair, write_pair
from cine3d_core.training.render.pairs import (
    FrameSetup,
    PairParams,
    patches,
    splatted,
    with_pixel_grid,
)

# Fluid that is carried farther than this share of the picture within a loop shows, in mid-loop,
# hardly anything of the still: there is little to learn from it.
FAST, FAST_WEIGHT = 0.2, 0.2


def pairs_of_scene(
    truth: TruthScene, params: PairParams, generator: np.random.Generator
) -> Iterator[RenderPair]:
    """Patches of all true frames of a scene."""
    parts = SceneParts(truth.rgb, truth.depth, truth.motion, truth.camera)
    stages = replace(PRESETS["default"], features=False, decoder=False)
    scene = scene_from_parts(parts, stages, num_frames=truth.num_frames, fps=truth.fps)
    prepared = with_pixel_grid(scene)
    for moment in truth.moments:
        setup = FrameSetup(prepared, prepared, truth.shot(moment), moment.frame, AnimationParams())
        frame, true = splatted(setup), read_frame(truth, moment)
        unknown = (true.regions == DISOCCLUDED) | (true.regions == OUTSIDE)
        known = frame.seen * ~unknown
        if _is_fast(truth):
            known = known * (1 - (1 - FAST_WEIGHT) * frame.planes[5:6])
        frame = replace(frame, seen=known)
        # The truth is complete also where the still shows nothing: patches need to show less.
        lenient = replace(params, least_seen=0.5)
        yield from patches(setup, frame, true.rgb, lenient, generator)


def _is_fast(truth: TruthScene) -> bool:
    speed = truth.motion.velocity.norm(dim=0)[truth.motion.moving[0]]
    if not len(speed):
        return False
    return float(speed.median()) * truth.num_frames > FAST * truth.camera.width


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
