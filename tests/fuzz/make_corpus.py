"""Write the sound inputs that the corpus begins with: `python -m tests.fuzz.make_corpus`."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from cine3d_core.worker.protocol import write_message
from tests.fuzz.targets import sound_scene

HERE = Path(__file__).parent / "corpus"
AREA = {"label": "water", "points": [[0, 9], [30, 9], [30, 20]], "shape_type": "polygon"}
ARROW = {"label": "hint0", "points": [[4, 9], [20, 9]], "shape_type": "line"}
FRAME = {"K": [[40, 0, 16], [0, 40, 12], [0, 0, 1]], "world_to_camera": np.eye(4).tolist()}
MODEL = json.loads((Path(__file__).parents[2] / "models/see/model.json").read_text())


def scenes() -> list[bytes]:
    """The file as it is, and each member as the part that is mutated."""
    with zipfile.ZipFile(io.BytesIO(sound_scene())) as archive:
        members = [archive.read(name) for name in archive.namelist()]
    return [bytes([number]) + data for number, data in enumerate([sound_scene(), *members])]


def messages() -> list[bytes]:
    """A job with an array, a cancellation, and both after one another."""
    job, cancel = io.BytesIO(), io.BytesIO()
    write_message(job, "job", {"id": 1, "name": "ping", "arguments": {"echo": 1}},
                  {"a": np.arange(3, dtype=np.float32)})  # fmt: skip
    write_message(cancel, "cancel", {"id": 1})
    return [job.getvalue(), cancel.getvalue(), cancel.getvalue() + job.getvalue()]


def texts() -> list[bytes]:
    """Hints of both kinds, a camera path and a model description."""
    path = {"version": 1, "width": 32, "height": 24, "frames": [FRAME]}
    labelme = {"shapes": [AREA, ARROW], "imageHeight": 24, "imageWidth": 32}
    drawn = {"hints": [{"start": [4, 9], "end": [9, 9]}], "mask": [AREA["points"]]}
    choices = ((0, drawn), (0, labelme), (1, path), (2, MODEL))
    return [bytes([number]) + json.dumps(content).encode() for number, content in choices]


def main() -> None:
    for target, inputs in (
        ("scene_file", scenes()),
        ("protocol", messages()),
        ("json_readers", texts()),
    ):
        (HERE / target).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (HERE / target / f"sound-{number}").write_bytes(data)


if __name__ == "__main__":
    main()
