"""The measures of `cine3d evaluate notes`, on made-up notes whose scores are known."""

import math

import numpy as np
import pytest

from cine3d_core.errors import InputError
from cine3d_core.evaluation.notes import arrows, depth_order, outlines, scores
from cine3d_core.evaluation.notes.places import values_at
from cine3d_core.evaluation.notes.records import LABELS, parse_notes
from cine3d_core.evaluation.notes.seen import Seen
from cine3d_core.evaluation.notes.trivial import blind

WATER, FALLS, SKY = LABELS.index("water"), LABELS.index("falls"), LABELS.index("sky")


def box(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def region(label: str, *corners: int) -> dict:
    return {"class": label, "polygon": box(*corners)}


def ramp(height: int = 240, width: int = 320) -> np.ndarray:
    """Nearer to the right."""
    return np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))


def test_a_place_is_the_mean_of_the_pixels_round_it_and_of_fewer_at_the_border():
    plane = np.arange(20.0).reshape(4, 5)
    places = np.array([[500.0, 500.0], [0.0, 0.0], [1000.0, 1000.0]])
    inner, corner, last = plane[1:4, 1:4].mean(), plane[:2, :2].mean(), plane[2:, 3:].mean()
    assert values_at(plane, places).tolist() == [inner, corner, last]


def test_ranks_do_not_know_scale_shift_and_size():
    one, other = depth_order.ranks(ramp()), depth_order.ranks(7 * ramp(480, 640) - 3)
    assert one[0, 0] == 0 and one[0, -1] > 0.99 and abs(one[0, 160] - 0.5) < 0.01
    assert np.abs(other[::2, ::2] - one).max() < 0.01


def test_a_flat_sky_has_rank_0_whatever_it_is_called():
    for farthest in (0.0, 0.025, 1638.4, 1 / 3):
        disparity = ramp(683, 1023) + np.float32(farthest)
        disparity[:300] = farthest
        assert depth_order.ranks(disparity)[:300].max() == 0


def test_pairs_count_in_order_and_the_hard_ones_apart():
    notes = parse_notes(
        "p",
        {
            "order": [
                {"near": [900, 100], "far": [100, 900]},  # right, hard: the nearer one is higher
                {"near": [100, 500], "far": [900, 500]},  # wrong, hard: as high
                {"near": [600, 900], "far": [300, 100]},  # right, not hard
            ],
            "same": [{"a": [500, 0], "b": [510, 1000]}, {"a": [100, 500], "b": [300, 500]}],
        },
    )
    found = depth_order.score_depth(notes, ramp())
    assert found.right.tolist() == [True, False, True] and found.hard.tolist() == [1, 1, 0]
    assert found.gaps == pytest.approx([0.01, 0.2], abs=0.01)
    many = depth_order.summarise_depth([found, found])
    assert (many.order, many.hard, many.torn) == pytest.approx((2 / 3, 1 / 2, 1 / 2))
    assert (many.pairs, many.hard_pairs, many.same_pairs) == (6, 4, 4)
    assert math.isnan(many.levels) and math.isnan(many.levels_order)


def test_levels_are_correlated_by_rank_and_compared_where_one_is_half_as_far_again():
    places = [[100, 500], [400, 500], [700, 500], [950, 500]]
    levels = {"points": places, "levels": [0, 10, 60, 50]}
    found = depth_order.score_depth(parse_notes("p", {}, levels), ramp())
    assert found.correlation == pytest.approx(0.8)  # 1 - 6 * (1 + 1) / (4 * 15)
    assert (found.levels_right, found.levels_all) == (5, 5)  # 60 and 50 have no order
    flat = depth_order.score_depth(parse_notes("p", {}, levels), np.ones((9, 9)))
    assert math.isnan(flat.correlation) and flat.levels_right == 0


def test_lower_is_nearer_gets_no_hard_pair_right():
    notes = parse_notes("p", {"order": [{"near": [500, 300], "far": [500, 800]}]})
    assert not scores.score_photo(notes, blind()).depth.right.any()


def test_right_labels_overlap_wholly_and_what_rests_is_cut_out():
    notes = parse_notes(
        "p",
        {
            "regions": [region("water", 0, 500, 1000, 1000), region("falls", 400, 200, 600, 700)],
            "rests": [{"polygon": box(100, 600, 300, 900)}],
        },
    )
    truth = outlines.paint(notes).labels
    assert truth[300, 384] == FALLS and truth[400, 150] == 0 and truth[500, 700] == WATER
    found = outlines.score_flowing(notes, truth, truth > 0)
    assert {thing: one.share for thing, one in found.overlap.items()} == {
        "water": 1,
        "falls": 1,
        "wet": 1,
    }
    assert found.moving == found.moving_rightly == found.noted > 0
    assert found.claimed == {"sky": False, "smoke": False, "fire": False}


def test_a_band_along_outlines_does_not_count():
    notes = parse_notes("p", {"regions": [region("water", 250, 250, 750, 750)]})
    truth = outlines.paint(notes)
    grown = np.zeros_like(truth.labels)
    grown[122:391, 186:582] = WATER  # 6 px beyond, of a band of 8
    assert outlines.score_flowing(notes, grown, None).overlap["water"].share == 1
    grown[100:412, 160:608] = WATER
    assert outlines.score_flowing(notes, grown, None).overlap["water"].share < 0.9


def test_falls_taken_for_water_are_wet_but_neither_falls_nor_water():
    notes = parse_notes("p", {"regions": [region("falls", 200, 0, 800, 1000)]})
    labels = np.where(outlines.paint(notes).labels > 0, WATER, 0).astype(np.uint8)
    found = outlines.score_flowing(notes, labels, None)
    assert found.overlap["falls"].share == 0 and found.overlap["wet"].share == 1
    assert found.claimed["water"] and "wet" not in found.claimed


def test_a_claim_counts_from_two_hundredths_of_the_picture_on():
    notes = parse_notes("p", {})
    labels = np.zeros((100, 100), np.uint8)
    labels[0, :] = SKY
    assert not outlines.score_flowing(notes, labels, None).claimed["sky"]
    labels[:4] = SKY
    assert outlines.score_flowing(notes, labels, None).claimed["sky"]


def test_purity_is_of_what_moves_and_swaying_grass_is_noted_as_moving():
    notes = parse_notes(
        "p", {"regions": [region("water", 0, 0, 500, 500), region("sway", 0, 500, 500, 1000)]}
    )
    moving = np.zeros((512, 768), bool)
    moving[:, :384] = moving[:256] = True  # water, grass, and as much of what rests
    found = outlines.score_flowing(notes, moving.astype(np.uint8), moving)
    many = outlines.summarise_flowing(
        [found, outlines.score_flowing(notes, 0 * moving.astype(np.uint8), 0 * moving)]
    )
    assert many.purity == pytest.approx(2 / 3, abs=0.02) and many.with_motion == 1
    assert many.moved == pytest.approx(1 / 2, abs=0.01)  # all in the one, nothing in the other


def arrow(x: int, y: int, dx: int, dy: int) -> dict:
    return {"start": [x, y], "end": [x + dx, y + dy]}


def test_angles_are_those_in_the_picture_and_what_rests_is_wrong():
    notes = parse_notes("p", {"flow": [arrow(300, 500, 100, 100), arrow(800, 500, 100, 0)]})
    flow = np.zeros((100, 200, 2), np.float32)
    flow[:, :100] = (0.0, 0.5)  # down; the first arrow is (20, 10) px here
    found = arrows.score_arrows(notes.arrows, flow)
    assert found.angles[0] == pytest.approx(63.43, abs=0.01) and math.isnan(found.angles[1])
    flow[:, :100] = (0.5, 0.0)
    many = arrows.summarise_arrows([arrows.score_arrows(notes.arrows, flow)])
    assert (many.moves, many.within45, many.arrows) == (0.5, 0.5, 2)
    assert many.median_angle == pytest.approx(26.57, abs=0.01)


def test_angles_go_round():
    notes = parse_notes("p", {"flow": [arrow(500, 500, -100, 5)]})
    flow = np.tile(np.float32([-1.0, -0.05]), (100, 100, 1))
    assert arrows.score_arrows(notes.arrows, flow).angles[0] == pytest.approx(5.72, abs=0.02)


def two_regions() -> dict:
    return {
        "regions": [region("water", 0, 500, 1000, 1000), region("falls", 400, 0, 600, 480)],
        "flow": [
            arrow(500, 100, 0, 90),
            arrow(200, 700, 90, 0),
            arrow(500, 300, 20, 90),
            arrow(605, 200, 0, 90),  # just beside the falls
            arrow(100, 200, 90, 0),  # in no outline
        ],
    }


def test_one_arrow_of_each_region_is_given_and_the_others_scored():
    notes = parse_notes("p", two_regions())
    assert arrows.regions_of_arrows(notes).tolist() == [1, 0, 1, 1, -1]
    given, others = arrows.given_arrows(notes)
    assert given.tolist() == [0, 1] and others.tolist() == [2, 3]
    straight = arrows.score_straight_on(notes, 100, 100)
    assert straight.angles == pytest.approx([12.53, 0], abs=0.01)


def test_nothing_is_given_where_no_region_has_a_second_arrow():
    notes = parse_notes("p", {**two_regions(), "flow": [arrow(500, 100, 0, 90)]})
    assert [one.size for one in arrows.given_arrows(notes)] == [0, 0]


def perfect(notes) -> Seen:
    labels = outlines.paint(notes).labels
    flow = np.zeros((*labels.shape, 2), np.float32)
    flow[..., 1] = 1
    return Seen(ramp(), labels, labels > 0, flow, flow)


def test_the_numbers_stand_under_the_names_that_were_agreed():
    notes = parse_notes("p", two_regions(), {"points": box(1, 1, 999, 999), "levels": [1, 9, 9, 4]})
    one = scores.summarise([scores.score_photo(notes, perfect(notes))])
    content = scores.as_json(one, scores.summarise([scores.score_blind(notes, blind())]))
    agreed = "order hard torn levels iou.sky iou.water iou.falls iou.wet iou.smoke false.sky"
    agreed += " false.wet purity flow.moves flow.within45"
    assert set(agreed.split()) <= set(content)
    assert content["iou.wet"] == 1 and content["iou.sky"] is None and content["false.sky"] == 0
    assert content["flow.within45"] == 0.6 and content["n"]["flow.within45"] == 5
    assert content["flow.one_arrow"] == 1 and content["trivial"]["flow.within45"] == 0.4
    text = scores.table(one, one, method="found")
    assert "| 0.600 | 0.600 | 5 arrows |" in text and text.count("\n") == len(scores.ROWS) + 1


def test_the_worse_of_two_photographs_is_told():
    notes = parse_notes("p", two_regions())
    good, bad = perfect(notes), blind()
    assert scores.badness(scores.score_photo(notes, good)) < 0.25
    assert scores.badness(scores.score_photo(notes, bad)) > 0.5
    assert "false sky" in scores.faults(scores.score_photo(notes, bad))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"regions": [region("lava", 0, 0, 9, 9)]}, "outline lava; known are sky"),
        ({"order": [{"near": [1, 2]}]}, "lacks 'far'"),
        ({"same": [{"a": [1, 2], "b": [1, 4000]}]}, "outside the picture"),
        ({"flow": [{"start": [1, 2], "end": "there"}]}, "cannot be read"),
        ({"rests": 7}, "cannot be read"),
    ],
)
def test_notes_that_are_none_are_refused_in_one_sentence(content: dict, said: str):
    with pytest.raises(InputError, match=said):
        parse_notes("p", content)


def test_levels_must_fit_their_points():
    with pytest.raises(InputError, match="2 points have 1 levels"):
        parse_notes("p", {}, {"points": [[1, 1], [2, 2]], "levels": [3]})
