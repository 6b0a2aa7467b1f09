"""The rows of the tables by name: ours, the paper's preset, ablations and baselines.

Renderer-only rows get the scene's true depth and true flow. End-to-end rows get the still alone,
or the still and one arrow in each moving region; their camera's moves are scaled by the median
ratio of the depth to the true one, so that they mean the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import torch

from cine3d_core.build import (
    PRESETS,
    SceneParts,
    StageParams,
    direct_photo,
    scene_from_parts,
    scene_of,
)
from cine3d_core.evaluation.renderer import baselines
from cine3d_core.evaluation.renderer.baselines import Clip, Draw
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import Photo
from cine3d_core.motion.direct import still_motion
from cine3d_core.motion.flow import HINT_FRAMES
from cine3d_core.render.animation import AnimationParams, PreparedScene, Shot, prepare
from cine3d_core.render.blend import BlendParams
from cine3d_core.render.decode import pass_through
from cine3d_core.render.decoder_choice import open_decoder
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import Camera, CinemagraphScene, Drawing, MotionHint
from cine3d_core.settings import BuildSettings
from cine3d_core.synthetic.truth_folder import TruthScene


@dataclass(frozen=True)
class Bench:
    """One truth scene with what several rows build from it, each built once."""

    truth: TruthScene

    @property
    def clip(self) -> Clip:
        """The loop."""
        return Clip(self.truth.num_frames, self.truth.fps)

    @property
    def parts(self) -> SceneParts:
        """The still with its true depth and flow."""
        truth = self.truth
        return SceneParts(truth.rgb, truth.depth, truth.motion, truth.camera)

    @cached_property
    def ours(self) -> PreparedScene:
        """The scene as `cine3d build` makes it."""
        return prepare(self.scene(PRESETS["default"]))

    @cached_property
    def naive(self) -> PreparedScene:
        """One point per pixel."""
        return prepare(baselines.naive_scene(self.parts, self.clip))

    def scene(self, params: StageParams) -> CinemagraphScene:
        """A scene from the truth."""
        return scene_from_parts(
            self.parts, params, num_frames=self.truth.num_frames, fps=self.truth.fps
        )


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    title: str
    make: Callable[[Bench], Draw]
    networks: tuple[str, ...] = ()  # models that may take part


def _shipped(prepared: PreparedScene, params: AnimationParams | None = None) -> Draw:
    """What `cine3d render` draws."""
    decoder = open_decoder(prepared.scene, Networks(), torch.device("cpu"))

    def draw(shot: Shot, frame: int) -> torch.Tensor:
        return render_frame(prepared, shot, frame, decoder=decoder, params=params).rgb

    return draw


def _ours(bench: Bench) -> Draw:
    return _shipped(bench.ours)


def _paper(bench: Bench) -> Draw:
    return _shipped(prepare(bench.scene(PRESETS["paper"])))


def _no_decoder(bench: Bench) -> Draw:
    return baselines.symmetric(bench.ours, AnimationParams(), pass_through)


def _no_features(bench: Bench) -> Draw:
    params = replace(PRESETS["default"], features=False)
    return _shipped(prepare(bench.scene(params)))


def _no_inpainting(bench: Bench) -> Draw:
    default = PRESETS["default"]
    params = replace(default, inpainting=replace(default.inpainting, band=0.0))
    return _shipped(prepare(bench.scene(params)))


def _no_backing_layer(bench: Bench) -> Draw:
    params = replace(PRESETS["default"], bed=False)
    return _shipped(prepare(bench.scene(params)), AnimationParams(draw_torn=True))


def _no_symmetric(bench: Bench) -> Draw:
    decoder = open_decoder(bench.ours.scene, Networks(), torch.device("cpu"))
    return baselines.forward_only(bench.ours, AnimationParams(), decoder)


def _no_surface_flow(bench: Bench) -> Draw:
    return _shipped(bench.ours, AnimationParams(lift="source"))


def _eq4(bench: Bench) -> Draw:
    return _shipped(bench.ours, AnimationParams(blend=BlendParams("eq4")))


def _naive(bench: Bench) -> Draw:
    return baselines.forward_only(bench.naive, baselines.EQ4, baselines.leave_black)


def _naive_symmetric(bench: Bench) -> Draw:
    return baselines.symmetric(bench.naive, baselines.EQ4, baselines.leave_black)


def _naive_filled(bench: Bench) -> Draw:
    return baselines.symmetric(bench.naive, baselines.EQ4, pass_through)


def _animation_then_view(bench: Bench) -> Draw:
    return baselines.animation_then_view(bench.parts, bench.clip)


def _view_then_animation(bench: Bench) -> Draw:
    return baselines.view_then_animation(bench.parts, bench.clip, moving_average=False)


def _view_then_animation_averaged(bench: Bench) -> Draw:
    return baselines.view_then_animation(bench.parts, bench.clip, moving_average=True)


def _photo(bench: Bench) -> Draw:
    return lambda shot, frame: bench.truth.rgb


def _frozen(bench: Bench) -> Draw:
    parts = replace(bench.parts, motion=still_motion(bench.truth.rgb))
    scene = scene_from_parts(
        parts, PRESETS["default"], num_frames=bench.truth.num_frames, fps=bench.truth.fps
    )
    return _shipped(prepare(scene))


def _end_to_end(bench: Bench) -> Draw:
    return _estimated(bench, region_arrows(bench.truth))


def _end_to_end_alone(bench: Bench) -> Draw:
    return _estimated(bench, Drawing())


def _estimated(bench: Bench, drawing: Drawing) -> Draw:
    """What `cine3d build` makes of the still, drawn where the camera is on its moves."""
    built = built_scene(bench.truth, drawing)
    shipped = _shipped(prepare(built.scene))
    return lambda shot, frame: shipped(scaled_shot(shot, built.unit), frame)


@dataclass(frozen=True)
class BuiltScene:
    """A scene that knows nothing of the truth."""

    scene: CinemagraphScene
    unit: float  # length of the true scene's unit in this scene's units


def built_scene(truth: TruthScene, drawing: Drawing) -> BuiltScene:
    """The scene of the still as `build_scene` makes it, told the still's lens and frames alone."""
    height, width = truth.rgb.shape[1:]
    photo = Photo(truth.rgb, None, float(truth.camera.intrinsics[0, 0]), "", height, width)
    settings = BuildSettings(frames=truth.num_frames, fps=truth.fps)
    networks = Networks()
    directed = direct_photo(photo, drawing, settings, networks)
    unit = float((directed.depth.depth / truth.depth.depth).median())
    return BuiltScene(scene_of(directed, settings, networks), unit)


def scaled_shot(shot: Shot, unit: float) -> Shot:
    """The same views of a world that is `unit` times as large."""

    def scaled(camera: Camera) -> Camera:
        pose = camera.world_to_camera.clone()
        pose[:3, 3] *= unit
        return replace(camera, world_to_camera=pose)

    return Shot(scaled(shot.camera), scaled(shot.previous), scaled(shot.next))


def region_arrows(truth: TruthScene) -> Drawing:
    """One arrow in each moving region, where it is widest, with the true flow there."""
    moving = truth.motion.moving[0].numpy()
    count, labels = cv2.connectedComponents(moving.astype(np.uint8), connectivity=4)
    hints = []
    for label in range(1, count):
        region = labels == label
        if region.sum() < 0.002 * region.size:  # a speck that nobody would draw an arrow in
            continue
        row, column = _widest(region)
        velocity = truth.motion.velocity[:, row, column]
        start = (float(column) + 0.5, float(row) + 0.5)
        x, y = (a + HINT_FRAMES * float(v) for a, v in zip(start, velocity, strict=True))
        hints.append(MotionHint(start, (x, y)))
    return Drawing(hints=tuple(hints))


def _widest(region: np.ndarray) -> tuple[int, int]:  # [H, W] bool
    """Row and column farthest from a region's edge; the picture's border counts as one."""
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(row), int(column)


_FILL = ("inpainting",)
_DRAWN = (*_FILL, "features", "decoder")
_GUESSED = (*_DRAWN, "depth", "fluid", "motion")

ROWS: dict[str, Row] = {
    "photo": Row("the still itself, unchanged", _photo),
    "frozen": Row("the still from the right place, nothing flows", _frozen, _DRAWN),
    "2d-nvs": Row("2D animation -> novel view", _animation_then_view, _FILL),
    "nvs-2d": Row("novel view -> 2D animation", _view_then_animation, _FILL),
    "nvs-2d-ma": Row("the same + moving average", _view_then_animation_averaged, _FILL),
    "naive-pc": Row("naive point cloud", _naive),
    "naive-pc-3dsa": Row("the same + 3D symmetric animation", _naive_symmetric),
    "naive-pc-3dsa-filled": Row("the same, holes filled from around", _naive_filled),
    "ours": Row("ours, compact networks", _ours, _DRAWN),
    "ours-paper": Row("ours, preset paper", _paper, _DRAWN),
    "no-decoder": Row("ours without decoder", _no_decoder, _FILL),
    "no-features": Row("ours without features", _no_features, _DRAWN),
    "no-inpainting": Row("ours without inpainting", _no_inpainting, _DRAWN),
    "no-bed": Row("ours without the backing layer", _no_backing_layer, _DRAWN),
    "no-symmetric": Row("ours without symmetric animation", _no_symmetric, _DRAWN),
    "no-surface-flow": Row("ours without surface-following flow", _no_surface_flow, _DRAWN),
    "eq4": Row("ours with the blend of Eq. 4", _eq4, _DRAWN),
}
END_TO_END: dict[str, Row] = {
    "end-to-end": Row("end to end, an arrow per moving region", _end_to_end, _GUESSED),
    "end-to-end-alone": Row("end to end, the still alone", _end_to_end_alone, _GUESSED),
}
ALL_ROWS = ROWS | END_TO_END
