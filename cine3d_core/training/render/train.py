"""Training of the renderer, features and decoder: `cine3d train render STEP ...` (stage 2, Eq. 8).

photos   pairs from photographs: warp away and restore     fit      train, resumable
scenes   pairs from synthetic scenes with true views       score    compare with the plain splat
clips    pairs from real clips and their flow              export   write the shipped weights
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cine3d_core.errors import InputError
from cine3d_core.networks.features import LATTICE
from cine3d_core.training.adversarial import (
    PatchDiscriminator,
    discriminator_loss,
    feature_matching,
    generator_loss,
)
from cine3d_core.training.loop import (
    append_row,
    load_states,
    rate_at,
    save_states,
    train_to_end,
    update_average,
)
from cine3d_core.training.perceptual import ImagenetFeatures
from cine3d_core.training.render import data as render_data
from cine3d_core.training.render import families
from cine3d_core.training.render.data import SCENE_PREFIX, RenderBatch, RenderPair


@dataclass(frozen=True)
class RenderTrainingConfig:
    """How features and decoder are trained."""

    family: Literal["compact", "official"] = "compact"
    steps: int = 1000  # optimiser steps
    batch: int = 8  # patches
    scene_share: float = 0.4  # of the patches, from synthetic scenes where there are any
    learning_rate: float = 8e-4
    largest_gradient: float = 0.05  # norm to which larger gradients are cut
    discriminator_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
    cooldown_share: float = 0.5  # of the steps, at the end, falling to zero
    average_decay: float = 0.997  # of the running mean of the weights, which is what ships
    invented_weight: float = 0.15  # of a pixel that shows only what was invented
    features_dropped: float = 0.0  # share of the samples drawn without features
    perceptual_weight: float = 0.06
    perceptual_every: int = 4  # steps; its weight then is as many times as large
    perceptual_patches: int = 4  # of the batch, at most
    gan_weight: float = 0.0002  # of the hinge loss; ten times that for feature matching (Eq. 8)
    gan_from: float = 0.8  # share of the steps after which the discriminator is heard
    gan_width: int = 16  # channels of the discriminator's first layer; 64 as published
    checkpoint_steps: int = 100
    validation_patches: int = 24  # of each kind
    validation: tuple[str, ...] = (  # pictures and scenes that are held out
        "Bridge",
        "BytheWater",
        "FallenLeaf",
        "FigBowl",
        "flowers",
        "seeding",
        "scene-train-01-lake-shore",
        "scene-train-06-rapids-across",
    )
    bfloat16: bool = True  # activations; weights and losses stay float32
    seed: int = 7
    # of networks.features.build and networks.decoder.build, or of the official ones
    architecture: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"decoder": {"features": LATTICE, "gated": True}}
    )


def official_config() -> RenderTrainingConfig:
    """The published schedule for the published networks (reference, section 3)."""
    return RenderTrainingConfig(
        family="official",
        steps=250_000,
        batch=1,
        learning_rate=1e-4,
        perceptual_weight=1.0,
        perceptual_every=1,
        gan_weight=1.0,
        gan_from=0.0,
        gan_width=64,
        checkpoint_steps=2500,
        architecture={},
    )


@dataclass(frozen=True)
class LossTerms:
    """Parts of the generator's loss, each already weighted except `total`, their sum."""

    total: Tensor
    l1: Tensor
    perceptual: Tensor
    gan: Tensor
    matching: Tensor


def weighted_error(picture: Tensor, batch: RenderBatch, invented_weight: float) -> Tensor:
    """Mean absolute error; what no photograph shows counts less, since nobody can know it."""
    weight = invented_weight + (1 - invented_weight) * batch.weight
    error = (picture - batch.target).abs() * weight
    return error.sum() / (3 * weight.sum()).clamp(min=1)


def where_seen(picture: Tensor, batch: RenderBatch) -> Tensor:
    """The picture where it can be judged, the true one elsewhere."""
    return torch.lerp(batch.target, picture, batch.weight)


def psnr(picture: Tensor, batch: RenderBatch) -> Tensor:
    """Peak signal to noise ratio in dB over what is seen, for each sample [B]."""
    seen = (batch.weight > 0.95).to(picture)
    squared = ((picture.clamp(0, 1) - batch.target) ** 2 * seen).sum(dim=(1, 2, 3))
    mean = squared / (3 * seen.sum(dim=(1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-6))


class Trainer:
    """Networks, optimisers and running mean; depends on checkpoint, config and data alone."""

    def __init__(
        self,
        config: RenderTrainingConfig,
        paths: Sequence[Path],
        judge: nn.Module,
        device: torch.device,
    ) -> None:
        self.config, self.judge, self.device = config, judge.to(device), device
        self.photos = [path for path in paths if not is_scene(path)]
        self.scenes = [path for path in paths if is_scene(path)]
        torch.manual_seed(config.seed)  # only the starting weights; draws have their own generator
        self.network = families.build(config.family, config.architecture).to(device)
        self.discriminator = PatchDiscriminator(3, width=config.gan_width).to(device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.critic = torch.optim.AdamW(
            self.discriminator.parameters(), config.discriminator_rate, betas=(0.0, 0.9)
        )
        self.step = 0
        self.best = -1.0  # dB, of the validations so far
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def draw(self) -> tuple[RenderBatch, Tensor]:
        """The batch of this step and which samples keep their features, whatever came before."""
        config = self.config
        generator = np.random.default_rng([config.seed, self.step])
        pairs = []
        for _ in range(config.batch):
            use_scene = generator.random() < config.scene_share
            paths = self.scenes if self.scenes and (use_scene or not self.photos) else self.photos
            pair = render_data.read_pair(paths[generator.integers(len(paths))])
            pairs.append(_turned(pair, generator))
        kept = generator.random(config.batch) >= config.features_dropped
        batch = render_data.on_device(render_data.to_batch(pairs), self.device)
        return batch, torch.from_numpy(kept).float().to(self.device)

    def advance(self) -> LossTerms:
        """One optimiser step of the networks, and of the discriminator once it is heard."""
        config = self.config
        batch, kept = self.draw()
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * rate_at(self.step, config)
        # bfloat16 needs no scaling of the loss; half the time on CPUs that know it, too
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16):
            picture = self.network(batch, kept)
        terms = self._loss(picture, batch)
        self.optimizer.zero_grad()
        terms.total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), config.largest_gradient)
        self.optimizer.step()
        update_average(self.average, self.network, step=self.step, decay=config.average_decay)
        self.step += 1
        return terms

    def _loss(self, picture: Tensor, batch: RenderBatch) -> LossTerms:
        """Eq. 8."""
        config = self.config
        l1 = weighted_error(picture, batch, config.invented_weight)
        judged = where_seen(picture, batch)
        perceptual = gan = matching = torch.zeros((), device=self.device)
        if self.step % config.perceptual_every == 0:
            few = slice(config.perceptual_patches)
            distance = self.judge(judged[few], batch.target[few])
            perceptual = config.perceptual_weight * config.perceptual_every * distance
        if config.gan_weight > 0 and self.step >= config.gan_from * config.steps:
            self._advance_discriminator(judged.detach(), batch.target)
            real, fake = self.discriminator(batch.target), self.discriminator(judged)
            gan = config.gan_weight * generator_loss(fake)
            matching = 10 * config.gan_weight * feature_matching(fake, real)
        return LossTerms(l1 + perceptual + gan + matching, l1, perceptual, gan, matching)

    def _advance_discriminator(self, fake: Tensor, real: Tensor) -> None:
        loss = discriminator_loss(self.discriminator(fake), self.discriminator(real))
        self.critic.zero_grad()
        loss.backward()
        self.critic.step()

    def averaged(self) -> families.Renderer:
        """The networks that would ship now, in evaluation mode."""
        network = families.build(self.config.family, self.config.architecture)
        network.load_state_dict(self.average)
        return network.to(self.device).eval()

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        save_states(self, _SAVED, path, best=self.best)

    def load(self, path: Path) -> None:
        """Continues from a checkpoint."""
        self.best = load_states(self, _SAVED, path, self.device)["best"]


_SAVED = ("network", "discriminator", "optimizer", "critic")


def _turned(pair: RenderPair, generator: np.random.Generator) -> RenderPair:
    if generator.random() < 0.5:
        pair = render_data.mirrored(pair)
    pair = render_data.recoloured(pair, generator.permutation(3))
    return render_data.transposed(pair) if generator.random() < 0.5 else pair


def is_scene(path: Path) -> bool:
    """Whether a pair comes from a synthetic scene."""
    return path.parent.name.startswith(SCENE_PREFIX)


def split_paths(
    paths: Sequence[Path], config: RenderTrainingConfig
) -> tuple[list[Path], list[Path]]:
    """Pairs for training and, evenly thinned, for validation.

    Raises:
        InputError: nothing is left to train on.
    """
    training = [path for path in paths if path.parent.name not in config.validation]
    if not training:
        raise InputError("all pairs are of pictures that are held out; make pairs of others")
    held_out = []
    for of_scene in (False, True):
        kind = [p for p in paths if p.parent.name in config.validation and is_scene(p) == of_scene]
        held_out += kind[:: max(1, len(kind) // config.validation_patches)]
    return training, held_out


@torch.no_grad()
def score(
    network: families.Renderer, paths: Sequence[Path], judge: nn.Module, device: torch.device
) -> dict[str, float]:
    """Mean PSNR and perceptual distance of the splat, of the network, and without features."""
    rows: list[dict[str, float]] = []
    for path in paths:
        batch = render_data.on_device(render_data.to_batch([render_data.read_pair(path)]), device)
        with_features, without = torch.ones(1, device=device), torch.zeros(1, device=device)
        pictures = {
            "splat": batch.planes[:, :3],
            "decoded": network(batch, with_features).clamp(0, 1),
            "plain": network(batch, without).clamp(0, 1),
        }
        row = {f"{kind}_psnr": float(psnr(p, batch)) for kind, p in pictures.items()}
        for kind, picture in pictures.items():
            distance = judge(where_seen(picture, batch), batch.target)
            row[f"{kind}_perceptual"] = float(distance)
        rows.append(row)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def preview(
    network: families.Renderer, paths: Sequence[Path], device: torch.device
) -> np.ndarray:  # [h, w, 3] BGR bytes
    """Rows of: the splat, decoded, the truth, at twice the size."""
    rows = []
    for path in paths:
        batch = render_data.on_device(render_data.to_batch([render_data.read_pair(path)]), device)
        decoded = network(batch, torch.ones(1, device=device)).clamp(0, 1)
        row = torch.cat([batch.planes[:, :3], decoded, batch.target], dim=3)[0].cpu()
        picture = (row.permute(1, 2, 0).numpy()[:, :, ::-1] * 255).round().astype(np.uint8)
        rows.append(picture.repeat(2, axis=0).repeat(2, axis=1))
    return np.vstack(rows)


def train(
    config: RenderTrainingConfig, data: Path, out: Path, *, encoder: Path, device: torch.device
) -> Path:
    """Trains to the last step and returns the checkpoint; continues where `out` holds one.

    `best.pt` beside it is the checkpoint that did best on the held-out pairs.
    """
    training, held_out = split_paths(render_data.find_pairs(data), config)
    judge = ImagenetFeatures(encoder)
    trainer = Trainer(config, training, judge, device)
    facts = {"patches": len(training), "held_out_patches": len(held_out)}

    def report() -> None:
        reached = _report(trainer, held_out, out / "validation.csv")
        if reached > trainer.best:
            trainer.best = reached
            for name in ("best.pt", "checkpoint.pt"):  # both know what was best
                trainer.save(out / name)

    return train_to_end(trainer, config, out, report, facts=facts)


def _report(trainer: Trainer, held_out: Sequence[Path], scores: Path) -> float:
    """A row of scores for each kind of held-out pairs, and a preview; the mean PSNR in dB."""
    network, reached = trainer.averaged(), []
    for kind in (False, True):
        paths = [path for path in held_out if is_scene(path) == kind]
        if paths:
            row = score(network, paths, trainer.judge, trainer.device)
            rounded = {name: round(value, 5) for name, value in row.items()}
            append_row(scores, {"step": trainer.step, "scenes": int(kind), **rounded})
            reached.append(row["decoded_psnr"])
    chosen = held_out[:: max(1, len(held_out) // 6)]
    if chosen:
        picture = preview(network, chosen, trainer.device)
        cv2.imwrite(str(scores.parent / f"preview{trainer.step:06d}.png"), picture)
    return float(np.mean(reached)) if reached else 0.0


def shipped(checkpoint: Path, config: RenderTrainingConfig) -> families.Renderer:
    """The running mean of a checkpoint, in evaluation mode, on the CPU."""
    network = families.build(config.family, config.architecture)
    states = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network.load_state_dict(states["average"])
    return network.eval()


def export(checkpoint: Path, folder: Path, config: RenderTrainingConfig) -> list[str]:
    """Writes both networks as model folders below `folder`; returns their names."""
    network = shipped(checkpoint, config)
    official = config.family == "official"
    for key, part in (("features", network.features), ("decoder", network.decoder)):
        name = _OFFICIAL_NAMES[key] if official else key
        _save(folder / name, part, key, dict(config.architecture.get(key, {})))
    return sorted(_OFFICIAL_NAMES.values()) if official else ["features", "decoder"]


def export_decoder(checkpoint: Path, folder: Path, config: RenderTrainingConfig) -> list[str]:
    """Writes the compact decoder alone, for points that carry their lattice as only feature."""
    network = shipped(checkpoint, config)
    assert isinstance(network, families.CompactRenderer), config.family
    _save(folder / "decoder", network.decoder, "decoder", dict(config.architecture["decoder"]))
    return ["decoder"]


def _save(folder: Path, network: nn.Module, key: str, architecture: dict[str, Any]) -> None:
    from cine3d_core.files.models.store import save_network

    count = sum(parameter.numel() for parameter in network.parameters())
    save_network(
        folder,
        network,
        kind=folder.name,
        architecture=architecture,
        license="GPL-3.0-or-later",
        description=f"{_DESCRIPTIONS[key]}, {count / 1e6:.3f} M parameters",
    )


_OFFICIAL_NAMES = {"features": "official-feature", "decoder": "official-decoder"}
_DESCRIPTIONS = {
    "features": "What points carry beside their colour",
    "decoder": "Correction of the splatted picture",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of renderer training to a parser."""
    defaults = RenderTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    photos = steps.add_parser("photos", help="make pairs of photographs; continues")
    photos.add_argument("photos", type=Path, nargs="+", help="pictures, or folders of .jpg, .png")
    photos.add_argument("--leave-out", nargs="*", default=[], metavar="NAME")
    photos.add_argument("--rounds", type=int, default=6, help="visits of each photo (default 6)")
    photos.add_argument("--frames", type=int, default=6, help="splats per visit (default 6)")
    photos.add_argument("--seed", type=int, default=defaults.seed)
    scenes = steps.add_parser("scenes", help="make pairs of synthetic scenes; continues")
    scenes.add_argument("scenes", type=Path, help="folder of scenes with true views")
    clips = steps.add_parser("clips", help="make pairs of real clips; continues")
    clips.add_argument("clips", type=Path, help="folder of NAME.mp4 with NAME_motion.flo")
    clips.add_argument("--triplets", type=int, default=4, help="of each clip (default 4)")
    for step in (scenes, clips):
        step.add_argument("--seed", type=int, default=defaults.seed)
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument("--out", type=Path, required=True, help="checkpoint, logs and previews")
    fit.add_argument("--steps", type=int, help=f"default {defaults.steps}, official 250000")
    fit.add_argument("--seed", type=int, default=defaults.seed)
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    scoring = steps.add_parser("score", help="compare a checkpoint with the plain splat")
    scoring.add_argument("checkpoint", type=Path)
    shipping = steps.add_parser("export", help="write model folders of features and decoder")
    shipping.add_argument("checkpoint", type=Path)
    shipping.add_argument(
        "--decoder-only", action="store_true", help="for points that carry their lattice alone"
    )
    shipping.add_argument("--out", type=Path, required=True, help="folder of the model folders")
    for step in (fit, scoring):
        step.add_argument(
            "--encoder", type=Path, required=True, help="ImageNet EfficientNet-Lite0 (.pth)"
        )
        step.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    for step in (photos, scenes, clips, fit, scoring):
        step.add_argument("--data", type=Path, required=True, help="folder of pairs")
    for step in (fit, scoring, shipping):
        step.add_argument("--family", default="compact", choices=("compact", "official"))


def _config(args: argparse.Namespace) -> RenderTrainingConfig:
    return official_config() if args.family == "official" else RenderTrainingConfig()


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    from cine3d_core.device import choose_device

    if args.step in _MAKERS:
        _MAKERS[args.step](args)
    elif args.step == "fit":
        torch.set_num_threads(args.threads)
        config = replace(_config(args), seed=args.seed)
        config = replace(config, steps=args.steps or config.steps)
        device = choose_device(args.device)
        done = train(config, args.data, args.out, encoder=args.encoder, device=device)
        print(f"trained: {done}")
    elif args.step == "score":
        config, device = _config(args), choose_device(args.device)
        _, held_out = split_paths(render_data.find_pairs(args.data), config)
        network = shipped(args.checkpoint, config).to(device)
        judge = ImagenetFeatures(args.encoder).to(device)
        result = score(network, held_out, judge, device)
        print(f"n = {len(held_out)} patches, seed {config.seed}")
        print("\n".join(f"{name:20} {value:.4f}" for name, value in result.items()))
    else:
        write = export_decoder if args.decoder_only else export
        print(f"written: {', '.join(write(args.checkpoint, args.out, _config(args)))}")


def _make_photos(args: argparse.Namespace) -> None:
    from cine3d_core.training.render.pairs import PairParams, write_photographs

    paths = pictures_of(args.photos, args.leave_out)
    made = write_photographs(
        paths,
        args.data,
        PairParams(),
        rounds=range(args.rounds),
        frames=args.frames,
        seed=args.seed,
    )
    total = sum(1 for _ in tqdm(made, total=len(paths) * args.rounds, unit="visit"))
    print(f"{total} visits of {len(paths)} photographs in {args.data}")


def _make_scenes(args: argparse.Namespace) -> None:
    from cine3d_core.synthetic.truth_folder import find_scenes
    from cine3d_core.training.render.pairs import PairParams
    from cine3d_core.training.render.scenes import write_scenes

    scenes = find_scenes(args.scenes)
    made = write_scenes(scenes, args.data, PairParams(), seed=args.seed)
    print(f"{sum(1 for _ in tqdm(made, total=len(scenes), unit='scene'))} scenes in {args.data}")


def _make_clips(args: argparse.Namespace) -> None:
    from cine3d_core.training.render.clips import find_clips, write_clips
    from cine3d_core.training.render.pairs import PairParams

    clips = find_clips(args.clips)
    made = write_clips(clips, args.data, PairParams(), triplets=args.triplets, seed=args.seed)
    print(f"{sum(1 for _ in tqdm(made, total=len(clips), unit='clip'))} clips in {args.data}")


_MAKERS = {"photos": _make_photos, "scenes": _make_scenes, "clips": _make_clips}


def pictures_of(places: Sequence[Path], left_out: Sequence[str]) -> list[Path]:
    """Pictures named, or in folders named, by name.

    Raises:
        InputError: there are none.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        found += [path for path in inside if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    found = [path for path in found if path.stem not in left_out]
    if not found:
        names = ", ".join(str(place) for place in places)
        raise InputError(f"no .jpg or .png was found in {names}; name pictures or their folder")
    return found
