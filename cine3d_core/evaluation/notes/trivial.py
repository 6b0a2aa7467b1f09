"""Answers that are blind to the picture, to compare with.

Lower is nearer; the upper third is sky, the lower third water; everything goes to the right.
"""

from __future__ import annotations

import numpy as np

from cine3d_core.evaluation.notes.outlines import SIZE
from cine3d_core.evaluation.notes.records import LABELS
from cine3d_core.evaluation.notes.seen import Seen


def blind() -> Seen:
    """What a program says that has not looked."""
    width, height = SIZE
    ramp = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, axis=1)
    third = round(height / 3)
    labels = np.zeros((height, width), np.uint8)
    labels[:third] = LABELS.index("sky")
    labels[height - third :] = LABELS.index("water")
    right = np.zeros((height, width, 2), np.float32)
    right[..., 0] = 1
    return Seen(disparity=ramp, labels=labels, moving=labels > 0, flow=right)
