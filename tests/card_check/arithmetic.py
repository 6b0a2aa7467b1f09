"""What a frame must move and multiply, stage by stage, and how long that takes a card at least.

Points, fragments, pixels and multiplications are counted on a real scene; the rest is what the
kernels in `render.card` read and write, each thing once: what a cache holds is not read again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from cine3d_core.networks.decoder import BASE_PLANES, MULTIPLE, ResidualDecoder
from cine3d_core.render.animation import (
    PreparedScene,
    Shot,
    _moving_at,
    _of_flow,
    _placed,
)
from cine3d_core.render.card import fragments as kernels
from cine3d_core.render.card.splat import Cloud, list_touches
from cine3d_core.render.frame import animation_of


@dataclass(frozen=True)
class Card:
    """Peak rates of a card, from its data sheet or chosen."""

    name: str
    bytes_per_s: float
    flop_per_s: float  # half precision


CARDS = (
    Card("laptop card, 200 GB/s, 10 TFLOP/s", 200e9, 10e12),
    Card("H100 class, 3350 GB/s, 400 TFLOP/s", 3350e9, 400e12),
)


@dataclass(frozen=True)
class Counts:
    """What a frame consists of."""

    resting: int
    moving: int  # in each direction
    fragments: int
    pixels: int
    channels: int  # that points carry


@dataclass(frozen=True)
class Stage:
    """A part of a frame."""

    name: str
    bytes: float
    flop: float


def counted(prepared: PreparedScene, shot: Shot, frame: int) -> Counts:
    """The counts of a frame on a device with our kernels."""
    params = animation_of(prepared.scene)
    rest = _placed(prepared, shot, prepared.static_positions, prepared.static_neighbours, params)
    there = [_moving_at(prepared, frame, params.lift, way) for way in (False, True)]
    flow = _of_flow(params)
    moving = _placed(prepared, shot, torch.cat(there), prepared.moving_neighbours, flow)
    height, width = shot.camera.height, shot.camera.width
    style = kernels.style_of(params.splat, height, width)
    clouds = [
        Cloud(rest, len(rest.depth), first_list=0, first_index=0),
        Cloud(moving, len(there[0]), first_list=1, first_index=len(rest.depth)),
    ]
    lists = list_touches(clouds, 3, style)
    return Counts(
        resting=len(rest.depth),
        moving=len(there[0]),
        fragments=int(lists.counts.sum()),
        pixels=height * width,
        channels=prepared.attributes.channels,
    )


def stages(counts: Counts, decoder: ResidualDecoder | None, size: tuple[int, int]) -> list[Stage]:
    """Bytes and floating-point operations of each stage of a frame."""
    points = counts.resting + 2 * counts.moving
    touched, plane = counts.fragments, 4 * counts.pixels
    rows = 4 * (counts.channels + -counts.channels % 4)
    planes = counts.channels + 3  # of a splatted cloud, disparity included
    found = [
        # start, key, layer, velocity in, displacement out; that and the surface in, place out
        Stage("flow and lift", 2 * counts.moving * (24 + 32 + 8 + 24 + 16 + 12), 0),
        Stage("place", points * (12 + 16 + 12 + 16 + 4), 60 * points),
        Stage("count", 16 * points + 8 * touched + 3 * plane, 20 * touched),
        Stage("running sum", 4 * 3 * plane, 0),
        Stage("fill", 20 * points + 16 * touched, 20 * touched),
        Stage(
            "nearest, composite",
            8 * touched + 6 * plane + 16 * points + rows * points + 2 * (planes + 1) * plane,
            2 * 8 * counts.pixels * (2 * counts.channels + 30),
        ),
        Stage("detail", 2 * (6 + 3 + 2 * planes) * plane, 2 * 90 * counts.pixels),
        Stage("cross-fade", (2 * (planes + 1) + planes + 2) * plane, 60 * counts.pixels),
        Stage("contrast", (4 + 2 + 2 + 4 + 1 + 1 + 6 + 3) * plane, 70 * counts.pixels),
        Stage("holes", 17 * plane, 30 * counts.pixels),
    ]
    if decoder is not None:
        found.append(_decoding(decoder, size))
    return [*found, Stage("8 bits", (3 + 3 + 0.75 + 0.75 + 0.75) * plane, 0)]


def _decoding(decoder: ResidualDecoder, size: tuple[int, int]) -> Stage:
    """Activations in half precision, in and out of every convolution, and what goes in."""
    height, width = (side // MULTIPLE * MULTIPLE for side in size)
    planes = BASE_PLANES + decoder.num_features
    with torch.device("meta"):
        picture = torch.empty(1, planes, height, width)
        network = ResidualDecoder(
            decoder.num_features,
            decoder.enter.out_channels,
            decoder.down.out_channels,
            gated=decoder.gated,
        )
    moved = 0

    def count(_module, inputs, output) -> None:
        nonlocal moved
        moved += 2 * (inputs[0].numel() + output.numel())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(picture)
    entering = 4 * 2 * planes * height * width + 2 * planes * height * width
    return Stage("decode", moved + entering, counter.get_total_flops())


def seconds(stage: Stage, card: Card) -> float:
    """At least: the longer of moving and multiplying, at the card's full rates."""
    return max(stage.bytes / card.bytes_per_s, stage.flop / card.flop_per_s)


def table(found: list[Stage], cards: tuple[Card, ...] = CARDS) -> list[str]:
    """Markdown lines: the stages, their sum, and frames per second at half of the rates."""
    names = " | ".join(f"{card.name}, ms" for card in cards)
    lines = [f"| stage | MB | GFLOP | {names} |", "|---|---|---|" + "---|" * len(cards)]
    for stage in found:
        times = " | ".join(f"{1e3 * seconds(stage, card):.3f}" for card in cards)
        amounts = f"{stage.bytes / 1e6:.1f} | {stage.flop / 1e9:.2f}"
        lines.append(f"| {stage.name} | {amounts} | {times} |")
    sums = [sum(seconds(stage, card) for stage in found) for card in cards]
    total = f"{sum(s.bytes for s in found) / 1e6:.1f} | {sum(s.flop for s in found) / 1e9:.2f}"
    times = " | ".join(f"{1e3 * s:.3f}" for s in sums)
    lines.append(f"| **whole frame** | {total} | {times} |")
    rates = " | ".join(f"{0.5 / s:.0f} frames/s" for s in sums)
    lines.append(f"| at half of both rates | | | {rates} |")
    return lines
