"""Depth by MoGe-2 of the shelf, which knows of sky and of the lens too."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, depth_to_disparity, refine_depth
from cine3d_core.errors import InputError
from cine3d_core.files.models.installed import Installed
from cine3d_core.files.models.runtimes import OnnxProgram
from cine3d_core.networks.shelf.moge import predict
from cine3d_core.networks.shelf.program import Program
from cine3d_core.scene import DepthMap


@dataclass(frozen=True)
class GeometryDepth:
    """A program that gives points, a mask of what has a place, and so the lens."""

    program: Program
    description: str
    checksums: dict[str, str]

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth, sky and focal length of `rgb` [3, H, W].

        Raises:
            InputError: nothing in the picture has a place.
        """
        seen = predict(self.program, rgb)
        if seen is None:
            raise InputError(
                f"{self.description} finds no surface in this photo; choose --depth compact"
            )
        disparity = depth_to_disparity(seen.distance / seen.distance.min(), params=params)
        sky = 1 - seen.valid
        # what is not sure to be anywhere is not nearer than what surely is
        disparity = torch.where(sky > 0.5, disparity.min(), disparity)
        return replace(refine_depth(disparity, sky, rgb, params=params), focal_px=seen.focal_px)


def open_geometry(one: Installed) -> GeometryDepth:
    """An installed entry of that kind as a source of depth."""
    entry = one.entry
    return GeometryDepth(
        program=OnnxProgram(one.folder / entry.files[0].path, entry.title),
        description=f"{entry.title} ({entry.name})",
        checksums={entry.name: one.checksum},
    )
