"""What the hand draws becomes regions and strokes; what the worker answers becomes a picture."""

import bpy
import numpy as np
import pytest

from blender_addon.direct import (
    direct_content,
    drawn_view,
    hand,
    live,
    live_shader,
    live_view,
    tool,
)
from tests.blender.synthetic_scene import show

pytestmark = pytest.mark.blender

SQUARE = [(0.25, 0.5), (0.5, 0.5), (0.5, 0.75), (0.25, 0.75)]


@pytest.fixture
def root(scene):
    return show(scene, width=160, height=80)[0]


def motion(root, owner):
    """An answer of the worker in which every region that was sent is the one of its number."""
    owner = np.array(owner, np.uint8)
    sure = np.full(owner.shape, 255, np.uint8)
    arrays = {"owner": owner, "sure": sure, "depth": np.full(owner.shape, 2.0, np.float32)}
    count = len(root.cine3d_direct.regions)
    return live.Motion(root.session_uid, tuple(range(count)), 12, (), (), 0.0, arrays)


def test_a_brush_stroke_covers_what_is_within_its_width():
    outlines = hand.brush_outlines([(0.2, 0.5), (0.6, 0.5)], 0.1, (200, 100))
    for place, covered in (
        ((0.4, 0.5), True),
        ((0.4, 0.59), True),  # the width is a share of the long side
        ((0.4, 0.62), False),
        ((0.17, 0.5), True),  # its ends are round
        ((0.13, 0.5), False),
    ):
        assert any(hand.encloses(one, place) for one in outlines) == covered, place


def test_a_track_is_simplified_no_farther_than_asked():
    turns = np.linspace(0, 3, 200)
    track = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    few = hand.simplified(track, 0.01)
    assert len(few) < 20 and (few[0] == track[0]).all() and (few[-1] == track[-1]).all()
    gaps = np.abs(np.linalg.norm((few[:-1] + few[1:]) / 2, axis=1) - 1)
    assert gaps.max() <= 0.011


def test_an_arrow_goes_to_the_region_it_starts_in_or_makes_one(root):
    direct = root.cine3d_direct
    tool.add_arrow(bpy.context, root, (0.1, 0.1), (0.2, 0.1))
    assert [region.place for region in direct.regions] == ["ARROWS"]
    direct.new_region("Water").set_outlines([SQUARE])
    tool.add_arrow(bpy.context, root, (0.3, 0.6), (0.4, 0.6))
    assert len(direct.regions) == 2 and len(direct.regions[1].arrow_list()) == 1
    direct.regions[1].rests = True
    tool.add_arrow(bpy.context, root, (0.3, 0.6), (0.4, 0.6))
    assert len(direct.regions) == 3  # what rests takes no arrow


def test_the_worker_says_which_region_an_arrow_stands_in(root):
    tool.add_arrow(bpy.context, root, (0.1, 0.1), (0.2, 0.1))
    live.state.motion = motion(root, [[1, 1], [0, 255]])  # bottom row first
    assert live.owner_at(root, (0.2, 0.9)) == 0 and live.owner_at(root, (0.2, 0.1)) is None
    tool.add_arrow(bpy.context, root, (0.6, 0.9), (0.7, 0.9))
    assert len(root.cine3d_direct.regions) == 1
    assert len(root.cine3d_direct.regions[0].arrow_list()) == 2
    live.forget()


def test_painting_adds_to_what_moves_and_stops_what_rests(root):
    direct, settings = root.cine3d_direct, bpy.context.scene.cine3d_tool
    for _ in range(2):
        tool.paint(bpy.context, root, "MOVES", [(0.2, 0.5), (0.6, 0.5)], 0.1)
    assert len(direct.regions) == 1 and len(direct.regions[0].outline_list()) == 2
    tool.paint(bpy.context, root, "RESTS", [(0.2, 0.5), (0.6, 0.5)], 0.1)
    settings.to_edges = True
    for kind in ("MOVES", "RESTS"):
        tool.paint(bpy.context, root, kind, [(0.2, 0.5), (0.6, 0.5)], 0.1)
    assert [stroke.label for stroke in direct.strokes] == ["FREEZE", "MOVES", "RESTS"]
    settings.to_edges = False


def test_a_clicked_thing_is_a_region_or_a_part_of_the_active_one(root):
    direct = root.cine3d_direct
    tool.add_thing(root, "ARROW", "water", "flow", [SQUARE])
    tool.add_thing(root, "RESTS", "thing", "flow", [SQUARE])
    assert [(r.name, r.rests) for r in direct.regions] == [("Water", False), ("Thing", True)]
    direct.active = 0
    tool.add_thing(root, "MOVES", "thing", "flow", [SQUARE])
    assert len(direct.regions) == 2 and len(direct.regions[0].outline_list()) == 2
    assert hand.region_drawn_at(direct, (0.3, 0.6)) == 1  # the later one lies over the other


def test_the_build_is_told_which_networks_outlined_what_was_clicked_on(root):
    water = tool.add_thing(root, "ARROW", "water", "flow", [SQUARE])
    assert direct_content.clicked_with(root) == []
    water.found_by = "sam-2.1-tiny"
    tool.add_thing(root, "RESTS", "thing", "flow", [SQUARE]).found_by = "see"
    assert direct_content.clicked_with(root) == ["sam-2.1-tiny", "see"]


def test_a_stroke_that_mends_the_depth_is_sent_beside_the_drawing(root):
    for mend in ("NEARER", "STAND", "AS-FAR-AS"):
        tool.mend_depth(root, mend, [(0.1, 0.5), (0.2, 0.5), (0.5, 0.5)], 0.1)
    nearer, stand, like = direct_content.content(root)["depth"]
    assert nearer["mend"] == "nearer" and stand["mend"] == "stand" and len(stand["points"]) == 3
    assert like["mend"] == "as-far-as" and like["like"] == [16.0, 40.0]
    assert like["points"] == [[80.0, 40.0]] and like["width"] == pytest.approx(16)
    before = direct_content.content(root)
    direct_content.take(root, direct_content.sent(root)["drawing"])
    assert direct_content.content(root) == before  # a file of arrows leaves the depth alone


def test_the_eraser_takes_what_it_touches_and_nothing_else(root):
    direct, size = root.cine3d_direct, (160, 80)
    tool.add_arrow(bpy.context, root, (0.1, 0.1), (0.2, 0.1))
    tool.paint(bpy.context, root, "RESTS", [(0.7, 0.7), (0.8, 0.7)], 0.02)
    assert hand.erase(direct, [(0.5, 0.5)], 0.05, size) == 0
    assert hand.erase(direct, [(0.2, 0.12)], 0.05, size) == 1
    assert direct.regions[0].is_empty() and len(direct.strokes) == 1
    assert hand.erase(direct, [(0.8, 0.7)], 0.05, size) == 1 and not direct.strokes


def test_a_handle_moves_one_end_of_one_arrow(root):
    tool.add_arrow(bpy.context, root, (0.1, 0.1), (0.2, 0.1))
    tool.move_handle(root, (0, 0, 1), (0.2, 0.3))
    assert root.cine3d_direct.regions[0].arrow_list() == [(0.1, 0.1, 0.2, 0.3)]


def test_the_surface_lies_on_the_photo_at_its_depth(root):
    depth = np.linspace(1, 3, 16 * 32).reshape(16, 32).astype(np.float32)
    lens, size = root.cine3d.intrinsics, root.cine3d.photo_size
    places, where, triangles = live_view.surface_of(depth, lens, size)
    assert triangles.max() == len(places) - 1
    from blender_addon.scene.motion_plane import photo_position

    for index in (0, len(places) // 2, len(places) - 1):
        x, y = photo_position(root, places[index])
        np.testing.assert_allclose((x, 1 - y), where[index], atol=1e-5)
    middle = places[triangles].mean(1)[:, 1]
    assert (np.diff(middle) <= 1e-6).all()  # far ones are drawn first


def test_regions_are_tinted_in_their_colours(root):
    direct = root.cine3d_direct
    for _ in range(2):
        direct.new_region().set_outlines([SQUARE])
    direct.regions[1].visible = False
    tint = live_view.tint_of(motion(root, [[0, 1], [2, 255]]), direct.regions, 0.2)
    last = len(tint) - 1
    assert tint[0, 0, 3] == 0 and tint[last, 0, 3] == 0 and 0 < tint[last, last, 3] < 0.2
    np.testing.assert_allclose(tint[0, last], (*direct.regions[0].colour, 0.2), atol=1e-6)


def test_what_is_not_sure_is_tinted_faintly_and_borders_are_lines():
    owner = live_shader.owner_enlarged(np.array([[0, 1], [0, 1]], np.uint8))
    sure = np.ones(owner.shape, np.float32)
    sure[0] = 0
    tint = live_shader.tint_of(owner, sure, [(1, (1.0, 0.0, 0.0))], 0.2)
    assert 0 < tint[0, -1, 3] < tint[-1, -1, 3] < tint[-1, owner.shape[1] // 2, 3]


def test_the_flow_is_enlarged_without_slowing_at_its_border():
    flow = np.zeros((4, 6, 4), np.float32)
    flow[:, 3:] = (0.25, -0.5, 1.0, 3.0)
    fine = live_shader.flow_enlarged(flow)
    moves = fine[..., 2] > 0.5
    assert moves[:, 6:].all() and not moves[:, :6].any()
    np.testing.assert_allclose(fine[moves][:, :2], np.tile((0.25, -0.5), (moves.sum(), 1)))
    assert (fine[moves][:, 3] == 3).all()


def test_an_arrow_says_its_speed(root):
    region = root.cine3d_direct.new_region()
    region.speed, root.cine3d.choices.fps = 2.0, 25.0
    # a tenth of the long side in 50 frames, twice as fast: a tenth in a second
    assert drawn_view.speed_of(root, region, (0.2, 0.5, 0.3, 0.5)) == pytest.approx(10.0)
    assert drawn_view.speed_of(root, region, (0.2, 0.5, 0.2, 0.7)) == pytest.approx(10.0)


def test_the_active_region_says_how_sure_it_is(root):
    region = root.cine3d_direct.new_region("Water")
    region.set_arrows([(0.1, 0.1, 0.2, 0.1)])
    live.state.motion = motion(root, [[0, 1], [0, 1]])
    assert drawn_view.sure_of_active(root) == ""
    live.state.motion.arrays["sure"][:, 1] = 204
    assert drawn_view.sure_of_active(root) == "Water: 80% sure"
    live.forget()
