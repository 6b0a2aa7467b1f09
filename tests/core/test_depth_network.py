import pytest
import torch
import torch.nn.functional as F

from cine3d_core.networks import depth


@pytest.fixture(scope="module")
def network() -> depth.DepthNetwork:
    torch.manual_seed(0)
    return depth.build().eval()


def photo(height: int, width: int) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def test_output_has_the_input_size_and_disparity_is_not_negative(network):
    with torch.no_grad():
        out = network(photo(64, 96)[None])
    assert out.shape == (1, 2, 64, 96)
    assert (out[:, 0] >= 0).all()


def test_prediction_is_stretched_to_unit_range(network):
    prediction = depth.predict(network, photo(60, 100), long_side=128)
    assert prediction.disparity.shape == prediction.sky.shape == (1, 64, 128)
    assert prediction.disparity.min() == 0 and prediction.disparity.max() == 1
    assert (prediction.sky > 0).all() and (prediction.sky < 1).all()


def test_same_photo_gives_the_same_bits(network):
    first = depth.predict(network, photo(60, 100), long_side=96)
    second = depth.predict(network, photo(60, 100), long_side=96)
    assert torch.equal(first.disparity, second.disparity)
    assert torch.equal(first.sky, second.sky)


def test_constant_picture_gives_finite_numbers(network):
    prediction = depth.predict(network, torch.zeros(3, 64, 64), long_side=64)
    assert prediction.disparity.isfinite().all() and prediction.sky.isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (1920, 1080), (500, 500), (10, 4000)])
def test_network_size_keeps_the_aspect_in_multiples_of_32(height, width):
    rows, columns = depth.network_size(height, width, long_side=512)
    assert rows % 32 == 0 and columns % 32 == 0 and max(rows, columns) == 512
    assert abs(rows - 512 * height / max(height, width)) <= 32


def test_batch_is_refused_with_a_sentence(network):
    with pytest.raises(ValueError, match=r"give one RGB picture as \[3, H, W\]"):
        depth.predict(network, torch.zeros(1, 3, 64, 64))


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    network = depth.build(decoder_widths=(16, 16, 8, 8, 8))
    network(photo(64, 64)[None].expand(2, -1, -1, -1)).square().mean().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # the expansion of a block can be dead at random start, but no layer kind may be cut off
    assert len(missing) < 5, missing


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_that_of_tensorflow(kernel, stride):
    torch.manual_seed(0)
    layer = depth.SamePaddedConv(3, 4, kernel, stride=stride, act=False).eval()
    x = photo(32, 32)[None]
    total = max((32 // stride - 1) * stride + kernel - 32, 0)
    pads = [total // 2, total - total // 2] * 2
    with torch.no_grad():
        expected = layer.norm(F.conv2d(F.pad(x, pads), layer.conv.weight, stride=stride))
        torch.testing.assert_close(layer(x), expected)


def original_names() -> list[str]:
    """Layer names of the ImageNet checkpoint, written out from its own scheme."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["_conv_stem.weight", *(f"_bn0.{part}" for part in norm)]
    for block in range(16):
        layers = ["_depthwise_conv.weight", "_project_conv.weight"]
        layers += [f"_bn{i}.{part}" for i in (1, 2) for part in norm]
        if block > 0:
            layers += ["_expand_conv.weight", *(f"_bn0.{part}" for part in norm)]
        names += [f"_blocks.{block}.{layer}" for layer in layers]
    return [
        *names,
        "_conv_head.weight",
        *(f"_bn1.{part}" for part in norm),
        "_fc.weight",
        "_fc.bias",
    ]


def test_imagenet_names_map_onto_the_whole_encoder():
    mapped = depth.encoder_state_from_imagenet({name: torch.zeros(()) for name in original_names()})
    assert set(mapped) == set(depth.EfficientNetLite0().state_dict())
