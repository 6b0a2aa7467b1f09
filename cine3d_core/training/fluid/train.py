"""Training of the fluid network: `cine3d train fluid STEP ...`.

views    vary the outlined photographs and store what the frozen encoder sees of them
fit      train the decoder on them, resumable; --fold leaves a fifth of the photographs out
export   write the shipped weights
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.models.store import save_network
from cine3d_core.networks import fluid as networks
from cine3d_core.training.fluid.composites import SKY, SMOKE, UNKNOWN, WATER
from cine3d_core.training.fluid.views import (
    SIZES,
    FluidPhoto,
    FluidView,
    make_scene_view,
    make_view,
    read_photos,
    read_scenes,
)
from cine3d_core.training.loop import append_row, drop_later_rows, rate_at, update_average

STRIDE = 4  # of the finest features and of the labels
FOLDS = 5
VIEWS_OF_A_SCENE = 16
# two views of one place must not stand on both sides of a fold
SAME_PLACE = {"cv-leuvenB": "cv-leuvenA", "cv-aero3": "cv-aero1"}


@dataclass(frozen=True)
class FluidTrainingConfig:
    """How the decoder is trained."""

    steps: int = 800  # optimiser steps
    batch: int = 16
    scenes_share: float = 0.25  # of the views in a batch, when there are synthetic scenes
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    cooldown_share: float = 0.5  # of the steps, at the end, falling to zero
    average_decay: float = 0.99  # of the running mean of the weights, which is what ships
    class_weights: tuple[float, ...] = (1.0, 1.0, 1.5, 1.5)  # as networks.fluid.CLASSES
    label_smoothing: float = 0.02
    checkpoint_steps: int = 100
    seed: int = 7
    architecture: dict[str, Any] = field(default_factory=dict)  # of networks.fluid.build


@dataclass(frozen=True)
class FluidViews:
    """Stored views of one size."""

    features: list[NDArray[np.float16]]  # [N, C, h, w] each, fine to coarse
    classes: NDArray[np.uint8]  # [N, h, w] at the finest features' size
    photo: NDArray[np.int16]  # [N] number among the training photographs by name, or -1
    donor: NDArray[np.int16]  # [N] likewise


# --------------------------------------------------------------------- views


def views_of(photo: FluidPhoto) -> int:
    """How many views a photograph deserves: water is rare, sky is not."""
    if (photo.classes == WATER).any():
        return 70
    return 48 if (photo.classes == SKY).any() else 36


def store_views(photos: Path, outlines: Path, encoder: Path, data: Path, seed: int) -> None:
    """Make all views of the training photographs and store their features."""
    found = read_photos(photos, outlines, "train")
    plan = [(n, i) for n, photo in enumerate(found) for i in range(views_of(photo))]
    views = (make_view(found, n, np.random.default_rng([seed, n, i])) for n, i in plan)
    _store(views, len(plan), encoder, data, "photo")


def store_scenes(scenes: Path, encoder: Path, data: Path, seed: int) -> None:
    """Make views of rendered scenes with exact classes and store their features."""
    found = read_scenes(scenes)
    plan = [(n, i) for n in range(len(found)) for i in range(VIEWS_OF_A_SCENE)]
    views = (make_scene_view(found[n], np.random.default_rng([seed, n, i])) for n, i in plan)
    _store(views, len(plan), encoder, data, "scene")


@torch.no_grad()
def _store(views: Any, count: int, encoder: Path, data: Path, kind: str) -> None:
    """Write `kind`0.npz, `kind`1.npz: one file for each size of view."""
    network = networks.FluidEncoder().eval()
    state = torch.load(encoder, map_location="cpu", weights_only=True)
    network.load_state_dict(networks.encoder_from_imagenet(state))
    groups: list[list[tuple[list[np.ndarray], FluidView]]] = [[] for _ in SIZES]
    for view in tqdm(views, total=count, desc=kind):
        rgb = torch.from_numpy(view.rgb).permute(2, 0, 1)[None].float() / 255
        # a mixture of sizes cannot be a batch; one view at a time costs the same on a CPU
        with torch.autocast("cpu", torch.bfloat16):
            # the channels' order decides the speed: twice as fast
            maps = network(rgb.contiguous(memory_format=torch.channels_last))
        group = SIZES.index(view.classes.shape)
        groups[group].append(([m[0].contiguous().half().numpy() for m in maps], view))
    data.mkdir(parents=True, exist_ok=True)
    for number, group in enumerate(groups):
        if group:
            with replacing(data / f"{kind}{number}.npz") as temporary, open(temporary, "wb") as out:
                np.savez(out, allow_pickle=False, **_arrays(group))


def _arrays(group: list[tuple[list[np.ndarray], FluidView]]) -> dict[str, np.ndarray]:
    levels = range(len(group[0][0]))
    arrays = {f"features{i}": np.stack([maps[i] for maps, _ in group]) for i in levels}
    middle = STRIDE // 2
    arrays["classes"] = np.stack([v.classes[middle::STRIDE, middle::STRIDE] for _, v in group])
    arrays["photo"] = np.array([v.photo for _, v in group], np.int16)
    arrays["donor"] = np.array([v.donor for _, v in group], np.int16)
    return arrays


def load_views(data: Path, kind: str, left_out: Sequence[int] = ()) -> list[FluidViews]:
    """The stored views of each size, less those with anything of the photographs left out."""
    groups = []
    for path in sorted(data.glob(f"{kind}[0-9].npz")):
        with np.load(path, allow_pickle=False) as stored:
            keep = ~np.isin(stored["photo"], left_out) & ~np.isin(stored["donor"], left_out)
            levels = sum(name.startswith("features") for name in stored.files)
            groups.append(
                FluidViews(
                    [stored[f"features{i}"][keep] for i in range(levels)],
                    stored["classes"][keep],
                    stored["photo"][keep],
                    stored["donor"][keep],
                )
            )
    return groups


def folds(photos: Sequence[FluidPhoto]) -> list[list[int]]:
    """Numbers of the photographs in each fold, every kind of content spread evenly."""

    def contents(number: int) -> tuple[list[bool], str]:
        classes = photos[number].classes
        return [bool((classes == kind).any()) for kind in (WATER, SKY, SMOKE)], photos[number].name

    names = [photo.name for photo in photos]
    leaders = [n for n in range(len(photos)) if names[n] not in SAME_PLACE]
    members: list[list[int]] = [[] for _ in range(FOLDS)]
    for rank, number in enumerate(sorted(leaders, key=contents)):
        members[rank % FOLDS].append(number)
    for follower, leader in SAME_PLACE.items():
        if follower in names:
            home = next(fold for fold in members if names.index(leader) in fold)
            home.append(names.index(follower))
    return members


# ----------------------------------------------------------------------- fit


def loss_of(logits: Tensor, classes: Tensor, config: FluidTrainingConfig) -> Tensor:
    """Weighted cross entropy of logits [B, 4, h, w] against classes [B, h, w]."""
    return F.cross_entropy(
        logits,
        classes.long(),
        weight=logits.new_tensor(config.class_weights),
        ignore_index=UNKNOWN,
        label_smoothing=config.label_smoothing,
    )


def draw_batch(
    groups: Sequence[FluidViews], count: int, random: np.random.Generator
) -> tuple[list[Tensor], Tensor]:
    """Features and classes of random views of one size."""
    sizes = np.array([len(group.classes) for group in groups], np.float64)
    group = groups[int(random.choice(len(groups), p=sizes / sizes.sum()))]
    rows = np.sort(random.choice(len(group.classes), min(count, len(group.classes)), replace=False))
    features = [
        torch.from_numpy(level[rows]).float().contiguous(memory_format=torch.channels_last)
        for level in group.features
    ]
    return features, torch.from_numpy(group.classes[rows])


@dataclass
class FluidRun:
    """A decoder in training; what a checkpoint holds."""

    decoder: nn.Module
    average: dict[str, Tensor]  # running mean of its weights
    optimizer: torch.optim.Optimizer
    step: int = 0


def start(config: FluidTrainingConfig) -> FluidRun:
    """A decoder before its first step."""
    torch.manual_seed(config.seed)
    decoder = networks.build(**config.architecture).decoder
    average = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    optimizer = torch.optim.AdamW(
        decoder.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return FluidRun(decoder, average, optimizer)


def fit(
    data: Path, out: Path, config: FluidTrainingConfig, left_out: Sequence[int]
) -> dict[str, Tensor]:
    """Train to the end, going on from the last checkpoint; the mean weights of the decoder."""
    photos, scenes = load_views(data, "photo", left_out), load_views(data, "scene")
    if not photos:
        raise InputError(f"{data} holds no views; make them with the step views")
    run = start(config)
    _resume(run, out / "checkpoint.pt")
    drop_later_rows(out / "losses.csv", run.step)
    run.decoder.train()
    started = time.monotonic()
    for step in tqdm(range(run.step, config.steps), desc="fit", mininterval=20):
        loss = train_step(run, photos, scenes, config)
        if (step + 1) % 25 == 0:
            seconds = round(time.monotonic() - started, 1)
            append_row(out / "losses.csv", {"step": step + 1, "loss": loss, "seconds": seconds})
        if (step + 1) % config.checkpoint_steps == 0 or step + 1 == config.steps:
            save(run, out / "checkpoint.pt")
    return run.average


def train_step(
    run: FluidRun,
    photos: Sequence[FluidViews],
    scenes: Sequence[FluidViews],
    config: FluidTrainingConfig,
) -> float:
    """One optimiser step; its loss."""
    # a step's numbers depend on the seed and the step alone, so a resumed run is the same run
    random = np.random.default_rng([config.seed, run.step])
    torch.manual_seed(config.seed * 1_000_003 + run.step)  # dropout
    share = config.scenes_share if scenes else 0.0
    counts = (config.batch - round(share * config.batch), round(share * config.batch))
    for group in run.optimizer.param_groups:
        group["lr"] = config.learning_rate * rate_at(run.step, config)
    run.optimizer.zero_grad()
    total = 0.0
    for groups, count in zip((photos, scenes), counts, strict=True):
        if count:
            features, classes = draw_batch(groups, count, random)
            with torch.autocast("cpu", torch.bfloat16):
                logits = run.decoder(features)
            loss = loss_of(logits.float(), classes, config) * (count / config.batch)
            loss.backward()
            total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(run.decoder.parameters(), 1.0)
    run.optimizer.step()
    update_average(run.average, run.decoder, step=run.step, decay=config.average_decay)
    run.step += 1
    return total


def save(run: FluidRun, path: Path) -> None:
    """Write a checkpoint that `fit` goes on from."""
    content = {
        "decoder": run.decoder.state_dict(),
        "average": run.average,
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        torch.save(content, temporary)


def _resume(run: FluidRun, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        stored = torch.load(path, map_location="cpu", weights_only=True)
        run.decoder.load_state_dict(stored["decoder"])
        run.average.update(stored["average"])
        run.optimizer.load_state_dict(stored["optimizer"])
        run.step = stored["step"]


# ---------------------------------------------------------------- the command


def trained_network(
    checkpoint: Path, encoder: Path, config: FluidTrainingConfig
) -> networks.FluidNetwork:
    """The whole network with the mean weights of a checkpoint."""
    network = networks.build(**config.architecture)
    state = torch.load(encoder, map_location="cpu", weights_only=True)
    network.encoder.load_state_dict(networks.encoder_from_imagenet(state))
    stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network.decoder.load_state_dict(stored["average"])
    return network.eval()


def export(checkpoint: Path, encoder: Path, folder: Path, config: FluidTrainingConfig) -> None:
    """Write the model folder that `load_network` finds."""
    save_network(
        folder,
        trained_network(checkpoint, encoder, config),
        kind="fluid",
        architecture=config.architecture,
        license="GPL-3.0-or-later; the encoder is EfficientNet-Lite0's, Apache-2.0",
        description="Sky, water and smoke of a photograph, 3.5 M parameters",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the training's steps to a parser."""
    steps = parser.add_subparsers(dest="step", required=True)
    views = steps.add_parser("views", help="vary photographs and store the encoder's features")
    views.add_argument("photos", type=Path, help="folder of the photographs")
    views.add_argument("--outlines", type=Path, required=True, help="folder of their outlines")
    views.add_argument("--seed", type=int, default=7)
    scenes = steps.add_parser("scenes", help="store the features of rendered scenes")
    scenes.add_argument("scenes", type=Path, help="folder of NAME/still.png and NAME/classes.png")
    scenes.add_argument("--seed", type=int, default=7)
    fitting = steps.add_parser("fit", help="train the decoder, going on from its checkpoint")
    fitting.add_argument("--out", type=Path, required=True, help="folder of the checkpoint and log")
    fitting.add_argument("--steps", type=int, default=FluidTrainingConfig.steps)
    fitting.add_argument("--seed", type=int, default=FluidTrainingConfig.seed)
    fitting.add_argument("--fold", type=int, choices=range(FOLDS), help="photographs to leave out")
    fitting.add_argument("--photos", type=Path, help="folder of the photographs, with --fold")
    fitting.add_argument("--outlines", type=Path, help="folder of their outlines, with --fold")
    writing = steps.add_parser("export", help="write the model folder")
    writing.add_argument("checkpoint", type=Path)
    writing.add_argument("--out", type=Path, required=True)
    for step in (views, scenes, writing):
        step.add_argument("--encoder", type=Path, required=True, help="EfficientNet-Lite0 weights")
    for step in (views, scenes, fitting):
        step.add_argument("--data", type=Path, required=True, help="folder of stored features")
        step.add_argument("--threads", type=int, default=1)


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "export":
        export(args.checkpoint, args.encoder, args.out, FluidTrainingConfig())
        return
    torch.set_num_threads(args.threads)
    if args.step == "views":
        store_views(args.photos, args.outlines, args.encoder, args.data, args.seed)
    elif args.step == "scenes":
        store_scenes(args.scenes, args.encoder, args.data, args.seed)
    else:
        fit(
            args.data,
            args.out,
            FluidTrainingConfig(steps=args.steps, seed=args.seed),
            _left_out(args),
        )


def _left_out(args: argparse.Namespace) -> list[int]:
    if args.fold is None:
        return []
    if args.photos is None or args.outlines is None:
        raise InputError("--fold needs --photos and --outlines; pass both folders")
    return folds(read_photos(args.photos, args.outlines, "train"))[args.fold]
