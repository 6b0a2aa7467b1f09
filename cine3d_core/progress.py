"""How long work says where it is."""

from __future__ import annotations

from collections.abc import Callable

# Told the stage and the share of the whole that is done, in [0, 1]; may raise to cancel.
Progress = Callable[[str, float], None]


def ignore_progress(stage: str, fraction: float) -> None:
    """For those who do not look."""
