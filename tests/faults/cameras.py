"""Camera files and the options of renders and exports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.faults.case import Case, Command, Workshop

Make = Callable[[Workshop], Sequence[Command]]

POSE = np.eye(4).tolist()
K = [[40.0, 0.0, 16.0], [0.0, 40.0, 12.0], [0.0, 0.0, 1.0]]
HUGE = "9" * 5000


def path(**changes: Any) -> dict[str, Any]:
    """A sound path of one frame, its frame changed."""
    frame = {"K": K, "world_to_camera": POSE} | changes
    return {"version": 1, "width": 32, "height": 24, "frames": [frame]}


def moved(x: float) -> list[list[float]]:
    return [[1, 0, 0, x], *POSE[1:]]


def turned(degrees: float) -> list[list[float]]:
    angle = np.radians(degrees)
    pose = np.eye(4)
    pose[:3:2, :3:2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return pose.tolist()


REFUSED: dict[str, Any] = {
    "empty": "",
    "half": '{"version": 1,',
    "binary": bytes(range(256)),
    "brackets by the hundred thousand": "[" * 100_000,
    "list": [],
    "no version": {"frames": []},
    "another version": {**path(), "version": 7},
    "version in words": {**path(), "version": "1"},
    "no frames": {**path(), "frames": []},
    "frames of null": {**path(), "frames": None},
    "a frame of null": {**path(), "frames": [None]},
    "a frame of numbers": {**path(), "frames": [1, 2]},
    "100001 frames": {**path(), "frames": [0] * 100_001},
    "no width": {k: v for k, v in path().items() if k != "width"},
    "width 0": {**path(), "width": 0},
    "negative height": {**path(), "height": -24},
    "width of a million": {**path(), "width": 10**6},
    "width of a fraction": {**path(), "width": 32.5},
    "width of yes": {**path(), "width": True},
    "no K": path(K=None),
    "K of words": path(K="wide"),
    "K of 2 rows": path(K=K[:2]),
    "K of zeros": path(K=np.zeros((3, 3)).tolist()),
    "K of NaN": path(K=[[float("nan")] * 3] * 3),
    "K of infinity": '{"version": 1, "width": 32, "height": 24, "frames": [{"K": Infinity}]}',
    "K of 1e999": json.dumps(path()).replace("40.0", "1e999"),
    "K of 5000 digits": json.dumps(path()).replace("40.0", HUGE),
    "K of 400 digits": json.dumps(path()).replace("40.0", "9" * 400),
    "negative focal length": path(K=[[-40, 0, 16], [0, 40, 12], [0, 0, 1]]),
    "focal length of 1e300": path(K=[[1e300, 0, 16], [0, 1e300, 12], [0, 0, 1]]),
    "skew": path(K=[[40, 5, 16], [0, 40, 12], [0, 0, 1]]),
    "last row of K": path(K=[[40, 0, 16], [0, 40, 12], [0, 0, 2]]),
    "pose of 3 rows": path(world_to_camera=POSE[:3]),
    "pose of zeros": path(world_to_camera=np.zeros((4, 4)).tolist()),
    "pose scaled": path(world_to_camera=np.diag([2, 2, 2, 1]).tolist()),
    "pose mirrored": path(world_to_camera=np.diag([-1, 1, 1, 1]).tolist()),
    "pose sheared": path(world_to_camera=[[1, 0.5, 0, 0], *POSE[1:]]),
    "pose of cancelling infinities": path(
        world_to_camera=[[1e200, -1e200, 0, 0], [1e200, 1e200, 0, 0], *POSE[2:]]
    ),
    "last row of the pose": path(world_to_camera=[*POSE[:3], [0, 0, 0, 2]]),
    "a place of 1e300": path(world_to_camera=moved(1e300)),
}
SURVIVED: dict[str, Any] = {
    "sound": path(),
    "for a wall, rendered small": {**path(), "width": 65_536, "height": 65_536},
    "with a byte order mark": b"\xef\xbb\xbf" + json.dumps(path()).encode(),
    "with more entries": {**path(), "author": "me"},
    "very wide": path(K=[[0.01, 0, 16], [0, 0.01, 12], [0, 0, 1]]),
    "very long": path(K=[[1e8, 0, 16], [0, 1e8, 12], [0, 0, 1]]),
    "centre far outside": path(K=[[40, 0, 1e6], [0, 40, -1e6], [0, 0, 1]]),
    "far away": path(world_to_camera=moved(1e8)),
    "within the nearest surface": path(world_to_camera=[*POSE[:2], [0, 0, 1, -1.0], POSE[3]]),
    "behind everything": path(world_to_camera=[*POSE[:2], [0, 0, 1, -1e6], POSE[3]]),
    "looking back": path(world_to_camera=turned(180)),
    "looking sideways": path(world_to_camera=turned(90)),
    "upside down": path(world_to_camera=np.diag([-1, -1, 1, 1]).tolist()),
}
RENDER_REFUSED = {
    "frames backwards": ["--frames", "5:2"],
    "no frames": ["--frames", "3:3"],
    "frames below 0": ["--frames=-3:2"],
    "frames of words": ["--frames", "first:last"],
    "frames with a fraction": ["--frames", "0:1.5"],
    "frames of 5000 digits": ["--frames", f"0:{HUGE}"],
    "frames by the million": ["--frames", "0:99999999"],
    "size 0": ["--size", "0"],
    "size 3": ["--size", "3"],
    "negative size": ["--size", "-640"],
    "size of a wall": ["--size", "1000000"],
    "a camera that is none": ["--camera", "loop-the-loop"],
    "a camera of no name": ["--camera", ""],
    "a camera file that is absent": ["--camera", "/no/such/file.json"],
    "a camera file that is a folder": ["--camera", "/tmp/.json"],
    "an unknown device": ["--device", "abacus"],
    "a device's number in words": ["--device", "cpu:two"],
    "an unknown format": ["--format", "bmp"],
    "an unknown option": ["--colour"],
}
RENDER_SURVIVED = {
    "frames far beyond the loop": ["--frames", "999990:999991"],
    "frames with spaces": ["--frames", " 0 : 1 "],
    "16 px": ["--size", "22"],
    "another shape of progress": ["--progress", "json"],
}
EXPORT_REFUSED = {
    "frame -1": ["--frame=-1"],
    "frames backwards": ["--frames=4:2"],
    "frames of words": ["--frames=a:b"],
    "frames below 0": ["--frames=-1:2"],
    "both frame and frames": ["--frame", "1", "--frames", "1:2"],
    "frame of 5000 digits": ["--frame", HUGE],
}


def camera(content: Any) -> Make:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    return lambda shop: [shop.render(None, "--camera", shop.file("camera.json", text))]


def render(words: list[str]) -> Make:
    return lambda shop: [shop.render(None, *words)]


def export(words: list[str]) -> Make:
    return lambda shop: [shop.export(None, *words)]


def past_its_end(shop: Workshop) -> list[Command]:
    file = shop.file("camera.json", json.dumps(path()))
    return [shop.render(None, "--camera", file, "--frames", "0:2")]


def resumed_video(shop: Workshop) -> list[Command]:
    command = shop.render(None, "--resume")
    command[command.index("-o") + 1] = str(shop.output / "x.mp4")
    return [command]


CASES = (
    Case("camera files", "more frames than it has", "refused", past_its_end),
    Case("renders", "a resumed video", "refused", resumed_video),
    *(Case("camera files", name, "refused", camera(c)) for name, c in REFUSED.items()),
    *(Case("camera files", name, "survives", camera(c)) for name, c in SURVIVED.items()),
    *(Case("renders", name, "refused", render(w)) for name, w in RENDER_REFUSED.items()),
    *(Case("renders", name, "survives", render(w)) for name, w in RENDER_SURVIVED.items()),
    *(
        Case("renders", f"export, {name}", "refused", export(w))
        for name, w in EXPORT_REFUSED.items()
    ),
)
