"""The published stages against the original program; tolerances from README.md."""

import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cine3d_core.cameras import move_camera
from cine3d_core.geometry import photo_camera
from cine3d_core.moves import PUBLISHED, PUBLISHED_MOVES
from cine3d_core.official import depth_bins, euler, hints, lift, masked_ops
from cine3d_core.official.flow_post import flow_from_prediction
from cine3d_core.official.layering import sequential_inpainting
from cine3d_core.scene import MotionHint
from tests.golden.filler import golden, golden_tensors
from tests.golden.test_networks import filled

STEPS = 60


@pytest.mark.parametrize("field", ["gentle", "strong", "swirl", "masked"])
def test_euler_integration_matches_both_ways(field):
    expected = golden_tensors("euler")
    flow = expected[f"{field}_M"][0]
    for direction, path in (("fwd", euler.trace(flow, STEPS)), ("bwd", euler.trace(-flow, STEPS))):
        for time in expected["t"].tolist():
            steps = time if direction == "fwd" else STEPS - time
            displacement = euler.displacement_after(path, steps)
            close(displacement, expected[f"{field}_{direction}_t{time}"][0], 1e-4)
    assert not euler.displacement_after(euler.trace(flow, STEPS), 0).any()


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def drawn_hints() -> tuple[MotionHint, ...]:
    shapes = json.loads(str(golden("hints")["labelme_json"]))["shapes"]
    lines = [shape["points"] for shape in shapes if shape["label"].startswith("hint")]
    return tuple(MotionHint((a[0], a[1]), (b[0], b[1])) for a, b in lines)


@pytest.mark.parametrize("index", range(3))
def test_dense_hint_matches(index):
    expected = golden_tensors("hints")
    mask, size = expected["mask_png"][None] > 0, int(expected["W"])
    radius = float(expected[f"sigma_{index}"])
    close(hints.dense_hint(drawn_hints(), mask, radius, size), expected[f"hint_{index}"], 1e-5)
    close(hints.grid_mask(mask, size), expected["mask_out"], 1e-5)


def test_hint_radius_range_matches():
    expected = golden("hints")
    assert hints.hint_radius_range(72, 3) == tuple(expected["sigma_range"])
    assert hints.hint_radius_range(720, 11) == tuple(expected["demo1_sigma_range"])


def test_flow_post_processing_matches():
    expected = golden_tensors("flow_post")
    height, width = int(expected["h"]), int(expected["w"])
    mask = expected["mask"][None]
    flow = flow_from_prediction(expected["pred_motion"], mask, height=height, width=width)
    close(flow, expected["flow"], 1e-5)


@pytest.mark.parametrize("picture", ["standin", "ramp", "twoplane", "tilt"])
def test_depth_and_bins_match(picture):
    expected = golden("depth_bins")
    depth = depth_bins.depth_from_disparity(expected[f"{picture}_png16"])
    extremes = [float(depth.min()), float(depth.max())]
    np.testing.assert_allclose(extremes, expected[f"{picture}_depth_minmax"], rtol=1e-5)
    bins = depth_bins.depth_bins(depth)
    np.testing.assert_allclose(bins, expected[f"{picture}_bins"], rtol=1e-5)


def test_masked_diffusion_matches_after_one_and_seven_rounds():
    expected = golden_tensors("masked_ops")
    for rounds, name, mask_name in (
        (1, "smooth1", "smooth1_mask"),
        (7, "diffuse7_k15", "diffuse7_mask"),
    ):
        plan = masked_ops.plan_diffusion(expected["mask"], rounds=rounds)
        close(masked_ops.diffused(expected["value"], plan), expected[name], 1e-5)
        close(plan.mask, expected[mask_name], 1e-5)


def test_morphology_median_and_box_match():
    expected = golden_tensors("masked_ops")
    mask, depth = expected["mask"], expected["depth"]
    for size in (5, 10):
        assert torch.equal(masked_ops.eroded(mask, size), expected[f"erosion{size}"].float())
    assert torch.equal(masked_ops.opened(mask, 3), expected["opening3"].float())
    close(masked_ops.masked_median(depth * mask, mask), expected["median11"], 1e-5)
    close(masked_ops.refined_depth(depth, mask), expected["refined"], 1e-5)
    box = masked_ops.inpainting_box(expected["bbox_in"].float())
    assert torch.equal(box, expected["bbox"].float())


def test_unprojection_and_clamp_match():
    expected = golden_tensors("unproject")
    points = lift.unprojected(expected["coords"].T, expected["depth"], expected["K"])
    close(points.T, expected["pts"], 1e-5)
    close(lift.clamped_depth(expected["scale_shift_in"]), expected["scale_shift_out"], 1e-5)


def test_lifted_points_and_their_features_match():
    expected = golden_tensors("lift")
    seen = expected["mask_layers"][:, 0].float()
    rgba, depth = expected["rgba_layers"][:, 0], expected["depth_layers"][:, 0]
    displacement = expected["flow"].permute(0, 3, 1, 2)
    moving = (displacement != 0).any(1, keepdim=True)
    points = lift.layer_points(depth, seen > 0, rgba[:, 3] > 0.5, moving)
    moved = lift.moved_points(points, displacement, expected["intrinsic"][0])
    merged = lift.merged_features(expected["featmaps"], seen)
    for index in range(2):
        rows, one = moved.inside & (points.layer == index), slice(index, index + 1)
        kept = points.pixel[rows]
        close(moved.positions[rows], expected[f"pts_end_{index}"], 1e-4)
        close(rgba[index].flatten(1)[:, kept].T, expected[f"rgbas_end_{index}"], 1e-4)
        features = lift.point_features(expected["featmaps"][one], merged, seen[one])
        close(features[0, ::4].flatten(1)[:, kept].T, expected[f"feats_end_{index}"], 1e-4)


@pytest.mark.parametrize("name", PUBLISHED_MOVES)
def test_camera_paths_match(name):
    expected, key = golden_tensors("trajectories"), name.replace("-", "_")
    wanted = expected[f"{key}_pose4x4"]
    count = len(wanted)
    poses = [
        move_camera(photo_camera(36, 64), PUBLISHED + name, frame, count).world_to_camera
        for frame in range(count)
    ]
    close(torch.stack(poses), wanted, 1e-12)


def test_layering_matches():
    expected = golden_tensors("layering")
    depth = depth_bins.depth_from_disparity(golden("layering")["png16"])
    bins = depth_bins.depth_bins(depth)
    np.testing.assert_allclose(bins, golden("layering")["bins"], rtol=1e-5)
    rgb = expected["rgb_u8"].float() / 255
    nets = filled("inpaint_color"), filled("inpaint_depth")
    layers = sequential_inpainting(rgb, depth, bins, *nets)
    for actual, name in ((layers.rgba[:, 3:], "alpha"), (~layers.inpainted, "mask")):
        wrong = actual.float() != expected[name][:, 0]
        assert wrong.float().mean() <= 1e-3
    assert_close(layers.depth, expected["depth"][:, 0], rtol=1e-3, atol=1e-6)
    close(layers.rgba[:, :3, ::2, ::2], expected["rgb_stride2"][:, 0], 1e-3)
