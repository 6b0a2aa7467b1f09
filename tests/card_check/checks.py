"""Is what the card does right? Each check returns Markdown lines and raises `Wrong`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import fields

import torch
from torch import nn

from cine3d_core.device import on_device
from cine3d_core.imaging.push_pull import push_pull
from cine3d_core.networks import decoder, features, inpainting, motion, see
from cine3d_core.networks.official import (
    discriminator,
    feature_net,
    image_decoder,
    inpainting_nets,
    motion_net,
)
from cine3d_core.output.clip import frame_drawer, prepare_on
from cine3d_core.render import animation, blend, splat
from cine3d_core.render.coarse import smaller_scene
from cine3d_core.render.frame import animation_of
from cine3d_core.render.sharpen import restore_detail
from cine3d_core.scene import RenderedFrame, SplatImage
from tests.card_check.bench import CARD, CPU, LEVEL, Bench

FEW = 1e-3  # share of the numbers that may be farther off: ties of depth, borders of points
RUNS = 20


class Wrong(Exception):
    """The card does something else than the CPU, or not the same twice."""


def parity(bench: Bench) -> list[str]:
    """Every stage of a frame, and whole frames, on the card against the CPU."""
    size = next(iter(bench.sizes.values()))
    shot, params = bench.shot(size), animation_of(bench.scene)
    return compared(*(list(_stages(bench, shot, params, where)) for where in (CARD, CPU)))


def compared(
    found: list[tuple[str, torch.Tensor]], wanted: list[tuple[str, torch.Tensor]]
) -> list[str]:
    """A table of stages by name, on the card and on the CPU."""
    lines = ["| stage | largest difference | share beyond 1/255 |", "|---|---|---|"]
    bad = []
    for (name, here), (_, truth) in zip(found, wanted, strict=True):
        away = (here.to(CPU).float() - truth.float()).abs()
        away = away[torch.isfinite(truth.float())]
        beyond = float((away > LEVEL).float().mean()) if away.numel() else 0.0
        most = float(away.max()) if away.numel() else 0.0
        lines.append(f"| {name} | {most:.2g} | {beyond:.2g} |")
        if beyond > FEW or here.shape != truth.shape:
            bad.append(name)
    if bad:
        raise Wrong("\n".join([*lines, "", f"beyond: {', '.join(bad)}"]))
    return lines


def _stages(bench, shot, params, where) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and result of each stage, worked out from the CPU's results of those before."""
    prepared = prepare_on(bench.scene, where)
    for number, group in enumerate(prepared.groups):
        flow = animation.group_flow(prepared.scene, group, 2.5, backward=True, lift=params.lift)
        yield f"flow and lift, group {number}", flow.displacement
    rest = animation._placed(
        prepared, shot, prepared.static_positions, prepared.static_neighbours, params
    )
    yield "placed points, px", rest.pixels
    yield "their radius, px", rest.radius
    height, width = shot.camera.height, shot.camera.width
    on_cpu = prepare_on(bench.scene, CPU)
    points = animation._placed(
        on_cpu, shot, on_cpu.static_positions, on_cpu.static_neighbours, params
    )
    fragments = splat.rasterize(on_device(points, where), height, width, params=params.splat)
    yield "fragments: which points", fragments.index
    yield "fragments: weights", fragments.weight
    pair = animation.splat_directions(on_cpu, shot, 3, params, motion_vectors=True)
    for name, image in zip(
        ("forward", "backward"),
        animation.splat_directions(prepared, shot, 3, params, motion_vectors=True),
        strict=True,
    ):
        yield f"{name} cloud", image.features
    yield from _of_pictures(bench, pair, where)
    for name, choice, vectors in (
        ("frame with decoder", "scene", False),
        ("frame without", "none", False),
    ):
        drawer = frame_drawer(bench.scene, where, decoder=choice)
        yield name, drawer(shot, 3, vectors).rgb
    small = smaller_scene(bench.scene, 2)
    yield "preview", frame_drawer(small, where, decoder="none")(shot, 3, True).rgb


def _of_pictures(
    bench: Bench, pair: tuple[SplatImage, SplatImage], where: torch.device
) -> Iterator[tuple[str, torch.Tensor]]:
    channels = blend.splat_channels(bench.scene.cloud.features.shape[1])
    moved = [on_device(image, where) for image in pair]
    sharp = [restore_detail(image, channels) for image in moved]
    yield "detail", sharp[0].features[channels.rgb]
    mixed = blend.blend_directions(
        *sharp,
        channels,
        loop_phase=0.25,
        disparity_range=bench.scene.disparity_range,
        params=blend.BlendParams(),
    )
    yield "cross-fade and contrast", mixed.features
    image = blend.blend_directions(
        *(restore_detail(image, channels) for image in pair),
        channels,
        loop_phase=0.25,
        disparity_range=bench.scene.disparity_range,
        params=blend.BlendParams(),
    )
    alpha = image.alpha.clamp(0, 1).clone()
    alpha[:, 4:12, 4:16] = 0
    yield "holes", push_pull(image.features[channels.rgb].to(where), alpha.to(where))


def determinism(bench: Bench) -> list[str]:
    """The same frame again and again, with others between."""
    drawer = frame_drawer(bench.scene, CARD)
    shot = bench.shot(next(iter(bench.sizes.values())))
    first = drawer(shot, 3, True)
    for run in range(RUNS - 1):
        drawer(shot, run, False)
        again = drawer(shot, 3, True)
        for entry in fields(RenderedFrame):
            if not torch.equal(getattr(first, entry.name), getattr(again, entry.name)):
                raise Wrong(f"{entry.name} of run {run + 2} differs from that of run 1")
    return [f"{RUNS} runs of one frame, others between: equal bit for bit."]


def strips(bench: Bench) -> list[str]:
    """A frame with less memory than it asks for."""
    size = list(bench.sizes.values())[-1]
    if bench.dry:
        size = (320, 64)  # a strip and what it sees beside it have 240 rows
    shot, drawer = bench.shot(size), frame_drawer(bench.scene, CARD)
    whole = drawer(shot, 3, False).rgb
    with _little_memory(bench) as told:
        parts = drawer(shot, 3, False).rgb
    away = (whole - parts).abs()
    beyond = float((away > LEVEL).float().mean())
    line = f"{size[1]}x{size[0]} with {told}: largest difference {float(away.max()):.2g}, "
    line += f"share beyond 1/255 {beyond:.2g}."
    if beyond > FEW:
        raise Wrong(line)
    return [line]


@contextlib.contextmanager
def _little_memory(bench: Bench) -> Iterator[str]:
    """A tenth more than what is held now, or for the pretended card a small tensor at most."""
    if bench.dry:
        from tests.pretended_card import pretended_limit

        with pretended_limit(1_400_000):
            yield "tensors of at most 1.4 MB"
        return
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(CARD).total_memory
    allowed = torch.cuda.memory_allocated(CARD) + 500 * 2**20
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / whole), CARD)
    try:
        yield f"{allowed / 2**20:.0f} MiB"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, CARD)


def _networks() -> dict[str, tuple[Callable[[], nn.Module], list[int]]]:
    """Every architecture with random weights, and the channels of each thing it looks at."""
    return {
        "see": (see.build, [3]),
        "motion": (motion.build, [13]),
        "inpainting": (inpainting.build, [3, 1, 1]),
        "features": (features.build, [features.PLANES]),
        "decoder": (decoder.build, [decoder.BASE_PLANES + 6]),
        "official features": (feature_net.build, [4]),
        "official decoder": (image_decoder.build, [37]),
        "official motion": (motion_net.build, [6]),
        "official discriminator": (discriminator.build, [3]),
        "official inpainting": (lambda: inpainting_nets.build(kind="color"), [3, 1, 1]),
    }


def training(bench: Bench) -> list[str]:
    """One optimiser step of every network: the same loss and nearly the same weights."""
    lines = ["| network | loss on CPU | on the card | largest difference of a gradient |"]
    lines.append("|---|---|---|---|")
    bad = []
    for name in _networks():
        losses, gradients = zip(*(_step(name, where) for where in (CPU, CARD)), strict=True)
        away = max(
            float((a - b).abs().max() / a.abs().max().clamp(min=1e-6))
            for a, b in zip(*gradients, strict=True)
        )
        lines.append(f"| {name} | {losses[0]:.5f} | {losses[1]:.5f} | {away:.1e} |")
        if abs(losses[0] - losses[1]) > 1e-3 * max(1.0, abs(losses[0])) or away > 0.02:
            bad.append(name)
    if bad:
        raise Wrong("\n".join([*lines, "", f"too far off: {', '.join(bad)}"]))
    return lines


def _step(name: str, where: torch.device) -> tuple[float, list[torch.Tensor]]:
    torch.manual_seed(1)
    build, planes = _networks()[name]
    network = build().to(where).eval()  # without dropout, whose numbers differ
    side = 256 if name == "official motion" else 64
    generator = torch.Generator().manual_seed(2)
    pictures = [torch.rand(1, count, side, side, generator=generator).to(where) for count in planes]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    loss = sum((part.float() - 0.5).square().mean() for part in _parts(network(*pictures)))
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    optimiser.step()
    changed = any(bool((a != b).any()) for a, b in zip(before, network.parameters(), strict=True))
    assert changed, f"{name}: the step changed nothing"
    gradients = [p.grad.detach().to(CPU) for p in network.parameters() if p.grad is not None]
    return float(loss.detach()), gradients


def _parts(found: object) -> list[torch.Tensor]:
    """The tensors of what a network returns."""
    if isinstance(found, torch.Tensor):
        return [found]
    if isinstance(found, dict):
        return [part for value in found.values() for part in _parts(value)]
    if isinstance(found, list | tuple):
        return [part for value in found for part in _parts(value)]
    return [part for value in vars(found).values() for part in _parts(value)]
