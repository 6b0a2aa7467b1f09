"""`cine3d train motion STEP ...`.

scenes   draw synthetic flows on photographs       films   pack folders in the Holynski layout
fit      train, resumable                          export  write the shipped weights
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from cine3d_core.device import choose_device
from cine3d_core.training.motion.train import MotionTrainingConfig, export, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of motion training to a parser."""
    defaults = MotionTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    scenes = steps.add_parser("scenes", help="draw synthetic flows; continues where it stopped")
    scenes.add_argument("photos", type=Path, help="folder with photos.csv (name,file,contents)")
    scenes.add_argument("--kind", choices=("train", "validation"), required=True)
    scenes.add_argument("--only", nargs="+", metavar="NAME", help="photographs to use")
    scenes.add_argument(
        "--without", nargs="+", default=(), metavar="NAME", help="photographs to leave out"
    )
    scenes.add_argument(
        "--shards", type=int, nargs=2, required=True, metavar=("FIRST", "END"), help="numbers"
    )
    films = steps.add_parser("films", help="pack folders in the layout of Holynski et al.")
    films.add_argument("films", type=Path, help="folder of NAME_gt.mp4 and NAME_motion.pth")
    films.add_argument("--kind", choices=("train", "validation"), required=True)
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument("--out", type=Path, required=True, help="folder of checkpoint and logs")
    fit.add_argument("--family", choices=("compact", "official"), default=defaults.family)
    fit.add_argument("--steps", type=int, default=defaults.steps, help=f"default {defaults.steps}")
    fit.add_argument("--batch", type=int, default=defaults.batch, help=f"default {defaults.batch}")
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    fit.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    for step in (scenes, films, fit):
        step.add_argument("--data", type=Path, required=True, help="folder of shards")
        step.add_argument("--seed", type=int, default=defaults.seed)
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    if args.step == "fit":
        torch.set_num_threads(args.threads)
        config = MotionTrainingConfig(
            family=args.family, steps=args.steps, batch=args.batch, seed=args.seed
        )
        print(f"trained: {train(config, args.data, args.out, device=choose_device(args.device))}")
    elif args.step == "export":
        export(args.checkpoint, args.out, MotionTrainingConfig())
        print(f"written: {args.out}")
    else:
        print(f"{_make_shards(args)} shards in {args.data}")


def _make_shards(args: argparse.Namespace) -> int:
    # compiles with numba: seconds
    from cine3d_core.files.models.store import load_network
    from cine3d_core.synthetic.flow_pictures import read_photos
    from cine3d_core.training.motion import films as motion_films
    from cine3d_core.training.motion import shards as motion_shards

    depth_network = load_network("see").network
    if args.step == "films":
        seen = partial(motion_shards.estimated_nearness, depth_network)
        return motion_films.pack_films(args.films, args.data, args.kind, seen, seed=args.seed)
    made = motion_shards.make_shards(
        args.data,
        motion_shards.FAMILIES[args.kind],
        read_photos(args.photos, only=args.only, without=args.without),
        depth_network,
        shards=range(*args.shards),
        seed=args.seed,
    )
    return sum(1 for _ in tqdm(made, unit="shard"))
