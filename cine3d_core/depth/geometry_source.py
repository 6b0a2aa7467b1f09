"""Depth by programs of the shelf that know of sky, and perhaps of the lens too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, depth_to_disparity, refine_depth
from cine3d_core.errors import InputError
from cine3d_core.files.models.installed import Installed
from cine3d_core.files.models.runtimes import OnnxProgram
from cine3d_core.networks.shelf import da3, moge
from cine3d_core.networks.shelf.geometry import Geometry
from cine3d_core.networks.shelf.program import Program
from cine3d_core.scene import DepthMap

Predict = Callable[[Program, Tensor], Geometry | None]
PREDICTIONS: dict[str, Predict] = {"onnx-moge": moge.predict, "onnx-da3": da3.predict}


@dataclass(frozen=True)
class GeometryDepth:
    """A program that gives distances, where there are any, and perhaps the lens."""

    program: Program
    predict: Predict
    description: str
    checksums: dict[str, str]

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth, sky and perhaps focal length of `rgb` [3, H, W].

        Raises:
            InputError: nothing in the picture has a place.
        """
        seen = self.predict(self.program, rgb)
        if seen is None:
            raise InputError(
                f"{self.description} finds no surface in this photo", "choose {depth} compact"
            )
        disparity = depth_to_disparity(seen.distance / seen.distance.min(), params=params)
        sky = 1 - seen.valid
        # what is not sure to be anywhere is not nearer than what surely is
        disparity = torch.where(sky > 0.5, disparity.min(), disparity)
        return replace(refine_depth(disparity, sky, rgb, params=params), focal_px=seen.focal_px)


def open_geometry(one: Installed) -> GeometryDepth:
    """An installed entry of one of PREDICTIONS as a source of depth."""
    entry = one.entry
    return GeometryDepth(
        program=OnnxProgram(one.folder / entry.files[0].path, entry.title),
        predict=PREDICTIONS[entry.kind],
        description=f"{entry.title} ({entry.name})",
        checksums={entry.name: one.checksum},
    )
