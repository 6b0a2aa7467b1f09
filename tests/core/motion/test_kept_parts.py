"""Between two strokes only what they change is worked out; the answer is that of a new start."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import torch

from cine3d_core.motion.direct import Directed, FlowTask, Keep, anew, direct_regions
from cine3d_core.motion.flow import MotionParams
from cine3d_core.scene import DepthMap, Drawing, MotionHint, MotionRegion, Stroke
from cine3d_core.worker.kept import KeptParts

HEIGHT, WIDTH = 60, 100
LEFT = MotionRegion(
    (((5.0, 10.0), (45.0, 10.0), (45.0, 50.0), (5.0, 50.0)),),
    hints=(MotionHint((25.0, 30.0), (35.0, 30.0)),),
    name="left",
)
RIGHT = MotionRegion(
    (((55.0, 10.0), (95.0, 10.0), (95.0, 50.0), (55.0, 50.0)),),
    hints=(MotionHint((75.0, 30.0), (75.0, 40.0)),),
)
ACROSS = Stroke(((10.0, 30.0), (20.0, 30.0)), 6.0)
SPEEDS = MotionParams()


class Asked:
    """A refiner that counts how often it is asked, and changes nothing."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, task: FlowTask) -> torch.Tensor:
        self.times += 1
        return task.base


def direct(
    drawing: Drawing,
    kept: KeptParts | None,
    asked: Asked,
    photo: str = "a",
    known: Keep = anew,
) -> Directed:
    rgb = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    depth = DepthMap(torch.full((1, HEIGHT, WIDTH), 2.0), torch.zeros(1, HEIGHT, WIDTH))
    known = known if kept is None else kept.of(photo)
    return direct_regions(rgb, depth, drawing, SPEEDS, refine=asked, keep=known)


def same(one: Directed, other: Directed) -> bool:
    pairs = [(one.owner, other.owner), (one.motion.velocity, other.motion.velocity)]
    pairs += [(one.motion.moving, other.motion.moving), (one.motion.cycles, other.motion.cycles)]
    return all(torch.equal(a, b) for a, b in pairs) and one.assumed == other.assumed


def test_a_stroke_in_one_region_does_not_solve_the_other_again() -> None:
    kept, asked, fresh = KeptParts(), Asked(), Asked()
    turned = replace(RIGHT, hints=(MotionHint((75.0, 30.0), (85.0, 30.0)),))
    steps = [
        (Drawing(regions=(LEFT, RIGHT)), 2),
        (Drawing(regions=(LEFT, turned)), 3),
        (Drawing(regions=(LEFT, turned), freeze=(ACROSS,)), 4),
        (Drawing(regions=(replace(LEFT, name="river"), turned), freeze=(ACROSS,)), 4),
        (Drawing(regions=(replace(LEFT, speed=2.0), turned), freeze=(ACROSS,)), 5),
        (Drawing(regions=(LEFT, RIGHT)), 5),  # undone
    ]
    for drawing, solved in steps:
        assert same(direct(drawing, kept, asked), direct(drawing, None, fresh))
        assert asked.times == solved


def test_what_an_arrow_stands_on_is_found_once_wherever_it_points() -> None:
    kept, asked, fresh = KeptParts(), Asked(), Asked()
    made: list[Hashable] = []

    def known(key: Hashable, make: Callable[[], Any]) -> Any:
        def counted() -> Any:
            made.append(key[0] if isinstance(key, tuple) else key)
            return make()

        return kept.of("a")(key, counted)

    for end in ((60.0, 50.0), (50.0, 45.0), (60.0, 50.0)):
        drawing = Drawing(hints=(MotionHint((50.0, 50.0), end),))
        assert same(direct(drawing, None, asked, known=known), direct(drawing, None, fresh))
    assert made == ["base", "motion", "motion"]


def test_scribbles_are_looked_at_again_where_they_change() -> None:
    kept, asked, fresh = KeptParts(), Asked(), Asked()
    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[:, 10:50, 5:45] = True
    plain = Drawing(mask=mask, hints=LEFT.hints)
    for drawing in (
        plain,
        replace(plain, rests=(ACROSS,)),
        replace(plain, rests=(replace(ACROSS, width=12.0),)),
        replace(plain, mask=mask.roll(4, 2), rests=(ACROSS,)),
        plain,
    ):
        assert same(direct(drawing, kept, asked), direct(drawing, None, fresh))


def test_another_photo_forgets_the_one_before() -> None:
    kept, asked = KeptParts(), Asked()
    drawing = Drawing(regions=(LEFT,))
    for photo, times in (("a", 1), ("a", 1), ("b", 2), ("a", 3)):
        direct(drawing, kept, asked, photo)
        assert asked.times == times


def test_no_more_parts_are_kept_than_asked_for() -> None:
    kept = KeptParts(most=2)
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    get = kept.of("a")
    for number in (1, 2, 1, 3, 1, 2):
        assert get(number, lambda number=number: make(number)) == number
    assert made == [1, 2, 3, 2]
