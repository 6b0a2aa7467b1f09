"""The kinds of motion in place, by their names in `motion_kinds`."""

from __future__ import annotations

from cine3d_core.motion.point_motion import InPlaceKind
from cine3d_core.motion.shimmer import ShimmerKind
from cine3d_core.motion.sway import SwayKind

IN_PLACE: dict[str, InPlaceKind] = {"sway": SwayKind(), "shimmer": ShimmerKind()}
