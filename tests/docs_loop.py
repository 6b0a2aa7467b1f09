"""Makes docs/images/loop.webp: `python -m tests.docs_loop TRUTH`, TRUTH as `make truth` wrote it.

One loop, seen by the still's own camera: on the left both clouds mixed as in Eq. 4 with their holes
filled, on the right ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from torch import Tensor

from cine3d_core.evaluation.renderer.rows import ALL_ROWS, Bench
from cine3d_core.files.pictures.pixels import rgb_bytes
from cine3d_core.render.animation import Shot
from cine3d_core.synthetic.truth_folder import find_scenes

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "loop.webp"
SCENE = "test-10-twin-falls"
ROWS = ("naive-pc-3dsa-filled", "ours")
WIDTH = 480  # px of each of the two
FRAME_MS = 50


def _as_picture(rgb: Tensor) -> Image.Image:
    picture = Image.fromarray(rgb_bytes(rgb))
    height = round(picture.height * WIDTH / picture.width)
    return picture.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _beside(pictures: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (WIDTH * len(pictures), pictures[0].height))
    for place, picture in enumerate(pictures):
        whole.paste(picture, (place * WIDTH, 0))
    return whole


def main() -> None:
    """Draws every second frame of the loop by both methods."""
    scene = find_scenes(Path(sys.argv[1]), [SCENE])[0]
    shot = Shot(scene.camera, scene.camera, scene.camera)
    draws = [ALL_ROWS[row].make(Bench(scene)) for row in ROWS]
    frames = [
        _beside([_as_picture(draw(shot, frame)) for draw in draws])
        for frame in range(0, scene.num_frames, 2)
    ]
    frames[0].save(
        OUT,
        save_all=True,
        append_images=frames[1:],
        duration=2 * FRAME_MS,
        loop=0,
        quality=55,
        method=6,
    )


if __name__ == "__main__":
    main()
