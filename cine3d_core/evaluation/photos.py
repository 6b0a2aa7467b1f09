"""Real photographs end to end: what `cine3d build` and `render` make of them, to be looked at.

There is no truth here. A row a photograph: the photo, its depth, its motion, and frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from cine3d_core.errors import InputError
from cine3d_core.families import build_scene
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.pictures.photo import read_photo
from cine3d_core.motion.draw import draw_motion
from cine3d_core.output.clip import open_camera_path, shot_of
from cine3d_core.render.animation import Shot, prepare
from cine3d_core.render.decoder_choice import open_decoder
from cine3d_core.render.frame import render_frame
from cine3d_core.scene import CinemagraphScene, MotionField
from cine3d_core.settings import BuildSettings
from cine3d_core.synthetic.truth_folder import write_rgb

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_TILE = 320  # px wide
_CAPTION = 20  # px


@dataclass(frozen=True)
class PhotoParams:
    """What is shown."""

    size: int = 640  # px, long side
    move: str = "orbit"
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)  # of the loop


def photo_row(photo: Path, hints: Path | None, params: PhotoParams) -> dict[str, Tensor]:
    """Captioned pictures of one photograph, [3, H, W] each."""
    settings = BuildSettings(size=params.size, hints=hints)
    scene = build_scene(photo, settings)
    rgb = read_photo(photo, max_side=params.size).rgb
    prepared = prepare(scene)
    decoder = open_decoder(scene, Networks(), torch.device("cpu"))
    path = open_camera_path(scene, params.move, None)
    row = {photo.stem: rgb, "depth": _depth_picture(scene), "motion": _motion_picture(scene, rgb)}
    for share in params.shares:
        frame = round(scene.num_frames * share)
        shot = shot_of(path, frame)
        row[f"{params.move} {frame}"] = render_frame(prepared, shot, frame, decoder=decoder).rgb
    return row


def _depth_picture(scene: CinemagraphScene) -> Tensor:
    """Disparity seen by the photo's camera: near is bright."""
    camera = scene.camera
    rest = render_frame(prepare(scene), Shot(camera, camera, camera), 0)
    low, high = scene.disparity_range
    near = ((1 / rest.depth.clamp(min=1e-6) - low) / max(high - low, 1e-9)).clamp(0, 1)
    coloured = cv2.applyColorMap((near[0].numpy() * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return torch.from_numpy(coloured[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255


def _motion_picture(scene: CinemagraphScene, rgb: Tensor) -> Tensor:
    """The flow of what the photo shows, drawn over it."""
    margin = (scene.canvas_camera.width - scene.camera.width) // 2
    height, width = rgb.shape[1:]
    visible = _visible_layer(scene)
    index = visible[None, None].expand(1, 2, *visible.shape)
    velocity = scene.velocity.gather(0, index)[0]
    inner = (slice(None), slice(margin, margin + height), slice(margin, margin + width))
    velocity = velocity[inner]
    moving = velocity.abs().sum(dim=0, keepdim=True) > 0
    return draw_motion(rgb, MotionField(velocity, moving, torch.ones_like(moving).short()))


def _visible_layer(scene: CinemagraphScene) -> Tensor:  # [Hc, Wc] int64
    """The nearest layer with a point that the photo shows, for every pixel of the canvas."""
    layers, _, height, width = scene.velocity.shape
    cloud = scene.cloud
    shown = torch.zeros(layers, height * width, dtype=torch.bool)
    seen = ~cloud.inpainted
    shown[cloud.layer[seen].long(), cloud.pixel[seen]] = True
    return shown.int().argmax(dim=0).view(height, width)


def photo_sheet(rows: Sequence[dict[str, Tensor]]) -> Tensor:
    """All photographs below one another: [3, H, W]. Rows are as high as their photo asks for."""
    lines = [np.hstack([_tile(name, picture) for name, picture in row.items()]) for row in rows]
    wide = max(line.shape[1] for line in lines)
    padded = [
        np.pad(line, ((0, 6), (0, wide - line.shape[1]), (0, 0)), constant_values=255)
        for line in lines
    ]
    return torch.from_numpy(np.vstack(padded)).permute(2, 0, 1).float() / 255


def _tile(name: str, picture: Tensor) -> np.ndarray:  # [H, W, 3] uint8
    values = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    size = (_TILE, round(_TILE * values.shape[0] / values.shape[1]))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    caption = np.full((_CAPTION, _TILE, 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(caption, name, (4, _CAPTION - 6), font, 0.45, (20, 20, 20), 1, cv2.LINE_AA)
    return np.vstack([caption, small])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the inputs of the photographs' sheets to a parser."""
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder")
    parser.add_argument("--only", help="names without extension, commas between (default: all)")
    parser.add_argument("--hints", type=Path, help="folder with NAME.json for some of them")
    parser.add_argument("--size", type=int, default=640, help="long side at most, pixels (640)")


def run(args: argparse.Namespace) -> None:
    """Builds and renders the photographs and writes their sheets."""
    photos = [path for path in sorted(args.photos.glob("*")) if path.suffix.lower() in _EXTENSIONS]
    if args.only:
        names = args.only.split(",")
        photos = [path for path in photos if path.stem in names]
        missing = set(names) - {path.stem for path in photos}
        if missing:
            raise InputError(f"{args.photos} has no photograph {', '.join(sorted(missing))}")
    if not photos:
        raise InputError(f"there are no photographs in {args.photos}; give a folder with some")
    params, rows = PhotoParams(size=args.size), []
    for photo in photos:
        hints = args.hints / f"{photo.stem}.json" if args.hints else None
        row = photo_row(photo, hints if hints and hints.is_file() else None, params)
        write_rgb(args.output / f"{photo.stem}.png", photo_sheet([row]))
        rows.append(row)
        print(f"{photo.name}: drawn", flush=True)
    write_rgb(args.output / "photos.png", photo_sheet(rows))
    print(f"{args.output / 'photos.png'}: {len(rows)} photographs")
