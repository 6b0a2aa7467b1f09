"""Rule-filled networks against the original program's outputs; tolerances from README.md."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from cine3d_core.networks.official import (
    discriminator,
    dpt,
    feature_net,
    image_decoder,
    inpainting_nets,
    motion_net,
)
from tests.golden.filler import (
    filled_state_dict,
    golden_tensors,
    net_input,
    official_shapes,
)

BUILDERS = {
    "feature_net": feature_net.build,
    "img_decoder": image_decoder.build,
    "netD": discriminator.build,
    "motion_netD": lambda: discriminator.build(in_channels=2),
    "motion_netG": motion_net.build,
    "dpt_hybrid": dpt.build,
    "inpaint_color": lambda: inpainting_nets.build(kind="color"),
    "inpaint_depth": lambda: inpainting_nets.build(kind="depth"),
}


def filled(name: str) -> nn.Module:
    net = BUILDERS[name]()
    net.load_state_dict(filled_state_dict(name), strict=True)
    return net.eval().requires_grad_(False)


def close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", BUILDERS)
def test_state_dict_has_exactly_the_official_names_and_shapes(name):
    actual = {key: tuple(t.shape) for key, t in BUILDERS[name]().state_dict().items()}
    assert actual == official_shapes()[name]


def test_feature_net_matches_for_batches_and_odd_sizes():
    net, expected = filled("feature_net"), golden_tensors("net_feature")
    x = net_input("feature/x", 2, 4, 64, 64) * 0.5 + 0.5
    close(net(x), expected["y_batch2"], 1e-3)
    close(net(x[:1]), expected["y_batch1"], 1e-3)
    odd = net_input("feature/odd", 1, 4, 60, 76) * 0.5 + 0.5
    close(net(odd), expected["y_odd_60x76"], 1e-3)


@pytest.mark.parametrize("name", ["netD", "motion_netD"])
def test_discriminators_match_in_every_layer(name):
    expected = golden_tensors(f"net_{name}")
    x = net_input(f"{name}/x", 1, 3 if name == "netD" else 2, 64, 64)
    for scale, layers in enumerate(filled(name)(x)):
        for index, layer in enumerate(layers):
            seen = layer if index == 4 else layer[:, ::16]
            close(seen, expected[f"s{scale}_l{index}"], 2e-3)


def motion_input() -> Tensor:
    x = net_input("motion/x", 1, 6, 256, 256)
    x[:, 3] = (x[:, 3] > 0).float()
    x[:, 4:] *= 2
    return x


def test_motion_net_matches_with_and_without_the_power_iteration():
    expected, x = golden_tensors("net_motion"), motion_input()
    state = filled_state_dict("motion_netG")
    still, iterated = motion_net.build(eval_iterations=0), motion_net.build()
    for net in (still, iterated):
        net.load_state_dict(state, strict=True)
        net.eval().requires_grad_(False)
    y_still, y_iterated = still(x), iterated(x)
    close(y_still[..., ::2, ::2], expected["y_eval_stride2"], 2e-3)
    close(y_iterated[..., ::8, ::8], expected["y_train_stride8"], 2e-3)
    assert (y_iterated - y_still).abs().max() < 2e-4
    assert torch.equal(iterated(x), y_iterated)


def test_motion_net_in_training_stores_its_power_iteration():
    net = motion_net.build()
    before = net.motion_predictor.conv1.weight_u.clone()
    net.train()(motion_input())
    assert not torch.equal(net.motion_predictor.conv1.weight_u, before)


def test_color_inpainting_matches():
    expected = golden_tensors("net_inpaint_color")
    context, hole = expected["context"].float(), expected["hole"].float()
    rgb = (net_input("color/rgb", 1, 3, 128, 128) * 0.5 + 0.5) * context
    close(filled("inpaint_color")(rgb, context, hole), expected["y"], 1e-3)


def test_depth_inpainting_matches_for_padded_sizes_too():
    net, expected = filled("inpaint_depth"), golden_tensors("net_inpaint_depth")
    context, hole = expected["context"].float(), expected["hole"].float()
    depth = net_input("depth/z", 1, 1, 128, 128) * 0.5 * context
    close(net(depth, context, hole), expected["y"], 1e-3)
    rows = [x[..., :100, :] for x in (depth, context, hole)]
    close(net(*rows), expected["y_odd_100x128"], 1e-3)


def test_foreign_mask_kernels_are_refused():
    state = filled_state_dict("inpaint_depth")
    state["enc_1.conv.mask_conv.weight"][0, 0, 0, 0] = 2
    with pytest.raises(RuntimeError, match="must be ones"):
        inpainting_nets.build(kind="depth").load_state_dict(state)


def test_dpt_matches_inside_and_at_the_end():
    net, expected = filled("dpt_hybrid"), golden_tensors("net_dpt")
    x = net_input("dpt/x", 1, 3, 64, 96)
    (first, second), tokens = net.pretrained.model(x)
    close(first[:, ::32], expected["act1"], 2e-3)
    close(second[:, ::64], expected["act2"], 2e-3)
    for name, actual in zip(("act3", "act4"), tokens, strict=True):
        close(actual[..., ::32], expected[name], 2e-3)
    assert_close(net(x), expected["y"], rtol=2e-3, atol=2e-3 * float(expected["y"].mean()))
