"""Training of the compact depth and sky network: `cine3d train depth STEP ...`.

photos   pack labelled photo crops          scenes   render synthetic scenes
fit      train on both, resumable           export   write the shipped weights
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.networks import depth as networks
from cine3d_core.training.depth import data as depth_data
from cine3d_core.training.depth import losses
from cine3d_core.training.depth.data import DepthBatch, DepthFiles
from cine3d_core.training.loop import (
    append_row,
    load_states,
    rate_at,
    save_states,
    train_to_end,
    update_average,
)


@dataclass(frozen=True)
class DepthTrainingConfig:
    """How the network is trained."""

    steps: int = 2900  # optimiser steps
    photos_per_step: int = 2  # teacher-labelled crops in a batch
    scenes_per_step: int = 2  # exact synthetic pictures in a batch
    early_sizes: tuple[tuple[int, int], ...] = ((160, 224), (224, 160), (192, 192))  # height, width
    late_sizes: tuple[tuple[int, int], ...] = ((224, 288), (288, 224), (256, 256))
    late_share: float = 0.3  # of the steps, at the end, at the late sizes
    learning_rate: float = 2e-3  # of the decoder
    encoder_rate: float = 0.1  # of that for the pretrained encoder
    weight_decay: float = 0.02
    warmup_steps: int = 50
    cooldown_share: float = 0.3  # of the steps, at the end, falling to zero
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    gradient_weight: float = 0.25  # of edges, beside the disparity error, for exact labels
    teacher_gradient_weight: float = 0.1  # the same for teacher labels, whose edges are soft
    teacher_kept_share: float = 0.8  # best share of the pixels of a teacher's label that count
    sky_weight: float = 0.3
    checkpoint_steps: int = 200  # between checkpoints, validations and previews
    validation_pictures: int = 32  # of each kind
    validation_scenes: int = 100  # lowest seeds held out
    validation_photos: tuple[str, ...] = (
        "Bridge",
        "FigBowl",
        "Garden",
        "cv-leuvenA",
        "cv-leuvenB",
        "cv-street3",
        "this-is-not-windows",
    )
    bfloat16: bool = True  # activations; weights and losses stay float32
    seed: int = 7
    architecture: dict[str, Sequence[int]] = field(default_factory=dict)  # of networks.depth.build


@dataclass(frozen=True)
class LossTerms:
    """Parts of the loss, each already weighted except `total`, their sum."""

    total: Tensor
    disparity: Tensor
    edges: Tensor
    sky: Tensor


# --------------------------------------------------------------------- maths


def loss_terms(prediction: Tensor, batch: DepthBatch, config: DepthTrainingConfig) -> LossTerms:
    """Weighted loss of a prediction [B, 2, H, W]."""
    residual = losses.normalised(prediction[:, :1]) - losses.normalised(batch.disparity)
    exact = batch.exact
    kept = exact + (1 - exact) * config.teacher_kept_share
    edge_weight = exact * config.gradient_weight + (1 - exact) * config.teacher_gradient_weight
    disparity = losses.trimmed_error(residual, kept).mean()
    edges = (edge_weight * losses.gradient_error(residual)).mean()
    sky = config.sky_weight * losses.sky_error(prediction[:, 1:], batch.sky)
    return LossTerms(disparity + edges + sky, disparity, edges, sky)


# ----------------------------------------------------------------------- run


class Trainer:
    """Network, optimiser and running mean; depends on checkpoint, config and data alone."""

    def __init__(self, config: DepthTrainingConfig, files: tuple[DepthFiles, DepthFiles]) -> None:
        self.config = config
        self.training, self.validation = files
        torch.manual_seed(
            config.seed
        )  # only the starting weights; every draw has its own generator
        self.network = networks.build(**config.architecture)
        # pyright knows only torch's other spellings of to()
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        encoder = list(self.network.encoder.parameters())
        known = {id(parameter) for parameter in encoder}
        decoder = [p for p in self.network.parameters() if id(p) not in known]
        groups = [
            {"params": encoder, "scale": config.encoder_rate},
            {"params": decoder, "scale": 1.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.restart_average()

    def restart_average(self) -> None:
        """The running mean becomes the present weights."""
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def averaged(self) -> networks.DepthNetwork:
        """The network that would ship now, in evaluation mode."""
        network = networks.build(**self.config.architecture)
        network.load_state_dict(self.average)
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return network.eval()

    def draw(self) -> DepthBatch:
        """The batch of this step, whatever came before."""
        config = self.config
        generator = np.random.default_rng([config.seed, self.step])
        late = self.step >= (1 - config.late_share) * config.steps
        sizes = config.late_sizes if late else config.early_sizes
        size = sizes[generator.integers(len(sizes))]
        counts = {"photos": config.photos_per_step, "scenes": config.scenes_per_step}
        return depth_data.draw_batch(self.training, size, generator=generator, **counts)

    def advance(self) -> LossTerms:
        """One optimiser step."""
        config, batch = self.config, self.draw()
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * rate_at(self.step, config)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            prediction = self.network(batch.rgb.to(memory_format=torch.channels_last))
        terms = loss_terms(prediction.float(), batch, config)
        self.optimizer.zero_grad()
        terms.total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return terms

    def validation_batches(self) -> Iterable[tuple[str, DepthBatch]]:
        """Held-out pictures, the same ones each time, evenly spread over the files."""
        config, size = self.config, self.config.late_sizes[0]
        for kind, paths in (("photos", self.validation.photos), ("scenes", self.validation.scenes)):
            for number in range(min(config.validation_pictures, len(paths))):
                path = paths[number * len(paths) // min(config.validation_pictures, len(paths))]
                generator = np.random.default_rng([config.seed, number])
                view = depth_data.random_view(depth_data.read_planes(path), size, generator)
                yield kind, depth_data.to_batch([view], [kind == "scenes"])

    @torch.no_grad()
    def validate(self, preview: Path) -> dict[str, float]:
        """Mean normalised error of the averaged weights by kind of picture, and a preview."""
        network = self.averaged()
        errors: dict[str, list[float]] = {"photos": [], "scenes": [], "sky": []}
        rows = []
        for kind, batch in self.validation_batches():
            prediction = network(batch.rgb)
            residual = losses.normalised(prediction[:, :1]) - losses.normalised(batch.disparity)
            errors[kind].append(float(residual.abs().mean()))
            errors["sky"].append(float(losses.sky_error(prediction[:, 1:], batch.sky)))
            if len(errors[kind]) % 4 == 1:
                rows.append(preview_row(batch, prediction))
        cv2.imwrite(str(preview), np.vstack(rows))
        return {kind: float(np.mean(values)) for kind, values in errors.items() if values}

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        save_states(self, _SAVED, path)

    def load(self, path: Path) -> None:
        """Continues from a checkpoint."""
        load_states(self, _SAVED, path)


_SAVED = ("network", "optimizer")


def preview_row(batch: DepthBatch, prediction: Tensor) -> np.ndarray:
    """BGR bytes: photo, label, prediction, sky side by side."""
    planes = []
    for disparity in (batch.disparity[0, 0], prediction[0, 0]):
        stretched = (disparity - disparity.amin()) / (disparity.amax() - disparity.amin()).clamp(
            min=1e-6
        )
        grey = (stretched.numpy() * 255).astype(np.uint8)
        planes.append(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO))
    photo = (batch.rgb[0].permute(1, 2, 0).numpy()[:, :, ::-1] * 255).astype(np.uint8)
    sky = (prediction[0, 1].sigmoid().numpy() * 255).astype(np.uint8)
    return np.hstack([photo, *planes, cv2.cvtColor(sky, cv2.COLOR_GRAY2BGR)])


def train(config: DepthTrainingConfig, data: Path, out: Path, *, encoder: Path | None) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one."""
    files = depth_data.split_files(
        depth_data.find_files(data),
        validation_photos=config.validation_photos,
        validation_scenes=config.validation_scenes,
    )
    trainer = Trainer(config, files)
    if encoder is not None and not (out / "checkpoint.pt").exists():
        state = networks.encoder_state_from_imagenet(torch.load(encoder, weights_only=True))
        trainer.network.encoder.load_state_dict(state)
        trainer.restart_average()

    def report() -> None:
        errors = trainer.validate(out / f"preview{trainer.step:06d}.png")
        append_row(out / "validation.csv", {"step": trainer.step, **errors})

    return train_to_end(trainer, config, out, report)


def export(checkpoint: Path, folder: Path, config: DepthTrainingConfig) -> None:
    """Writes the running mean of a checkpoint as a model folder, weights in float16."""
    from cine3d_core.files.models.store import save_network

    network = networks.build(**config.architecture)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    save_network(
        folder,
        network,
        kind="depth",
        architecture=config.architecture,
        license="GPL-3.0-or-later; the encoder started from EfficientNet-Lite0, Apache-2.0",
        description="Relative disparity and sky of a photograph, 3.3 M parameters",
    )


# -------------------------------------------------------------- command line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of depth training to a parser."""
    defaults = DepthTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    photos = steps.add_parser("photos", help="pack labelled crops and cut textures out of them")
    photos.add_argument(
        "crops", type=Path, nargs="+", help="folders of NAME.jpg with .disparity.png and .sky.png"
    )
    photos.add_argument(
        "--textures", type=int, default=600, help="texture squares to cut (default 600)"
    )
    photos.add_argument("--seed", type=int, default=defaults.seed)
    scenes = steps.add_parser("scenes", help="render synthetic scenes; continues where it stopped")
    scenes.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "END"))
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument(
        "--out", type=Path, required=True, help="folder of checkpoint, logs and previews"
    )
    fit.add_argument(
        "--encoder", type=Path, help="ImageNet weights of EfficientNet-Lite0 to start from (.pth)"
    )
    fit.add_argument("--steps", type=int, default=defaults.steps, help=f"default {defaults.steps}")
    fit.add_argument("--seed", type=int, default=defaults.seed)
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    for step in (photos, scenes, fit):
        step.add_argument("--data", type=Path, required=True, help="folder of packed pictures")
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "photos":
        total = sum(1 for _ in tqdm(depth_data.pack_photos(args.crops, args.data), unit="crop"))
        bank = depth_data.make_texture_bank(args.crops, count=args.textures, seed=args.seed)
        depth_data.write_bank(bank, args.data)
        counts = f"{total} crops, {len(bank.textures)} textures, {len(bank.skies)} skies"
        print(f"{counts} in {args.data}")
    elif args.step == "scenes":
        from cine3d_core.training.depth.scenes import render_scene  # compiles with numba: seconds

        render = partial(render_scene, depth_data.read_bank(args.data))
        made = depth_data.pack_scenes(render, range(*args.seeds), args.data)
        print(f"{sum(1 for _ in tqdm(made, unit='scene'))} scenes in {args.data}")
    elif args.step == "fit":
        torch.set_num_threads(args.threads)
        config = DepthTrainingConfig(steps=args.steps, seed=args.seed)
        print(f"trained: {train(config, args.data, args.out, encoder=args.encoder)}")
    else:
        export(args.checkpoint, args.out, DepthTrainingConfig())
        print(f"written: {args.out}")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the module."""
    parser = argparse.ArgumentParser(
        prog="python -m cine3d_core.training.depth.train", description=__doc__
    )
    add_arguments(parser)
    run(parser.parse_args(argv))


if __name__ == "__main__":
    main()
