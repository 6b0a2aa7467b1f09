"""Is what the card builds right? The stages of a build that have work for it, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cine3d_core.depth.refine import DepthParams, refine_depth
from cine3d_core.device import on_device
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.layers.cut import LayeringParams, build_layers
from cine3d_core.layers.fill import analytic_fill
from cine3d_core.layers.uncover import InpaintParams, inpaint_layers
from cine3d_core.points.backing import gaps
from cine3d_core.points.layer_motion import motion_of_layers
from cine3d_core.scene import MotionField
from cine3d_core.see.look import BUNDLED, see
from tests.card_check.bench import CARD, CPU, PHOTO, Bench
from tests.card_check.checks import compared


def parity(bench: Bench) -> list[str]:
    """Every stage of a build that works on the card, against the CPU."""
    rgb = read_photo(PHOTO, max_side=96 if bench.dry else 1280).rgb
    networks = Networks()
    return compared(*(list(_stages(rgb, networks, where)) for where in (CARD, CPU)))


def _stages(rgb: Tensor, networks: Networks, where: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Name and result of each stage; each gets the CPU's results of those before."""
    there = rgb.to(where)
    network = networks.required(BUNDLED).network
    seen = see(there, network)
    yield "what is near", seen.disparity
    yield "what flows", seen.fluid
    seen = see(rgb, network)
    rough = (plane.to(where) for plane in (seen.disparity, seen.fluid[:1]))
    yield "depth refined, disparity", 1 / refine_depth(*rough, there, params=DepthParams()).depth
    depth = refine_depth(seen.disparity, seen.fluid[:1], rgb, params=DepthParams()).depth
    near = depth < depth.median()
    holes = (plane.to(where) for plane in (depth, ~near, near))
    yield "a hole filled", analytic_fill(there, *holes).rgb
    layers = inpaint_layers(
        build_layers(there, depth.to(where), LayeringParams()), params=InpaintParams()
    )
    yield "layers, colours", layers.rgba
    yield "layers, disparity", 1 / layers.depth.clamp(min=1)
    motion, layers = _made_up_motion(rgb), on_device(layers, CPU)
    yield "gaps in the flow", gaps(on_device(motion, where), 60)
    carried = motion_of_layers(on_device(layers, where), on_device(motion, where))
    yield "flow of the layers", carried.velocity
    yield "surface of the layers, disparity", 1 / carried.depth


def _made_up_motion(rgb: Tensor) -> MotionField:
    """The lower half flows, faster on the left, with a rock in it."""
    _, height, width = rgb.shape
    moving = torch.zeros(1, height, width, dtype=torch.bool)
    moving[:, height // 2 :] = True
    moving[:, height * 3 // 4 : height * 4 // 5, width // 2 : width * 3 // 5] = False
    speed = torch.linspace(0.004, 0.001, width).expand(1, height, width) * width * moving
    return MotionField(torch.cat([speed, -0.3 * speed]), moving, moving.to(torch.int16) + 1)
