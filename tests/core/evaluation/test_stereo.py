from pathlib import Path

import cv2
import numpy as np
import torch

from cine3d_core.build import PRESETS, SceneParts, scene_from_parts
from cine3d_core.evaluation import metrics, photos, stereo
from cine3d_core.evaluation.renderer import baselines
from cine3d_core.geometry import photo_camera
from cine3d_core.motion.direct import still_motion
from cine3d_core.render.animation import AnimationParams, prepare
from cine3d_core.render.decode import pass_through
from cine3d_core.scene import DepthMap
from tests.river import texture

HEIGHT, WIDTH, FAR, NEAR = 60, 96, 2, 8


def made_up_pair() -> stereo.StereoPair:
    """A square 8 px of disparity before a wall with 2: whole pixels, so the truth is exact."""
    wall, square = texture(HEIGHT, WIDTH + 20, 1), texture(HEIGHT, WIDTH, 2)
    inside = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    inside[:, 20:40, 40:60] = True
    left = torch.where(inside, square, wall[:, :, :WIDTH])
    moved = inside.roll(-NEAR, dims=2)
    right = torch.where(moved, square.roll(-NEAR, dims=2), wall[:, :, FAR : WIDTH + FAR])
    disparity = torch.where(inside, float(NEAR), float(FAR))
    return stereo.StereoPair("made-up", left, right, disparity, torch.ones_like(inside))


def test_the_hidden_part_of_the_right_view_lies_beside_what_is_near():
    seen, hidden = stereo.seen_from_right(made_up_pair())
    assert int(hidden[0, 30].sum()) == NEAR - FAR
    assert bool(hidden[0, 30, 52:58].all()) and not bool(hidden[0, 10].any())
    assert not bool((seen | hidden)[0, :, WIDTH - FAR :].any())


def test_the_right_view_of_exact_depth_is_the_right_picture():
    pair = made_up_pair()
    camera, unit = photo_camera(HEIGHT, WIDTH), float(pair.disparity.max())
    depth = DepthMap(unit / pair.disparity, torch.zeros_like(pair.disparity))
    parts = SceneParts(pair.left, depth, still_motion(pair.left), camera)
    scene = prepare(scene_from_parts(parts, PRESETS["default"], num_frames=2, fps=25.0))
    draw = baselines.symmetric(scene, AnimationParams(), pass_through)
    view = draw(stereo._beside(camera, unit), 0)
    seen, _ = stereo.seen_from_right(pair)
    error = metrics.masked_mean(metrics.squared_error(view, pair.right), seen)
    assert metrics.psnr(error) > 26


def test_a_pair_is_read_and_reduced(tmp_path: Path):
    pair = made_up_pair()
    for name, picture in (("left", pair.left), ("right", pair.right)):
        values = (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), values[:, :, ::-1])
    disparity = pair.disparity[0].numpy().astype(np.uint8)
    disparity[:5] = 0
    cv2.imwrite(str(tmp_path / "disparity.png"), disparity)
    files = (tmp_path / "left.png", tmp_path / "right.png", tmp_path / "disparity.png")
    read = stereo.read_pair(*files, max_side=48)
    assert read.left.shape == (3, 30, 48)
    assert float(read.disparity[0, 15, 25]) == NEAR / 2
    assert not bool(read.known[0, 0, 0]) and float(read.disparity.min()) > 0


def test_rows_of_photographs_make_one_sheet():
    grey = torch.ones(3, 30, 40)
    sheet = photos.photo_sheet([{"a": 0.2 * grey, "depth": 0.4 * grey}, {"b": 0.6 * grey}])
    assert sheet.shape == (3, 2 * (20 + 240 + 6), 640)
    for level, rows, columns in (
        (0.2, slice(20, 260), slice(0, 320)),
        (0.4, slice(20, 260), slice(320, 640)),
        (0.6, slice(286, 526), slice(0, 320)),
        (1.0, slice(286, 526), slice(320, 640)),  # nothing
    ):
        assert (sheet[:, rows, columns] - level).abs().max() < 1 / 255, level
