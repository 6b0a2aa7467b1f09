"""Makes the loops of docs/gallery.md: `python -m tests.docs_gallery WORK [NAME ...]`.

The first is the sample; the other photographs are those of the synthetic test scenes, with their
arrows in `docs/gallery`. WORK keeps the scenes and their frames.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cine3d_core.cli import main as cine3d

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "tests" / "truth_textures"
GALLERY, SAMPLE = ROOT / "docs" / "gallery", ROOT / "docs" / "sample"
FRAME_MS = 40


@dataclass(frozen=True)
class Loop:
    """A photo, its arrows, and how its loop is made."""

    photo: Path
    hints: Path
    size: int  # px, long side of the scene
    width: int  # px of the page's pictures


def _of_truth(name: str) -> Loop:
    return Loop(PHOTOS / f"{name}.jpg", GALLERY / f"{name}.json", size=800, width=320)


LOOPS = {
    "life": Loop(SAMPLE / "photo.jpg", SAMPLE / "hints.json", size=1280, width=400),
    "EveningGlow": _of_truth("EveningGlow"),
    "picosdeeuropa": _of_truth("picosdeeuropa"),
}


def make(name: str, work: Path) -> None:
    """Writes the photo and its loop, the camera in an orbit as in `make demo`."""
    loop, scene, frames = LOOPS[name], work / f"{name}.cine3d", work / name
    hints = ["--hints", str(loop.hints), "--size", str(loop.size)]
    if not scene.exists() and cine3d(["build", str(loop.photo), "-o", str(scene), *hints]) != 0:
        raise SystemExit(1)
    drawn = ["-o", str(frames), "--camera", "orbit", "--size", str(loop.size), "--resume"]
    if cine3d(["render", str(scene), *drawn]) != 0:
        raise SystemExit(1)
    pictures = [_small(path, loop.width) for path in sorted(frames.glob("*.png"))]
    pictures[0].save(
        GALLERY / f"{name}.webp",
        save_all=True,
        append_images=pictures[1:],
        duration=FRAME_MS,
        loop=0,
        quality=45,
        method=6,
    )
    _small(loop.photo, loop.width).save(GALLERY / f"{name}.jpg", quality=85)


def _small(path: Path, width: int) -> Image.Image:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    return rgb.resize((width, round(rgb.height * width / rgb.width)), Image.Resampling.LANCZOS)


def main() -> None:
    """Makes all loops, or those named."""
    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or LOOPS:
        make(name, work)


if __name__ == "__main__":
    main()
