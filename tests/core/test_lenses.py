"""No named move shows a hole at the border, whatever the lens and the picture's shape."""

import os
from pathlib import Path

import pytest
import torch

from cine3d_core.build import (
    PRESETS,
    BuildSettings,
    SceneParts,
    scene_from_parts,
)
from cine3d_core.families import build_scene
from cine3d_core.geometry import photo_camera
from cine3d_core.moves import CAMERA_MOVES, PUBLISHED
from cine3d_core.output.clip import frame_drawer, open_camera_path, shot_of
from cine3d_core.render.decoder_choice import without_features
from cine3d_core.scene import CinemagraphScene, DepthMap, MotionField
from tests.river import river_depth, texture

ROOT = Path(__file__).parents[2]
FRAMES = 12
MOVES = [move for move in CAMERA_MOVES if not move.startswith(PUBLISHED)]


def scene_of_lens(height: int, width: int, lens_mm: float) -> CinemagraphScene:
    depth = river_depth(height, width) / 1.5  # a post at depth 1
    still = torch.zeros(1, height, width)
    motion = MotionField(still.repeat(2, 1, 1), still > 0, still.short() + 1)
    camera = photo_camera(height, width, lens_mm / 36 * max(height, width))
    parts = SceneParts(texture(height, width, seed=1), DepthMap(depth, still), motion, camera)
    return without_features(
        scene_from_parts(parts, PRESETS["default"], num_frames=FRAMES, fps=25.0)
    )


def uncovered(scene: CinemagraphScene) -> tuple[float, float]:
    """Worst share of a frame with alpha under .999, and least alpha at the frame's border."""
    draw = frame_drawer(scene, torch.device("cpu"), decoder="none")
    share, least = 0.0, 1.0
    for move in MOVES:
        path = open_camera_path(scene, move, None)
        for frame in (4, FRAMES // 2, FRAMES - 1):
            alpha = draw(shot_of(path, frame), frame, False).alpha[0]
            share = max(share, float((alpha < 0.999).float().mean()))
            sides = alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]
            least = min(least, *(float(side.min()) for side in sides))
    return share, least


@pytest.mark.parametrize("lens_mm", [14, 85, 400])
@pytest.mark.parametrize("size", [(64, 96), (96, 64), (40, 120)])
def test_every_move_is_covered_for_every_lens(size: tuple[int, int], lens_mm: float) -> None:
    share, least = uncovered(scene_of_lens(*size, lens_mm))
    assert least >= 0.999 and share == 0


@pytest.mark.parametrize("photo", ["tests/bridge/photo.jpg", "tests/truth_textures/fog.jpg"])
def test_every_move_of_a_photograph_is_covered(photo: str) -> None:
    """Built with nothing drawn; by the networks that the project ships."""
    scene = build_scene(ROOT / photo, BuildSettings(size=240, frames=FRAMES))
    share, least = uncovered(without_features(scene))
    assert share == 0 and least >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grass-85mm", "print-with-margin", "brook-with-scan-frame"])
def test_cases(name: str) -> None:
    """With CINE3D_CASES the folder of the pictures."""
    folder = os.environ.get("CINE3D_CASES")
    if folder is None:
        pytest.skip("CINE3D_CASES names no folder")
    share, _ = uncovered(build_scene(Path(folder, f"{name}.jpg"), BuildSettings(size=480)))
    assert share == 0  # grass: .075 when moves were scene units
