import numpy as np

from tests.golden.filler import converged, golden, net_input, official_shapes, value


def test_rule_reproduces_the_recorded_first_values():
    for name, expected in golden("rule_check").items():
        net, _, key = name.partition("|")
        actual = _recorded(net, key, len(expected))
        spectral = key.endswith(("weight_u", "weight_v"))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 if spectral else 0)


def _recorded(net: str, key: str, count: int) -> np.ndarray:
    if net == "input":
        return net_input(key.replace("|", "/"), 16).numpy()
    shapes = official_shapes()[net]
    array = value(net, key, shapes[key])
    if key.endswith(("weight_u", "weight_v")):
        stem = key[:-1]
        weight = value(net, stem + "orig", shapes[stem + "orig"])
        array = converged(weight, value(net, stem + "u", shapes[stem + "u"]))[key.endswith("v")]
    return array.reshape(-1)[:count]
