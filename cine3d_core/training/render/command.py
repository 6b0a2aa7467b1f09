"""`cine3d train render STEP ...`.

photos   pairs from photographs: warp away and restore     fit      train, resumable
scenes   pairs from synthetic scenes with true views       score    compare with the plain splat
clips    pairs from real clips and their flow              export   write the shipped weights
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from cine3d_core.device import choose_device
from cine3d_core.errors import InputError
from cine3d_core.training.perceptual import ImagenetFeatures
from cine3d_core.training.render import data as render_data
from cine3d_core.training.render import families
from cine3d_core.training.render.scores import score
from cine3d_core.training.render.train import (
    RenderTrainingConfig,
    export,
    export_decoder,
    official_config,
    split_paths,
    train,
)
from cine3d_core.training.trainer import shipped


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
    clips.add_argument("--triplets", type=int, default=4, help="triplets of each clip (default 4)")
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
        "--decoder-only", action="store_true", help="train on points with a known pixel grid only"
    )
    shipping.add_argument("--out", type=Path, required=True, help="folder of the model folders")
    for step in (fit, scoring):
        step.add_argument(
            "--encoder", type=Path, required=True, help="ImageNet EfficientNet-Lite0 (.pth)"
        )
        step.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    for step in (photos, scenes, clips, fit, scoring):
        step.add_argument("--data", type=Path, required=True, help="folder of pairs")
    for step in (fit, scoring):
        step.add_argument(
            "--held-out", nargs="*", default=[], metavar="NAME", help="more pictures to hold out"
        )
    for step in (fit, scoring, shipping):
        step.add_argument("--family", default="compact", choices=("compact", "official"))


def _config(args: argparse.Namespace) -> RenderTrainingConfig:
    config = official_config() if args.family == "official" else RenderTrainingConfig()
    return replace(config, validation=(*config.validation, *getattr(args, "held_out", ())))


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
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
        network = families.build(config.family, config.architecture)
        network = shipped(args.checkpoint, network).to(device)
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
