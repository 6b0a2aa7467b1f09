import pytest
import torch
from torch.testing import assert_close

from cine3d_core.official.blend import blend, blend_weights
from tests.golden.filler import golden_tensors
from tests.golden.test_networks import close, filled, net_input

GOLDEN = golden_tensors("blend")
DISPARITIES = (GOLDEN["disp1"], GOLDEN["disp2"])
ALPHAS = (GOLDEN["alpha1"], GOLDEN["alpha2"])


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(("kind", "factor"), [("dec", 1.0), ("direct", 4.0)])
def test_blend_weights_match(kind, factor, index):
    time = float(GOLDEN["times"][index])
    weights = blend_weights(DISPARITIES, ALPHAS, time, factor)
    for side, weight in enumerate(weights, 1):
        assert_close(weight, GOLDEN[f"{kind}_w{side}_{index}"], rtol=1e-6, atol=1e-6)


def test_blend_weights_follow_a_learned_factor():
    weight, _ = blend_weights(DISPARITIES, ALPHAS, 0.25, torch.tensor(0.7))
    assert_close(weight, GOLDEN["dec07_w1_1"], rtol=1e-6, atol=1e-6)


def splat(key: str, height: int, width: int) -> torch.Tensor:
    x = net_input(key, 1, 37, height, width)
    for channels in (slice(0, 3), slice(36, 37)):
        x[:, channels] = x[:, channels] * 0.5 + 0.5
    x[:, 3] = (x[:, 3] + 0.6).clamp(0, 1)
    return x


@pytest.mark.parametrize(
    ("names", "size", "result"),
    [(("x0", "x1"), (64, 64), "y_64"), (("o0", "o1"), (50, 70), "y_odd_50x70")],
)
def test_blend_then_decoder_match(names, size, result):
    net = filled("img_decoder")
    forward, backward = (splat(f"decoder/{name}", *size) for name in names)
    picture = net(blend(forward, backward, 0.3, net.alpha))
    close(picture, golden_tensors("net_decoder")[result], 1e-3)
