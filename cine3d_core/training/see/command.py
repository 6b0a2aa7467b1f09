"""`cine3d train see STEP ...`.

scenes   render made-up scenes          fit   train on photographs and scenes, resumable
export   write the shipped weights
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from cine3d_core.synthetic.depth.pack import make_texture_bank, pack_scenes, read_bank, write_bank
from cine3d_core.training.see.photos import read_outlined, read_photos
from cine3d_core.training.see.train import ROUNDS, SeeTrainer, export
from cine3d_core.training.see.views import SKY


def make_scenes(photos: Path, data: Path, seeds: range, seed: int) -> int:
    """Packs made-up scenes that wear the training photographs' textures; how many there are."""
    # compiles with numba: seconds
    from cine3d_core.synthetic.depth.scenes import render_scene

    if not (data / "textures.npz").exists():
        found = [(p.rgb, p.classes == SKY) for p in read_photos(photos, split="train")]
        data.mkdir(parents=True, exist_ok=True)
        write_bank(make_texture_bank(found, seed=seed), data)
    bank = read_bank(data)
    made = pack_scenes(partial(render_scene, bank), seeds, data)
    return sum(1 for _ in tqdm(made, total=len(seeds), unit="scene"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the training's steps to a parser."""
    steps = parser.add_subparsers(dest="step", required=True)
    scenes = steps.add_parser("scenes", help="render made-up scenes")
    scenes.add_argument("photos", type=Path, help="photos.csv, images, notes and levels")
    scenes.add_argument("--data", type=Path, required=True, help="folder of the scenes")
    scenes.add_argument("--seeds", type=int, nargs=2, default=(5000, 5400), help="from, to")
    scenes.add_argument("--seed", type=int, default=11, help="seed of the textures")
    fitting = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fitting.add_argument("photos", type=Path, help="photos.csv, images, notes and levels")
    fitting.add_argument("--labels", type=Path, help="folder of a label maker's NAME.npy")
    fitting.add_argument("--data", type=Path, help="folder of the scenes")
    start = fitting.add_mutually_exclusive_group(required=True)
    start.add_argument("--encoder", type=Path, help="EfficientNet-Lite2 weights: first round")
    start.add_argument("--after", type=Path, help="checkpoint of the round before: a later round")
    fitting.add_argument("--round", type=int, choices=(2, 3), default=2, help="with --after")
    fitting.add_argument(
        "--outlined",
        type=Path,
        nargs=2,
        metavar=("PHOTOS", "OUTLINES"),
        help="further photographs, and labelme outlines of what flows in them",
    )
    fitting.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    fitting.add_argument("--steps", type=int, help="default: as the round has")
    fitting.add_argument("--seed", type=int, help="default: as the round has")
    fitting.add_argument("--threads", type=int, default=1)
    writing = steps.add_parser("export", help="write the model folder")
    writing.add_argument("checkpoint", type=Path)
    writing.add_argument("--before", type=Path, help="checkpoint of the round before, mixed in")
    writing.add_argument(
        "--share", type=float, default=1.0, help="share of the last round's weights"
    )
    writing.add_argument("--out", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "export":
        export(args.checkpoint, args.out, before=args.before, share=args.share)
    elif args.step == "scenes":
        count = make_scenes(args.photos, args.data, range(*args.seeds), args.seed)
        print(f"{count} scenes in {args.data}")
    else:
        _fit(args)


def _fit(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    config = ROUNDS[args.round if args.after else 1]
    seed = config.seed if args.seed is None else args.seed
    config = replace(config, steps=args.steps or config.steps, seed=seed)
    photos = read_photos(args.photos, split="train", labels=args.labels)
    if args.outlined:
        photos += read_outlined(*args.outlined, labels=args.labels)
    scenes = sorted((args.data / "scenes").glob("*.npz")) if args.data else []
    trainer = SeeTrainer(config, photos, scenes)
    if args.after:
        trainer.start_from_round(args.after)
    else:
        trainer.start_from_imagenet(args.encoder)
    facts = {"photos": len(photos), "scenes": len(scenes)}
    trainer.run(args.out, lambda: None, facts=facts)
