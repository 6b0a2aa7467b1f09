import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cine3d_core.motion.euler import (
    MAX_KEYS,
    advance_torch,
    displacement_at,
    displacement_keys,
    integrate,
)


def grid_points(height: int, width: int) -> torch.Tensor:  # [H*W, 2] pixel centres
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def smooth_field(height: int, width: int, *, layers: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(layers, 2, 4, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")


def rotation(size: int, radians: float) -> torch.Tensor:  # [1, 2, size, size]
    centre = size / 2
    offset = grid_points(size, size).T.reshape(2, size, size) - centre
    return torch.stack([-offset[1], offset[0]])[None] * radians


def test_zero_velocity_moves_nothing():
    points = grid_points(6, 9)
    assert torch.equal(integrate(points, torch.zeros(1, 2, 6, 9), 12.5), torch.zeros(54, 2))


@given(steps=st.floats(0, 40), u=st.integers(-3, 3), v=st.integers(-3, 3))
@settings(max_examples=30, deadline=None)
def test_uniform_velocity_gives_n_times_v_inside_and_outside_the_canvas(steps, u, v):
    velocity = torch.tensor([u, v]).float()[None, :, None, None].expand(1, 2, 8, 8)
    moved = integrate(grid_points(8, 8), velocity, steps)
    expected = torch.tensor([u * steps, v * steps], dtype=torch.float32)
    torch.testing.assert_close(moved, expected.expand(64, 2), rtol=1e-5, atol=1e-5)


@given(time=st.floats(0, 60), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_keys_give_the_same_bits_as_the_direct_way(time, seed):
    velocity, points = smooth_field(20, 30, seed=seed), grid_points(20, 30)
    keys = displacement_keys(points, velocity, 60)
    assert torch.equal(displacement_at(keys, time), integrate(points, velocity, time))


def test_the_order_in_which_moments_are_asked_for_does_not_matter():
    keys = displacement_keys(grid_points(12, 12), smooth_field(12, 12), 30)
    times = [0.0, 7.5, 29.0, 30.0, 3.25]
    once = {t: displacement_at(keys, t) for t in times}
    assert all(torch.equal(once[t], displacement_at(keys, t)) for t in reversed(times))


@pytest.mark.parametrize("num_steps", [0, 1, 15, 16, 17, 60, 90, 1000])
def test_the_number_of_keys_is_bounded_whatever_the_length(num_steps):
    points, velocity = grid_points(3, 3), smooth_field(3, 3)
    keys = displacement_keys(points, velocity, num_steps)
    assert len(keys.keys) <= MAX_KEYS + 1
    assert (len(keys.keys) - 1) * keys.stride <= num_steps
    last = displacement_at(keys, num_steps)
    assert torch.equal(last, integrate(points, velocity, num_steps))


def test_an_answer_does_not_share_memory_with_the_keys():
    keys = displacement_keys(grid_points(4, 4), smooth_field(4, 4), 8)
    displacement_at(keys, 0).fill_(9)
    assert displacement_at(keys, 0).abs().max() == 0


def test_forward_then_backward_returns_to_the_start():
    velocity = smooth_field(64, 80) * 0.1
    start = grid_points(64, 80)
    there = start + integrate(start, velocity, 10)
    back = there + integrate(there, -velocity, 10)
    assert (back - start).abs().max() < 0.05


def test_a_small_rotation_follows_the_circle():
    angle, steps = 0.002, 100
    start = torch.tensor([[42.0, 32.0], [32.0, 20.0]])
    end = start + integrate(start, rotation(64, angle), steps) - 32
    turn = torch.tensor(angle * steps)
    expected = torch.stack(
        [
            (start[:, 0] - 32) * turn.cos() - (start[:, 1] - 32) * turn.sin(),
            (start[:, 0] - 32) * turn.sin() + (start[:, 1] - 32) * turn.cos(),
        ],
        -1,
    )
    # Euler's method spirals outward by radius * angle^2 * steps / 2
    assert (end - expected).abs().max() < 12 * angle**2 * steps / 2 * 1.1


def test_each_point_follows_the_field_of_its_own_layer():
    velocity = torch.stack([torch.full((2, 5, 5), 1.0), torch.full((2, 5, 5), -2.0)])
    layer = torch.tensor([0, 1, 1], dtype=torch.int16)
    moved = integrate(torch.full((3, 2), 2.5), velocity, 3, layer=layer)
    assert moved[:, 0].tolist() == [3.0, -6.0, -6.0]


def test_points_beyond_the_border_keep_drifting_with_the_border_velocity():
    velocity = torch.zeros(1, 2, 4, 4)
    velocity[:, 0, :, 3] = 1.5
    moved = integrate(torch.tensor([[3.5, 1.5], [9.0, -4.0]]), velocity, 10)
    assert moved.tolist() == [[15.0, 0.0], [15.0, 0.0]]


@given(seed=st.integers(0, 9), steps=st.floats(0, 30), width=st.sampled_from([1, 2, 17]))
@settings(max_examples=20, deadline=None)
def test_the_compiled_kernel_equals_its_torch_twin(seed, steps, width):
    velocity = smooth_field(11, width, layers=2, seed=seed)
    points = grid_points(11, width)
    layer = torch.arange(len(points)) % 2
    zero, whole = torch.zeros_like(points), math.floor(steps)
    field = velocity.permute(0, 2, 3, 1).contiguous()
    twin = advance_torch(points, zero, field, layer, whole, steps - whole)
    compiled = integrate(points, velocity, steps, layer=layer)
    torch.testing.assert_close(compiled, twin, rtol=1e-5, atol=1e-5)


def test_twice_the_resolution_gives_twice_the_displacement():
    # a linear field, away from the border: there bilinear enlargement is exact
    start = torch.tensor([[16.0, 20.0], [12.5, 13.0], [20.0, 18.25]])
    small = integrate(start, rotation(32, 0.02), 8)
    large = integrate(2 * start, rotation(64, 0.02), 8)
    torch.testing.assert_close(large, 2 * small, rtol=1e-5, atol=1e-5)


def test_no_points_is_a_valid_cloud():
    keys = displacement_keys(torch.zeros(0, 2), torch.zeros(1, 2, 4, 4), 10)
    assert displacement_at(keys, 4.5).shape == (0, 2)
