"""What programs that see a photo in three dimensions find in it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """Distances in a photo, where there are any, and its lens."""

    distance: Tensor  # [1, h, w] z-depth > 0; the farthest valid one where nothing is valid
    valid: Tensor  # [1, h, w] probability that there is a surface; low in the sky
    focal_px: float | None  # of the photo as given; None when it cannot be told
