"""What must hold for any numbers, on examples that hypothesis seeks."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from cine3d_core.files.scene.camera_json import checked_matrices
from cine3d_core.geometry import default_intrinsics, photo_camera, project, unproject
from cine3d_core.layers.cut import LayeringParams, build_layers, disparity_cuts, layer_index
from cine3d_core.scene import Camera
from cine3d_core.worker.protocol import read_message, write_message

FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
angles = st.floats(-3, 3)
metres = st.floats(-5, 5)


def turned_camera(yaw: float, pitch: float, place: tuple[float, float, float]) -> Camera:
    c, s, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    turn = turn @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = torch.from_numpy(turn), torch.tensor(place, dtype=torch.float64)
    return Camera(default_intrinsics(40, 60, 70.0), pose, 40, 60)


@FEW
@given(angles, angles, st.tuples(metres, metres, metres), st.floats(0.1, 100), st.integers(0, 9))
def test_a_pixel_comes_back_from_any_depth_before_any_camera(
    yaw: float, pitch: float, place: tuple[float, float, float], far: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(30, 2, generator=generator, dtype=torch.float64) * 60
    depth = torch.rand(30, generator=generator, dtype=torch.float64) * far + 0.1
    camera = turned_camera(yaw, pitch, place)
    back, back_depth = project(unproject(pixels, depth, camera), camera)
    torch.testing.assert_close(back, pixels, atol=1e-6, rtol=0)
    torch.testing.assert_close(back_depth, depth, atol=0, rtol=1e-9)


@FEW
@given(angles, angles, st.tuples(metres, metres, metres))
def test_any_rigid_camera_is_accepted_from_json(
    yaw: float, pitch: float, place: tuple[float, float, float]
) -> None:
    camera = turned_camera(yaw, pitch, place)
    entry = {
        "K": camera.intrinsics.tolist(),
        "world_to_camera": camera.world_to_camera.tolist(),
    }
    intrinsics, pose = checked_matrices(entry, "a camera")
    assert np.array_equal(intrinsics, camera.intrinsics)
    assert np.array_equal(pose, camera.world_to_camera)


def stepped_depth(seed: int, steps: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.rand(steps, generator=generator) * 8 + 1
    index = torch.randint(steps, (1, 12, 16), generator=generator)
    return levels[index] + torch.rand(1, 12, 16, generator=generator) * 0.01


@FEW
@given(st.integers(0, 50), st.integers(1, 6), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_layers_do_not_depend_on_the_unit_of_depth(seed: int, steps: int, unit: float) -> None:
    disparity = 1 / stepped_depth(seed, steps)
    params = LayeringParams()
    here = layer_index(disparity, disparity_cuts(disparity, params))
    there = layer_index(disparity * unit, disparity_cuts(disparity * unit, params))
    assert torch.equal(here, there)


@FEW
@given(st.integers(0, 50), st.integers(1, 6))
def test_every_pixel_is_in_one_layer_and_layers_go_from_near_to_far(seed: int, steps: int) -> None:
    depth = stepped_depth(seed, steps)
    layers = build_layers(torch.rand(3, 12, 16), depth, LayeringParams())
    alpha = layers.rgba[:, 3]
    assert torch.equal(alpha.sum(dim=0), torch.ones(12, 16))
    means = [float(depth[0][own > 0].mean()) for own in alpha]
    assert means == sorted(means)


@FEW
@given(
    st.dictionaries(
        st.text(max_size=8),
        arrays_of.arrays(
            st.sampled_from(["u1", "i2", "i8", "f4", "f8", "?"]),
            arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.dictionaries(
        st.sampled_from(["id", "name", "stage"]), st.one_of(st.integers(), st.text(max_size=9))
    ),
)
def test_any_message_arrives_as_it_was_sent(
    arrays: dict[str, np.ndarray], header: dict[str, object]
) -> None:
    pipe = io.BytesIO()
    write_message(pipe, "result", header, arrays)
    pipe.seek(0)
    message = read_message(pipe)
    assert message is not None and message.header == header
    assert list(message.arrays) == list(arrays)
    for name, array in arrays.items():
        assert message.arrays[name].tobytes() == array.tobytes()
        assert (message.arrays[name].dtype, message.arrays[name].shape) == (
            array.dtype,
            array.shape,
        )


@FEW
@given(st.integers(16, 4000), st.integers(16, 4000))
def test_the_middle_of_any_photo_is_straight_ahead(height: int, width: int) -> None:
    camera = photo_camera(height, width)
    pixel, _ = project(torch.tensor([[0.0, 0.0, 5.0]], dtype=torch.float64), camera)
    assert pixel.tolist() == [[width / 2, height / 2]]
