import torch

from cine3d_core.imaging.push_pull import push_pull, push_pull_torch


def scattered(height: int, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(3, height, width, generator=generator)
    weights = torch.rand(1, height, width, generator=generator)
    return values, torch.where(weights > 0.8, torch.ones(()), weights * (weights > 0.6))


def test_the_compiled_pyramid_equals_its_torch_twin():
    for size in ((37, 53), (64, 64), (1, 9), (5, 1)):
        values, weights = scattered(*size, seed=1)
        torch.testing.assert_close(
            push_pull(values, weights), push_pull_torch(values, weights), atol=1e-5, rtol=0
        )


def test_known_values_stay_and_a_constant_goes_on():
    values, weights = scattered(31, 40, seed=2)
    known = weights[0] == 1
    assert torch.equal(push_pull(values, weights)[:, known], values[:, known])
    torch.testing.assert_close(
        push_pull(torch.full((1, 31, 40), 0.3), weights), torch.full((1, 31, 40), 0.3)
    )


def test_one_known_pixel_fills_the_picture():
    weights = torch.zeros(1, 33, 20)
    weights[0, 7, 3] = 1
    values = torch.rand(1, 33, 20, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(push_pull(values, weights), values[:, 7, 3].expand(1, 33, 20))


def test_nothing_known_gives_zeros():
    assert float(push_pull(torch.ones(2, 9, 9), torch.zeros(1, 9, 9)).abs().max()) == 0


def test_the_input_is_left_alone():
    values, weights = scattered(16, 16, seed=4)
    before = values.clone(), weights.clone()
    push_pull(values, weights)
    assert torch.equal(values, before[0])
    assert torch.equal(weights, before[1])


def test_gradients_reach_the_values():
    values, weights = scattered(12, 12, seed=5)
    push_pull(values.requires_grad_(), weights).sum().backward()
    assert values.grad is not None
    assert float(values.grad.sum()) > 3 * 143
