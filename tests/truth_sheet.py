"""Contact sheet of the synthetic test scenes: `python -m tests.truth_sheet OUT FILE.jpg`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, COLUMNS = 400, 225, 4


def contact_sheet(folder: Path) -> np.ndarray:
    """All stills of a folder of scenes side by side, [h, w, 3] BGR."""
    stills = [cv2.imread(str(path)) for path in sorted(folder.glob("*/still.png"))]
    small = [cv2.resize(s, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for s in stills]
    small += [np.zeros_like(small[0])] * (-len(small) % COLUMNS)
    rows = [np.hstack(small[i : i + COLUMNS]) for i in range(0, len(small), COLUMNS)]
    return np.vstack(rows)


if __name__ == "__main__":
    picture = contact_sheet(Path(sys.argv[1]))
    cv2.imwrite(sys.argv[2], picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
