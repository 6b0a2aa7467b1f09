"""How fast a card is: builds, frames of all kinds, memory, and how near to what it could do."""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from cine3d_core.families import build_scene
from cine3d_core.files.models.networks import Networks
from cine3d_core.official.frame import official_frames
from cine3d_core.output.clip import frame_drawer, prepare_on
from cine3d_core.output.hand_over import FrameDrawer, Promise
from cine3d_core.render.coarse import preview_of, smaller_scene
from cine3d_core.render.decode import LearnedDecoder
from cine3d_core.render.decoder_choice import open_decoder, without_features
from cine3d_core.settings import BuildSettings
from tests.benchmarks.official import filled_network, official_scene
from tests.card_check import arithmetic
from tests.card_check.bench import CARD, CPU, HINTS, PHOTO, Bench

# What an H100-class card is asked for, frames per second.
WANTED = {
    "without decoder, 1280x720": 120,
    "with decoder, 1280x720": 60,
    "with decoder, 3840x2160": 15,
    "preview": 200,
    "the official networks": 20,
}

HEADER = (
    "| frame | frames/s | one frame alone, ms | starting it, ms | memory, MiB | wanted |",
    "|---|---|---|---|---|---|",
)


def ceilings(bench: Bench) -> list[str]:
    """What the card reaches with a large copy and a large product."""
    side, count = (64, 2**12) if bench.dry else (8192, 2**28)
    a = torch.rand(side, side, device=CARD).half()
    source, target = torch.rand(count, device=CARD), torch.empty(count, device=CARD)
    product, copy = bench.median(lambda: a @ a), bench.median(lambda: target.copy_(source))
    return [
        f"- copy: {8 * count / copy / 1e9:.0f} GB/s (read and written)",
        f"- product of matrices in half precision: {2 * side**3 / product / 1e12:.1f} TFLOP/s",
    ]


def frames(bench: Bench) -> list[str]:
    """Frames per second of a clip, one frame's wait, memory and the waits of a frame."""
    lines = [*HEADER]
    plain, decoded = (
        frame_drawer(bench.scene, CARD, decoder=choice) for choice in ("none", "scene")
    )
    for name, size in bench.sizes.items():
        kinds = {"without decoder": (plain, False), "with decoder": (decoded, False)}
        if name == next(iter(bench.sizes)):
            kinds["with decoder and motion vectors"] = (decoded, True)
        for kind, (drawer, vectors) in kinds.items():
            lines.append(_timed(bench, f"{kind}, {name}", drawer, size, vectors))
    small = preview_of(bench.scene) if not bench.dry else smaller_scene(bench.scene, 2)
    height, width = next(iter(bench.sizes.values()))
    drawer = frame_drawer(small, CARD, decoder="none")
    lines.append(_timed(bench, "preview", drawer, (height // 2, width // 2), False))
    return lines


def _timed(
    bench: Bench, name: str, drawer: FrameDrawer, size: tuple[int, int], vectors: bool
) -> str:
    """A row: a clip with two frames under way, as bytes; and a frame that is waited for.

    Of a frame, "starting it" is what the processor does before it waits: more than that a captured
    graph could not save.
    """
    shots = [bench.shot(size, frame) for frame in range(bench.repeats)]
    torch.cuda.reset_peak_memory_stats(CARD)
    for frame in (0, 1):  # compiled, and room made
        drawer(shots[frame], frame, vectors)
    bench.wait()
    started = time.perf_counter()
    waiting: deque = deque()
    for frame, shot in enumerate(shots):
        waiting.append(drawer.begin(shot, frame, vectors, colours_only=not vectors))
        if len(waiting) >= drawer.ahead:
            waiting.popleft()()
    while waiting:
        waiting.popleft()()
    rate = len(shots) / (time.perf_counter() - started)
    alone = bench.median(lambda: drawer.begin(shots[1], 1, vectors, colours_only=not vectors)())
    starting = _starting(bench, lambda: drawer.begin(shots[1], 1, vectors, colours_only=True))
    memory = torch.cuda.max_memory_allocated(CARD) >> 20
    wanted = WANTED.get(name)
    verdict = ""
    if wanted is not None and not bench.dry:
        verdict = f"{wanted}: {'yes' if rate >= wanted else 'NO'}"
    row = f"| {name} | {rate:.1f} | {1e3 * alone:.2f} | {1e3 * starting:.2f} | {memory} |"
    return f"{row} {verdict} |"


def _starting(bench: Bench, begin: Callable[[], Promise]) -> float:
    """Median seconds until a frame is under way."""
    times = []
    for _ in range(5):
        bench.wait()
        started = time.perf_counter()
        promise = begin()
        times.append(time.perf_counter() - started)
        promise()
    return sorted(times)[2]


def official(bench: Bench) -> list[str]:
    """The official networks, filled by rule: the arithmetic is that of their checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        scene = _official_scene(bench, Path(folder))
    drawn = official_frames(scene, Networks(load=filled_network), CARD)
    drawer = FrameDrawer(lambda shot, frame, vectors: drawn(shot.camera, round(frame)), CARD)
    row = _timed(bench, "the official networks", drawer, (scene.camera.height, scene.camera.width),
                 False)  # fmt: skip
    on_cpu = official_frames(scene, Networks(load=filled_network), CPU)
    camera = bench.shot((scene.camera.height, scene.camera.width)).camera
    away = (drawn(camera, 3).rgb.to(CPU) - on_cpu(camera, 3).rgb).abs()
    beyond = float((away > 1 / 255).float().mean())
    return [*HEADER, row, "", f"Against the CPU: share beyond 1/255 {beyond:.2g}."]


def _official_scene(bench: Bench, folder: Path):
    """Their scene of the sample photo, small in the dry form."""
    if not bench.dry:
        return official_scene(PHOTO, HINTS, 60)
    from tests.core.official.test_build import scene

    return scene()


def build(bench: Bench) -> list[str]:
    """The sample photo's scene built with the card, and with the CPU alone."""
    size, preset = (160, "draft") if bench.dry else (1280, "default")
    lines = ["| build | seconds |", "|---|---|"]
    scenes = {}
    for where in (CARD, CPU):
        settings = BuildSettings(hints=HINTS, device=str(where), size=size, preset=preset)
        started = time.perf_counter()
        scenes[where] = build_scene(PHOTO, settings)
        lines.append(f"| {size} px on {where} | {time.perf_counter() - started:.2f} |")
    depths: list[Tensor] = [scenes[where].layer_depth for where in (CARD, CPU)]
    same = depths[0].shape == depths[1].shape
    away = float(((depths[0] - depths[1]).abs() / depths[1]).max()) if same else float("inf")
    return [*lines, "", f"Largest relative difference of a layer's depth: {away:.2g}."]


def stages(bench: Bench) -> list[str]:
    """What a frame moves and multiplies, counted, and how long a card takes for that at least."""
    lines = []
    network = open_decoder(bench.scene, Networks(), CPU)
    assert isinstance(network, LearnedDecoder)
    for name, size in list(bench.sizes.items())[:: 2 if not bench.dry else 1]:
        for decoder in (None, network.network):
            scene = bench.scene if decoder is not None else without_features(bench.scene)
            prepared = prepare_on(scene, CARD)
            counts = arithmetic.counted(prepared, bench.shot(size), 3)
            kind = "without decoder" if decoder is None else "with decoder"
            lines += [
                "",
                f"**{name}, {kind}:** {counts.resting} static points, {counts.moving} moving ones "
                f"in each direction, {counts.fragments} fragments.",
                "",
                *arithmetic.table(arithmetic.stages(counts, decoder, size)),
            ]
    return lines


def waits(bench: Bench, told: list[str]) -> list[str]:
    """How often a frame waits for the (pretended) card."""
    drawer = frame_drawer(bench.scene, CARD)
    shot = bench.shot(next(iter(bench.sizes.values())))
    drawer(shot, 1, True)
    told.clear()
    promise = drawer.begin(shot, 2, True)
    before = len(told)
    promise()
    line = f"A frame waits {before} times before its last copy, {len(told)} times with it."
    assert before == 0 and len(told) <= 3, line
    return [line, "", _started(lambda: drawer.begin(shot, 2, False, colours_only=True)())]


def _started(draw: Callable[[], object]) -> str:
    """How much a frame gives the card to do."""
    import warp

    from tests.pretended_card import operations

    before = operations()
    with patch.object(warp, "launch", wraps=warp.launch) as kernels:
        draw()
    given = operations() - before
    return f"It starts {kernels.call_count} kernels of ours and {given} operations of torch."
