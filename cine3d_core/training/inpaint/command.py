"""`cine3d train inpaint STEP ...`.

photos   cover photographs and fill them analytically     fit      train, resumable
score    compare with the analytic fill                   export   write the shipped weights
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from cine3d_core.build import PRESETS
from cine3d_core.depth.sources import open_depth_source
from cine3d_core.errors import InputError
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.networks import inpainting as networks
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint.train import (
    InpaintTrainingConfig,
    export,
    read_split,
    score,
    train,
)
from cine3d_core.training.perceptual import ImagenetFeatures
from cine3d_core.training.trainer import shipped


def pack(photos: Path, data: Path, *, silhouettes: int, crops: int, seed: int) -> int:
    """Covers every photograph of a folder; returns the number of files of crops."""
    paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if len(paths) < 2:
        raise InputError(f"{photos} holds fewer than two photographs (.jpg, .png); name another")
    source = open_depth_source("compact", Networks())
    disparities = []
    for path in tqdm(paths, unit="depth"):
        depth = source(read_photo(path, max_side=640).rgb, params=PRESETS["default"].depth)
        disparities.append((1 / depth.depth[0]).numpy())
    made = inpaint_data.pack_photos(
        paths, disparities, data, silhouettes=silhouettes, crops=crops, seed=seed
    )
    return sum(1 for _ in tqdm(made, total=len(paths), unit="photo"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the steps of inpainting training to a parser."""
    defaults = InpaintTrainingConfig()
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    photos = steps.add_parser("photos", help="cover photographs and fill them analytically")
    photos.add_argument("photos", type=Path, help="folder of .jpg and .png")
    photos.add_argument(
        "--silhouettes", type=int, default=6, help="holes for each photo (default 6)"
    )
    photos.add_argument("--crops", type=int, default=9, help="crops for each hole (default 9)")
    photos.add_argument("--seed", type=int, default=defaults.seed)
    fit = steps.add_parser("fit", help="train; continues from the checkpoint in --out")
    fit.add_argument("--out", type=Path, required=True, help="checkpoint, logs and previews")
    fit.add_argument("--steps", type=int, default=defaults.steps, help=f"default {defaults.steps}")
    fit.add_argument("--seed", type=int, default=defaults.seed)
    fit.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    scoring = steps.add_parser("score", help="compare a checkpoint with the analytic fill")
    scoring.add_argument("checkpoint", type=Path)
    for step in (fit, scoring):
        step.add_argument(
            "--encoder", type=Path, required=True, help="ImageNet EfficientNet-Lite0 (.pth)"
        )
    for step in (photos, fit, scoring):
        step.add_argument("--data", type=Path, required=True, help="folder of packed crops")
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    config = InpaintTrainingConfig()
    if args.step == "photos":
        counts = {"silhouettes": args.silhouettes, "crops": args.crops, "seed": args.seed}
        print(f"{pack(args.photos, args.data, **counts)} photographs in {args.data}")
    elif args.step == "fit":
        torch.set_num_threads(args.threads)
        config = InpaintTrainingConfig(steps=args.steps, seed=args.seed)
        print(f"trained: {train(config, args.data, args.out, encoder=args.encoder)}")
    elif args.step == "score":
        _, held_out = read_split(args.data, config)
        network = shipped(args.checkpoint, networks.build(**config.architecture))
        result = score(network, held_out, ImagenetFeatures(args.encoder))
        photographs = len(config.validation_photos)
        print(f"n = {len(held_out)} crops of {photographs} photographs, seed {config.seed}")
        print("\n".join(f"{name:20} {value:.4f}" for name, value in result.items()))
    else:
        export(args.checkpoint, args.out, config)
        print(f"written: {args.out}")
