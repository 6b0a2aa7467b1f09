"""The kinds of motion by name, for drawings, files and menus; `motion.in_place` has the maths.

A flow carries what is there away, so that a loop needs the cross-fade of two clouds. Every other
kind moves its points back and forth in place and loops by itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MotionKind:
    """What the rest of the program knows of a kind of motion."""

    name: str  # in drawings and scene files
    label: str  # in menus
    description: str  # for the person who chooses it
    keys: tuple[str, ...]  # of a region in a drawing that this kind alone, or with others, reads
    planes: int  # of a field in place: amplitude (x, y) in px, then what only the kind reads


FLOW = MotionKind("flow", "Flow", "The area flows along the arrow", ("perspective",), 0)
IN_PLACE = (
    MotionKind(
        "sway",
        "Sway",
        "Foliage or reeds rock along the arrow; Speed sets how far",
        ("amplitude", "wavelength"),
        3,
    ),
    MotionKind(
        "shimmer",
        "Shimmer",
        "Calm water rises and falls in place; Speed is how far",
        (),
        3,
    ),
)
KINDS = {kind.name: kind for kind in (FLOW, *IN_PLACE)}
