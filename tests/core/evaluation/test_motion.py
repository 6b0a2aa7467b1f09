"""Scores of flows."""

import numpy as np
import pytest

from cine3d_core.evaluation.motion import (
    FlowScores,
    arrow_everywhere,
    best_constant,
    class_flow,
    fit_class_constants,
    ratio,
    score_flow,
    table,
    with_directions_of,
)
from cine3d_core.motion.guidance import Arrows
from cine3d_core.synthetic.flow_pictures import FlowScene
from cine3d_core.synthetic.flows import SKY, WATER
from cine3d_core.training.motion.data import Shards, make_record


def two_regions() -> FlowScene:
    """Slow sky above fast water."""
    kind = np.zeros((40, 60), np.uint8)
    kind[:15], kind[20:] = SKY, WATER
    flow = np.zeros((40, 60, 2), np.float32)
    flow[:15], flow[20:] = (0.1, 0), (0, 2)
    rgb = np.zeros((40, 60, 3), np.uint8)
    return FlowScene(rgb, kind, flow, np.zeros((40, 60), np.float32), "river")


def test_the_truth_has_no_error():
    scene = two_regions()
    scores = score_flow(scene.flow, scene)
    assert scores.endpoint == 0 and scores.angle_deg == pytest.approx(0, abs=0.05)


def test_rest_is_wrong_by_the_mean_speed_of_each_region():
    scene = two_regions()
    scores = score_flow(np.zeros_like(scene.flow), scene)
    assert scores.endpoint == pytest.approx(1) and scores.angle_deg == 90


def test_one_arrow_per_region_explains_uniform_regions():
    scene = two_regions()
    arrows = Arrows(np.array([[30.5, 5.5], [30.5, 30.5]]), np.array([[0.1, 0], [0, 2.0]]))
    np.testing.assert_allclose(arrow_everywhere(scene, arrows), scene.flow, atol=1e-6)


def test_bounds_borrow_one_half_of_the_truth():
    scene = two_regions()
    sideways = np.roll(scene.flow, 1, axis=-1)
    np.testing.assert_allclose(with_directions_of(scene.flow, 3 * sideways), 3 * scene.flow)
    assert score_flow(with_directions_of(sideways, scene.flow), scene).angle_deg == 90
    np.testing.assert_allclose(best_constant(scene), scene.flow, atol=1e-6)


def test_constants_per_class_are_found_in_training_data():
    record = make_record(two_regions(), np.random.default_rng(0), lambda rgb: 0 * rgb[:1])
    constants = fit_class_constants(Shards((np.stack([record]),)))
    np.testing.assert_allclose(constants["sky"], (0.1 / 60, 0), rtol=1e-2, atol=1e-6)
    found = class_flow(two_regions(), constants)
    np.testing.assert_allclose(found, two_regions().flow, rtol=1e-2, atol=1e-4)


def test_a_ratio_comes_with_its_interval():
    half = [("sky", FlowScores(0.5 * e, 0, 0)) for e in (0.9, 1.0, 1.1)]
    whole = [("sky", FlowScores(e, 0, 0)) for e in (0.9, 1.0, 1.1)]
    scores = {"a": half, "b": whole}
    assert ratio(scores, "a", "b") == pytest.approx((0.5, 0.5, 0.5))
    assert "sky" in table(scores)
