"""Makes the loops of docs/gallery.md: `python -m tests.docs_gallery WORK [NAME ...]`.

The photographs are those of the synthetic test scenes, with their arrows in `docs/gallery`. WORK
keeps the scenes and their frames.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from cine3d_core.cli import main as cine3d

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "tests" / "truth_textures"
GALLERY = ROOT / "docs" / "gallery"
LOOPS = {"EveningGlow": "orbit", "life": "orbit", "picosdeeuropa": "orbit"}
SIZE = 800  # px, long side of the scene
WIDTH = 320  # px of the page's pictures
FRAME_MS = 40


def make(name: str, work: Path) -> None:
    """Writes the photo and its loop, both `WIDTH` px wide."""
    photo, scene, frames = PHOTOS / f"{name}.jpg", work / f"{name}.cine3d", work / name
    hints = ["--hints", str(GALLERY / f"{name}.json"), "--size", str(SIZE)]
    if not scene.exists() and cine3d(["build", str(photo), "-o", str(scene), *hints]) != 0:
        raise SystemExit(1)
    drawn = ["-o", str(frames), "--camera", LOOPS[name], "--size", str(SIZE), "--resume"]
    if cine3d(["render", str(scene), *drawn]) != 0:
        raise SystemExit(1)
    pictures = [_small(path) for path in sorted(frames.glob("*.png"))]
    pictures[0].save(
        GALLERY / f"{name}.webp",
        save_all=True,
        append_images=pictures[1:],
        duration=FRAME_MS,
        loop=0,
        quality=45,
        method=6,
    )
    _small(photo).save(GALLERY / f"{name}.jpg", quality=85)


def _small(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    return rgb.resize((WIDTH, round(rgb.height * WIDTH / rgb.width)), Image.Resampling.LANCZOS)


def main() -> None:
    """Makes all loops, or those named."""
    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or LOOPS:
        make(name, work)


if __name__ == "__main__":
    main()
