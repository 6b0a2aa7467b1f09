"""What all programs for onnxruntime look like from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Program(Protocol):
    """Arrays by name in, arrays by name out."""

    @property
    def inputs(self) -> Mapping[str, np.dtype]:
        """Name and type of what it wants, in its order."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int | None, ...]]:
        """Name and shape of what it wants; None along a side that may be of any length."""
        ...

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run it once."""
        ...
