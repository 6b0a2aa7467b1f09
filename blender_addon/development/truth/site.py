"""A scene under construction: its photographs, light and haze, and the surfaces so far."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .catalogue import Crops
from .surfaces import Surface, laid_over
from .textures import cropped, linear, read_photo


class Site:
    """Collects surfaces; the eye is at the origin, x right, height up, z forward."""

    def __init__(self, seed: int, folder: Path, crops: Crops) -> None:
        self.rng = np.random.default_rng(seed)
        self.surfaces: list[Surface] = []
        self.used: set[str] = set()
        self.sun = np.array((0.5, 0.7, -0.5))
        self.haze = np.array((0.5, 0.55, 0.6))  # linear
        self.haze_distance = 60.0
        self.stones: list[tuple[float, float, float]] = []  # x, z, radius; water darkens at them
        self._folder = folder
        self._crops = crops

    def photo(self, role: str) -> np.ndarray:
        """A part of a photograph that can play the role, [h, w, 3]."""
        choices = self._crops[role]
        name, box = choices[self.rng.integers(len(choices))]
        self.used.add(name)
        return cropped(read_photo(self._folder / f"{name}.jpg"), box)

    def look_from(self, sky: np.ndarray) -> None:
        """Take the haze's colour from the lowest part of a sky."""
        low = sky[-max(len(sky) // 10, 1) :]
        self.haze = linear(low).mean((0, 1))

    def veiled(self, overlay: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """The overlay under the haze of the distance."""
        return laid_over(overlay, self.haze, 1 - np.exp(-distance / self.haze_distance))
