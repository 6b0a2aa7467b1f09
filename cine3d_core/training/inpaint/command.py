"""`cine3d train inpaint STEP ...`.

photos   cover photographs and fill them analytically     fit      train, resumable
export   write the shipped weights; `cine3d evaluate inpainting` compares
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
from cine3d_core.training.inpaint import data as inpaint_data
from cine3d_core.training.inpaint.train import (
    InpaintTrainingConfig,
    export,
    train,
)


def pack(
    photos: Path, data: Path, *, depths: int | None, silhouettes: int, crops: int, seed: int
) -> int:
    """Covers every photograph of a folder; returns the number of files of crops.

    Silhouettes are cut from `depths` of them, evenly spread by name; None: from all.
    """
    paths = sorted(path for path in photos.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    if len(paths) < 2:
        raise InputError(f"{photos} holds fewer than two photographs (.jpg, .png); name another")
    source = open_depth_source("compact", Networks())
    disparities = {}
    chosen = paths[:: max(1, len(paths) // max(depths or len(paths), 2))]
    for path in tqdm(chosen, unit="depth"):
        depth = source(read_photo(path, max_side=640).rgb, params=PRESETS["default"].depth)
        disparities[path] = (1 / depth.depth[0]).numpy()
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
        "--depths", type=int, help="photos whose depth cuts silhouettes (default all)"
    )
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
    fit.add_argument(
        "--encoder", type=Path, required=True, help="ImageNet EfficientNet-Lite0 (.pth)"
    )
    fit.add_argument(
        "--held-out", nargs="*", default=[], metavar="NAME", help="more photos to hold out"
    )
    for step in (photos, fit):
        step.add_argument("--data", type=Path, required=True, help="folder of packed crops")
    shipped = steps.add_parser("export", help="write weights.safetensors and model.json")
    shipped.add_argument("checkpoint", type=Path)
    shipped.add_argument("--out", type=Path, required=True, help="folder of the shipped model")


def run(args: argparse.Namespace) -> None:
    """Does the chosen step."""
    config = InpaintTrainingConfig()
    if args.step == "photos":
        count = pack(
            args.photos,
            args.data,
            depths=args.depths,
            silhouettes=args.silhouettes,
            crops=args.crops,
            seed=args.seed,
        )
        print(f"{count} photographs in {args.data}")
    elif args.step == "fit":
        torch.set_num_threads(args.threads)
        held_out = (*config.validation_photos, *args.held_out)
        config = InpaintTrainingConfig(steps=args.steps, seed=args.seed, validation_photos=held_out)
        print(f"trained: {train(config, args.data, args.out, encoder=args.encoder)}")
    else:
        export(args.checkpoint, args.out, config)
        print(f"written: {args.out}")
