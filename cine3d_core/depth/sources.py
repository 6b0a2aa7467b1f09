"""Source of the depth: the shipped network, a `transformers` model, or a picture.

They end in `depth.refine_depth`, so that the rest of the method cannot tell them apart.

A picture is read as relative disparity (bright = near) unless it says otherwise:

* `.exr` holds distances (a Z pass), so it is read as metric depth;
* a name may begin with `disparity:`, `inverted:` (dark = near) or `metric:` (distances from the
  camera, any unit) to decide it;
* what `cine3d depth` wrote is taken as it is.

A `transformers` model is metric when its configuration says so (`depth_estimation_type`), when its
family always is (`METRIC_FAMILIES`), or when it is a DPT fine-tuned on NYU or KITTI, which only its
name tells. Else its output is relative disparity, as that of MiDaS, DPT and Depth Anything.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from cine3d_core.depth.geometry_source import PREDICTIONS, open_geometry
from cine3d_core.depth.refine import (
    DepthParams,
    depth_to_disparity,
    disparity_to_depth,
    refine_depth,
)
from cine3d_core.depth.straight import straighten
from cine3d_core.errors import InputError
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.models.catalogue import shelf_entries
from cine3d_core.files.models.installed import Installed, chosen
from cine3d_core.files.models.networks import Networks
from cine3d_core.files.models.runtimes import import_transformers
from cine3d_core.files.models.store import LoadedNetwork
from cine3d_core.files.pictures.kept_depth import read_kept_depth
from cine3d_core.files.pictures.maps import read_depth_picture
from cine3d_core.scene import DepthMap
from cine3d_core.see.look import BUNDLED, Seen, see

Reading = Literal["disparity", "inverted", "metric"]
PREFIXES: dict[str, Reading] = {
    "disparity": "disparity",
    "inverted": "inverted",
    "metric": "metric",
}

SHIPPED = "compact"  # as the shelf calls it too
METRIC_FAMILIES = {"glpn", "zoedepth", "depth_pro", "prompt_depth_anything"}
PICTURE_SUFFIXES = {".png", ".tif", ".tiff", ".npy", ".pfm", ".exr"}
PICTURE_SUFFIXES |= {".jpg", ".jpeg", ".webp", ".bmp", ".pgm"}
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
# A picture made from the photo at another size differs in aspect by rounding only.
_ASPECT_TOLERANCE = 0.02


class DepthSource(Protocol):
    """Gives the depth of photos."""

    @property
    def description(self) -> str:
        """One readable line; kept in the scene."""
        ...

    @property
    def checksums(self) -> dict[str, str]:
        """Network name -> sha256 of its weights, or the hub's commit; empty without a network."""
        ...

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth of `rgb` [3, H, W] at its size."""
        ...


@dataclass(frozen=True)
class BundledDepth:
    """The network that comes with Cine3D; the only source that knows of sky and of what flows."""

    loaded: LoadedNetwork
    description: str = "bundled network"

    @property
    def checksums(self) -> dict[str, str]:
        """The network's name and the sha256 of its weights."""
        return self.loaded.checksums

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth of `rgb` [3, H, W], its sky, what flows and which way."""
        return depth_of(see(rgb, self.loaded.network), rgb, params=params)


def depth_of(seen: Seen, rgb: Tensor, *, params: DepthParams) -> DepthMap:
    """Clean depth of a photo [3, H, W] that the bundled network has looked at."""
    depth = _straightened(
        refine_depth(seen.disparity, seen.fluid[:1], rgb, params=params), rgb, params=params
    )
    return replace(depth, fluid=seen.fluid, direction=seen.direction)


def _straightened(depth: DepthMap, rgb: Tensor, *, params: DepthParams) -> DepthMap:
    """The depth with straight edges straight; the sky stays where it is, behind all else."""
    disparity = depth_to_disparity(depth.depth, params=params)
    least = params.sky_gap / 2
    straight = straighten(disparity, rgb).clamp(min=least)
    straight = torch.where(disparity < least, disparity, straight)
    return replace(depth, depth=disparity_to_depth(straight, params=params))


@dataclass(frozen=True)
class TransformersDepth:
    """A depth-estimation model of the `transformers` library."""

    model: Any
    processor: Any
    metric: bool
    description: str
    checksums: dict[str, str]

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth of `rgb` [3, H, W]; no sky."""
        raw = self._predict(rgb)
        disparity = metric_to_disparity(raw, params=params) if self.metric else stretched(raw)
        return refine_depth(disparity, rgb.new_zeros(1, *rgb.shape[1:]), rgb, params=params)

    @torch.no_grad()
    def _predict(self, rgb: Tensor) -> Tensor:
        """The model's own answer at its own size: [1, h, w]."""
        image = (rgb.clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy()
        inputs = self.processor(images=image, return_tensors="pt")
        outputs = self.model.to(rgb.device)(**inputs.to(rgb.device))
        # ZoeDepth alone pads the picture, and must be told how far to cut.
        padded = self.model.config.model_type == "zoedepth"
        sizes = {"source_sizes": [image.shape[:2]]} if padded else {}
        answer = self.processor.post_process_depth_estimation(outputs, **sizes)
        return answer[0]["predicted_depth"].float()[None]


@dataclass(frozen=True)
class PictureDepth:
    """A depth or disparity picture given by a person."""

    values: Tensor  # [1, h, w] as stored
    reading: Reading
    path: Path

    @property
    def description(self) -> str:
        """The file's name and how it was read."""
        return f"picture {self.path.name}, read as {self.reading}"

    @property
    def checksums(self) -> dict[str, str]:
        """Empty: no network was asked."""
        return {}

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """Clean depth of `rgb` [3, H, W]; no sky.

        Raises:
            InputError: the picture has another aspect than the photo, or distances <= 0.
        """
        _check_aspect(self.values, self.path, rgb)
        values = self.values.to(rgb)
        if self.reading == "metric":
            disparity = metric_to_disparity(values, params=params)
        else:
            disparity = stretched(values if self.reading == "disparity" else -values)
        return refine_depth(disparity, rgb.new_zeros(1, *rgb.shape[1:]), rgb, params=params)


@dataclass(frozen=True)
class KeptDepth:
    """Depth that `cine3d depth` wrote, perhaps painted over since."""

    depth: Tensor  # [1, h, w] z-depth
    path: Path

    @property
    def description(self) -> str:
        """The file's name."""
        return f"depth of {self.path.name}, unchanged"

    @property
    def checksums(self) -> dict[str, str]:
        """Empty: no network was asked."""
        return {}

    def __call__(self, rgb: Tensor, *, params: DepthParams) -> DepthMap:
        """The depth as it is, its edges drawn again only where it was made at another size; no sky.

        Raises:
            InputError: the depth has another aspect than the photo.
        """
        _check_aspect(self.depth, self.path, rgb)
        depth = self.depth.to(rgb)
        if depth.shape[1:] == rgb.shape[1:]:
            return DepthMap(depth, torch.zeros_like(depth))
        disparity = depth_to_disparity(depth, params=params)
        return refine_depth(disparity, rgb.new_zeros(1, *rgb.shape[1:]), rgb, params=params)


def _check_aspect(values: Tensor, path: Path, rgb: Tensor) -> None:
    height, width = values.shape[1:]
    aspect = rgb.shape[2] / rgb.shape[1]
    # One pixel of rounding either way matters in tiny pictures.
    tolerance = max(_ASPECT_TOLERANCE, 1.5 / min(height, width))
    if abs(width / height / aspect - 1) > tolerance:
        raise InputError(
            f"the depth picture {path} is {width}x{height}, another shape than the photo "
            f"(width : height = {aspect:.3f}); use one with the proportions of the photo"
        )


def open_depth_source(name: str | None, networks: Networks) -> DepthSource:
    """The source that a person named.

    Args:
        name: None for the best of the shelf that is here, else the bundled network; an entry of
            the shelf; "compact" for the bundled one; a depth picture, perhaps with a prefix
            (see the module); a folder with a `transformers` model; or its name on the hub,
            "organisation/model", where it has been downloaded before: nothing is fetched here.
        networks: of this machine.

    Raises:
        InputError: nothing of that name, or it cannot be used.
    """
    if name is None or name == SHIPPED or name in {entry.name for entry in shelf_entries()}:
        one = chosen("depth", name)
        return BundledDepth(networks.required(BUNDLED)) if one is None else _open_of_shelf(one)
    prefix, _, rest = name.partition(":")
    is_prefixed = prefix in PREFIXES
    path = Path(rest if is_prefixed else name)
    if path.suffix.lower() in PICTURE_SUFFIXES and not os.path.isdir(path):
        return _open_picture(path, PREFIXES.get(prefix))
    if name and os.path.isdir(path):  # Path.is_dir raises for names that are too long
        return _open_transformers(str(path))
    if _HUB_NAME.fullmatch(name):
        return _open_transformers(name)
    raise InputError(
        f"unknown depth model {name!r}; give {SHIPPED!r}, a depth picture, or a folder with a "
        "transformers model"
    )


def _open_of_shelf(one: Installed) -> DepthSource:
    if one.entry.kind in PREDICTIONS:
        return open_geometry(one)
    return replace(
        _open_transformers(str(one.folder)),
        description=f"{one.entry.title} ({one.entry.name})",
        checksums={one.entry.name: one.checksum},
    )


def stretched(values: Tensor) -> Tensor:
    """Relative disparity [1, h, w] as disparity01; a flat one is near everywhere."""
    low, high = values.min(), values.max()
    if float(high - low) <= 1e-6 * max(float(high.abs()), 1e-6):
        return torch.ones_like(values)
    return (values - low) / (high - low)


def metric_to_disparity(distance: Tensor, *, params: DepthParams) -> Tensor:
    """Distances [1, h, w] in any unit as disparity01; ratios of depth are kept.

    Raises:
        InputError: a distance is not positive.
    """
    nearest = float(distance.min())
    if nearest <= 0:
        raise InputError(
            f"the metric depth holds the value {nearest:g}; distances must be greater than 0 "
            "(for bright = near use the prefix 'disparity:')"
        )
    return depth_to_disparity(distance / nearest, params=params)


def _open_picture(path: Path, asked: Reading | None) -> PictureDepth | KeptDepth:
    kept = read_kept_depth(path) if asked is None else None
    if kept is not None:
        return KeptDepth(kept, path)
    by_suffix: Reading = "metric" if path.suffix.lower() == ".exr" else "disparity"
    return PictureDepth(values=read_depth_picture(path), reading=asked or by_suffix, path=path)


def _open_transformers(name: str) -> TransformersDepth:
    local = os.path.isdir(name)
    transformers = import_transformers(f"the depth model {name!r}")
    try:
        # code that a model brings along is not run, nor is anybody asked whether to run it; and
        # nothing is fetched: a hub name stands for what was downloaded before
        model = transformers.AutoModelForDepthEstimation.from_pretrained(
            name, local_files_only=True, trust_remote_code=False
        )
        processor = transformers.AutoImageProcessor.from_pretrained(
            name, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        if not local:
            raise InputError(
                f"the depth model {name!r} is not on this machine, and building downloads nothing",
                "download it first and give its folder",
                "choose one from {list_networks}",
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"the depth model {name!r} cannot be loaded ({reason}); give a folder "
            "of a transformers depth-estimation model with its preprocessor_config.json"
        ) from error
    metric = is_metric(model.config, name)
    short = Path(name).name if local else name
    return TransformersDepth(
        model=model.eval(),
        processor=processor,
        metric=metric,
        description=f"transformers model {short}, {'metric' if metric else 'relative'}",
        checksums={short: _fingerprint(name, model.config)},
    )


def is_metric(config: Any, name: str) -> bool:
    """Whether a `transformers` model answers in distances rather than in relative disparity."""
    declared = getattr(config, "depth_estimation_type", None)
    if declared is not None:
        return declared == "metric"
    if config.model_type in METRIC_FAMILIES:
        return True
    words = re.split(r"[^a-z]+", Path(name).name.lower())
    return config.model_type == "dpt" and bool({"nyu", "kitti"} & set(words))


def _fingerprint(name: str, config: Any) -> str:
    """Sha256 of a local folder's weight files, one after the other; else the hub's commit."""
    commit = getattr(config, "_commit_hash", None)
    folder = Path(name)
    if not folder.is_dir():
        return f"commit {commit}" if commit else "unknown commit"
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    return "+".join(sha256_of(path) for path in files)
