"""What people draw: hints in our JSON and in labelme's, and the options of a build."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from tests.faults.case import HEIGHT, WIDTH, Case, Command, Workshop

Make = Callable[[Workshop], Sequence[Command]]

AREA = {"label": "water", "points": [[0, 9], [30, 9], [30, 20]], "shape_type": "polygon"}
ARROW = {"label": "hint0", "points": [[4, 9], [20, 9]], "shape_type": "line"}
POLYGON = [[2, 9], [30, 9], [30, 20]]
DEEP = 100_000


def arrow(start: Any = (4, 9), end: Any = (20, 9)) -> dict[str, Any]:
    return {"hints": [{"start": start, "end": end}]}


def outline(*points: Any) -> dict[str, Any]:
    return {"mask": [list(points)]}


def star(corners: int) -> list[list[float]]:
    """A polygon that crosses itself."""
    turns = [4 * math.pi * i / corners for i in range(corners)]
    return [[16 + 10 * math.cos(a), 12 + 10 * math.sin(a)] for a in turns]


HINTS_REFUSED: dict[str, Any] = {
    "empty file": "",
    "half a file": '{"hints": [{"start"',
    "binary": bytes(range(256)),
    "UTF-16": json.dumps(arrow()).encode("utf-16"),
    "brackets by the hundred thousand": "[" * DEEP,
    "objects by the hundred thousand": '{"hints":' * DEEP,
    "list": [1, 2],
    "null": None,
    "number": 5,
    "words": '"hints"',
    "two objects": "{} {}",
    "empty object": {},
    "another program's": {"colour": "blue"},
    "hints of null": {"hints": None},
    "hints of an object": {"hints": {"start": [1, 2]}},
    "arrow of null": {"hints": [None]},
    "arrow without end": {"hints": [{"start": [1, 2]}]},
    "arrow of words": arrow(["a", 1]),
    "arrow of yes and no": arrow([True, False]),
    "arrow of null numbers": arrow([None, None]),
    "arrow with three coordinates": arrow([4, 9, 1]),
    "arrow of NaN": '{"hints": [{"start": [NaN, 1], "end": [2, 3]}]}',
    "arrow of infinity": '{"hints": [{"start": [Infinity, 1], "end": [2, 3]}]}',
    "arrow of 1e999": '{"hints": [{"start": [1e999, 1], "end": [2, 3]}]}',
    "arrow of a number with 5000 digits": '{"hints": [{"start": [%s, 1]}]}' % ("9" * 5000),
    "arrow of a number with 400 digits": arrow([10**400, 1]),
    "arrow outside": arrow([4, 9], [4, 900]),
    "arrow far to the left": arrow([-500, 9]),
    "arrow without length": arrow([4, 9], [4, 9]),
    "arrow shorter than a thousandth": arrow([4, 9], [4.0000001, 9]),
    "1001 arrows": {"hints": arrow()["hints"] * 1001},
    "outline of 2 points": outline([1, 1], [9, 9]),
    "outline on a line": outline([1, 1], [9, 9], [20, 20]),
    "outline of one point": outline([4, 4], [4, 4], [4, 4]),
    "outline outside": outline([100, 100], [120, 100], [120, 120]),
    "outline as wide as a continent": outline([-1e8, 3], [1e8, 3], [5, 20]),
    "outline of numbers": {"mask": [[1, 2, 3]]},
    "outlines of an object": {"mask": {"a": 1}},
    "outline smaller than a pixel": outline([5.6, 5.6], [5.9, 5.6], [5.9, 5.9]),
}
HINTS_SURVIVED: dict[str, Any] = {
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(arrow()).encode(),
    "a key twice": '{"hints": [], "hints": [{"start": [4, 9], "end": [20, 9]}]}',
    "numbers with fractions": arrow([4.25, 9.75], [20.1, 9.3]),
    "numbers in powers": '{"hints": [{"start": [4e0, 9E0], "end": [2.0e1, 9]}]}',
    "an arrow along the border": arrow([0, 0], [WIDTH, 0]),
    "an arrow half a pixel outside": arrow([-0.5, 9]),
    "an arrow across the whole picture": arrow([0, 0], [WIDTH, HEIGHT]),
    "two arrows against each other": {
        "hints": [
            {"start": [4, 9], "end": [20, 9]},
            {"start": [20, 9], "end": [4, 9]},
        ]
    },
    "the same arrow 1000 times": {"hints": arrow()["hints"] * 1000},
    "an outline alone": outline(*POLYGON),
    "an outline that crosses itself": outline(*star(5)),
    "an outline beyond the picture": outline([-50, -50], [90, -50], [90, 90], [-50, 90]),
    "an arrow outside its outline": {**arrow([4, 2], [8, 2]), **outline(*POLYGON)},
}
HINTS_EITHER: dict[str, Any] = {
    "no arrows and no outlines": {"hints": [], "mask": []},
    "unknown keys": {**arrow(), "comment": "mine", "version": 9},
    "an outline of 20000 points": outline(*star(19_999)),
    "an outline with points twice": outline(*POLYGON, *POLYGON),
}
LABELME_REFUSED: dict[str, Any] = {
    "shapes of null": {"shapes": None},
    "no shapes": {"shapes": []},
    "shape of null": {"shapes": [None]},
    "points of null": {"shapes": [{**ARROW, "points": None}]},
    "arrow of three points": {"shapes": [{**ARROW, "points": [[1, 1], [2, 2], [3, 3]]}]},
    "arrow of one point": {"shapes": [{**ARROW, "points": [[1, 1]]}]},
    "rectangle of three corners": {"shapes": [ARROW, {**AREA, "shape_type": "rectangle"}]},
    "circle without radius": {
        "shapes": [ARROW, {**AREA, "shape_type": "circle", "points": [[5, 5], [5, 5]]}]
    },
    "a kind of shape that is none": {"shapes": [ARROW, {**AREA, "shape_type": "spiral"}]},
    "a kind of shape that is a list": {"shapes": [ARROW, {**AREA, "shape_type": []}]},
    "a picture of another shape": {"shapes": [ARROW], "imageHeight": 900, "imageWidth": 30},
    "a picture of no pixels": {"shapes": [ARROW], "imageHeight": 0, "imageWidth": 0},
    "a picture of words": {"shapes": [ARROW], "imageHeight": "24", "imageWidth": "32"},
    "a picture of half a size": {"shapes": [ARROW], "imageHeight": 24},
    "a picture of absurd size": {"shapes": [ARROW], "imageHeight": 10**30, "imageWidth": 10**30},
}
LABELME_SURVIVED: dict[str, Any] = {
    "outlines without an arrow": {"shapes": [AREA], "imageHeight": HEIGHT, "imageWidth": WIDTH},
    "arrows and outlines": {"shapes": [AREA, ARROW], "imageHeight": HEIGHT, "imageWidth": WIDTH},
    "drawn on the photo at another size": {
        "shapes": [{**ARROW, "points": [[40, 90], [200, 90]]}],
        "imageHeight": HEIGHT * 10,
        "imageWidth": WIDTH * 10,
    },
    "a label that is a number": {"shapes": [ARROW, {**AREA, "label": 7}]},
    "a label in capitals": {"shapes": [{**ARROW, "label": "HINT_1"}]},
    "a label of another script": {"shapes": [ARROW, {**AREA, "label": "вода 海"}]},
    "rectangle and circle": {
        "shapes": [
            ARROW,
            {**AREA, "shape_type": "rectangle", "points": [[2, 2], [9, 9]]},
            {**AREA, "shape_type": "circle", "points": [[20, 12], [25, 12]]},
        ]
    },
    "the photo within it": {"shapes": [ARROW], "imageData": "QUJD" * 10**6},
    "no size": {"shapes": [ARROW]},
}
OPTIONS_REFUSED = {
    "no frames": ["--frames", "0"],
    "one frame": ["--frames", "1"],
    "negative frames": ["--frames", "-5"],
    "a billion frames": ["--frames", "1000000000"],
    "frames of words": ["--frames", "many"],
    "fps 0": ["--fps", "0"],
    "fps NaN": ["--fps", "nan"],
    "fps infinite": ["--fps", "inf"],
    "fps 0.0001": ["--fps", "0.0001"],
    "fps 1e-9": ["--fps", "1e-9"],
    "size 0": ["--size", "0"],
    "size 3": ["--size", "3"],
    "negative size": ["--size", "-640"],
    "unknown device": ["--device", "abacus"],
    "a device's number in words": ["--device", "cpu:two"],
    "unknown preset": ["--preset", "papre"],
    "unknown models": ["--models", "large"],
    "unknown option": ["--colour"],
    "the official networks without arrows": ["--models", "official"],
    "a depth model of 5000 letters": ["--depth", "x" * 5000],
    "a depth model that climbs": ["--depth", "../../../../etc/passwd"],
}
OPTIONS_SURVIVED = {
    "size 100000": ["--size", "100000"],
    "size 16": ["--size", "22"],
    "fps 0.5": ["--fps", "0.5"],
    "fps 23.976": ["--fps", "23.976"],
    "2 frames": ["--frames", "2"],
    "paper": ["--preset", "paper"],
    "draft": ["--preset", "draft"],
}


def hints(content: Any) -> Make:
    raw = isinstance(content, bytes) or (isinstance(content, str) and content[:1] in '[{"')
    text = content if raw or content == "" else json.dumps(content)
    return lambda shop: [shop.build(None, "--hints", shop.file("hints.json", text))]


def options(words: list[str]) -> Make:
    return lambda shop: [shop.build(None, *words)]


CASES = (
    *(Case("hints", name, "refused", hints(c)) for name, c in HINTS_REFUSED.items()),
    *(Case("hints", name, "survives", hints(c)) for name, c in HINTS_SURVIVED.items()),
    *(Case("hints", name, "either", hints(c)) for name, c in HINTS_EITHER.items()),
    Case("hints", "absent", "refused", options(["--hints", "/no/such/hints.json"])),
    Case("hints", "a folder", "refused", lambda shop: [shop.build(None, "--hints", shop.inputs)]),
    *(Case("labelme", name, "refused", hints(c)) for name, c in LABELME_REFUSED.items()),
    *(Case("labelme", name, "survives", hints(c)) for name, c in LABELME_SURVIVED.items()),
    *(Case("options", name, "refused", options(w)) for name, w in OPTIONS_REFUSED.items()),
    *(Case("options", name, "survives", options(w)) for name, w in OPTIONS_SURVIVED.items()),
)
