"""The official checkpoints become models of the family `official`.

A checkpoint is a pickle; only tensors and plain containers are ever read from it, so a hostile
file is refused without running anything. All files are checked before the first is written.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import writing
from cine3d_core.files.inputs import sha256_of
from cine3d_core.files.models.store import DESCRIPTION, WEIGHTS
from cine3d_core.networks.official import (
    dpt,
    feature_net,
    image_decoder,
    inpainting_nets,
    motion_net,
)

CONSTANT_KERNEL = "mask_conv.weight"  # all ones: checked, not stored
NAMES_SHOWN = 5  # of each kind of problem

CINEMAGRAPHY = "3D Cinemagraphy from a Single Image, Li et al. 2023; code Apache-2.0"
PHOTO_3D = "3D Photography, Shih et al. 2020; code MIT"
MIDAS = "Vision Transformers for Dense Prediction, Ranftl et al. 2021; code MIT"


@dataclass(frozen=True)
class OfficialNetwork:
    """Where a network lies in the official files, and what becomes of it."""

    name: str  # of the model folder
    file: str
    entry: str | None  # key of the checkpoint that holds the tensors; None: the checkpoint itself
    network: str  # key of `models.NETWORKS`
    build: Callable[..., nn.Module]
    description: str
    license: str
    architecture: dict[str, Any] = field(default_factory=dict)
    required: bool = True


OFFICIAL = (
    OfficialNetwork(
        "official-feature",
        "model_150000.pth",
        "feature_net",
        "official-feature",
        feature_net.build,
        "features of the layers",
        CINEMAGRAPHY,
    ),
    OfficialNetwork(
        "official-decoder",
        "model_150000.pth",
        "img_decoder",
        "official-decoder",
        image_decoder.build,
        "draws the frame from the splatted features",
        CINEMAGRAPHY,
    ),
    OfficialNetwork(
        "official-motion",
        "sceneflow_model.pth",
        "netG",
        "official-motion",
        motion_net.build,
        "motion from photo, mask and arrows",
        CINEMAGRAPHY,
    ),
    OfficialNetwork(
        "official-inpaint-color",
        "color-model.pth",
        None,
        "official-inpainting",
        inpainting_nets.build,
        "colour behind nearer layers",
        PHOTO_3D,
        {"kind": "color"},
    ),
    OfficialNetwork(
        "official-inpaint-depth",
        "depth-model.pth",
        None,
        "official-inpainting",
        inpainting_nets.build,
        "depth behind nearer layers",
        PHOTO_3D,
        {"kind": "depth"},
    ),
    OfficialNetwork(
        "official-dpt",
        "dpt_hybrid-midas-501f0c75.pt",
        None,
        "official-dpt",
        dpt.build,
        "depth of a photo (DPT-hybrid)",
        MIDAS,
        required=False,  # any other source of depth will do
    ),
)


@dataclass(frozen=True)
class ImportReport:
    """What an import did."""

    imported: tuple[Path, ...]  # model folders
    absent: tuple[str, ...]  # optional files that were not there


def import_official(folder: Path, destination: Path) -> ImportReport:
    """Turn the official checkpoints into model folders, all or none of them.

    Args:
        folder: holds the files under their published names.
        destination: where models are kept, normally `models.user_models_folder()`; made if need
            be. Models imported earlier are replaced.

    Raises:
        InputError: a file is missing, is no checkpoint, or does not hold exactly the published
            tensors. Nothing is imported then.
    """
    chosen, absent = _choose(folder)
    with writing(destination):
        destination.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".import-", dir=destination))
    try:
        for official in chosen:
            _write_model(staging / official.name, official, _checked_tensors(folder, official))
        with writing(destination):
            places = tuple(_moved(staging, destination, official.name) for official in chosen)
    finally:
        shutil.rmtree(staging)
    return ImportReport(places, absent)


def _choose(folder: Path) -> tuple[list[OfficialNetwork], tuple[str, ...]]:
    """What can be imported from a folder, and which optional files it lacks."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; name the folder that holds the official checkpoints"
        )
    there = [official for official in OFFICIAL if (folder / official.file).is_file()]
    absent = [official for official in OFFICIAL if official not in there]
    missing = sorted({official.file for official in absent if official.required})
    if missing:
        raise InputError(
            f"{folder} lacks {', '.join(missing)}; put the official files there under their "
            "published names"
        )
    return there, tuple(official.file for official in absent)


def _checked_tensors(folder: Path, official: OfficialNetwork) -> dict[str, Tensor]:
    path = folder / official.file
    tensors = _entry(read_checkpoint(path), path, official)
    problems = _problems(tensors, official)
    if problems:
        raise InputError(
            f"{path} does not hold the official network {official.name!r}: "
            f"{'; '.join(problems)}; download the official file again"
        )
    return {
        key: tensor.detach().float().contiguous() if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
        if not key.endswith(CONSTANT_KERNEL)
    }


def read_checkpoint(path: Path) -> dict[Any, Any]:
    """The dictionary in a torch checkpoint; tensors and plain containers only.

    Raises:
        InputError: no checkpoint, a damaged one, or one that asks for code to be run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's doubts about a file that is refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not a plain checkpoint (it is no torch file, or wants to run code); "
            "nothing was run, download the official file again"
        ) from error
    except Exception as error:  # damaged bytes can trip torch's reader in any way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path} cannot be read as a torch checkpoint ({reason}); "
            "download the official file again"
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path} holds a {type(content).__name__}, not a dictionary of tensors; "
            "download the official file again"
        )
    return content


def _entry(content: dict[Any, Any], path: Path, official: OfficialNetwork) -> dict[Any, Any]:
    """The tensors of one network within a checkpoint."""
    if official.entry is None:
        # MiDaS saved some of its checkpoints together with the optimiser.
        return content["model"] if "optimizer" in content and "model" in content else content
    entry = content.get(official.entry)
    if not isinstance(entry, dict):
        keys = ", ".join(sorted(map(str, content))[:NAMES_SHOWN]) or "nothing"
        raise InputError(
            f'{path} lacks the entry "{official.entry}" (it has {keys}); '
            "download the official file again"
        )
    return entry


def _problems(tensors: dict[Any, Any], official: OfficialNetwork) -> list[str]:
    """What keeps tensors from being the network's, in words; empty when all is well."""
    with torch.device("meta"):  # names and shapes only
        network = official.build(**official.architecture)
        expected = {key: tensor.shape for key, tensor in network.state_dict().items()}
    missing = [key for key in expected if key not in tensors]
    unexpected = [str(key) for key in tensors if key not in expected]
    misfits, broken = [], []
    for key in expected.keys() & tensors.keys():
        tensor = tensors[key]
        if not isinstance(tensor, Tensor):
            misfits.append(f"{key} is a {type(tensor).__name__}")
        elif tensor.shape != expected[key]:
            misfits.append(f"{key} is {list(tensor.shape)} instead of {list(expected[key])}")
        elif not _usable(key, tensor):
            broken.append(key)
    kinds = {
        "missing": missing,
        "unexpected": unexpected,
        "wrong shape": misfits,
        "damaged": broken,
    }
    return [f"{kind}: {_listed(sorted(names))}" for kind, names in kinds.items() if names]


def _usable(key: str, tensor: Tensor) -> bool:
    if key.endswith(CONSTANT_KERNEL):
        return bool((tensor == 1).all())
    return bool(tensor.isfinite().all())


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _write_model(folder: Path, official: OfficialNetwork, tensors: dict[str, Tensor]) -> None:
    """One model folder as `models.load_network` reads it, in full precision."""
    with writing(folder):
        folder.mkdir()
        save_file(tensors, folder / WEIGHTS)
        described = asdict(official)
        content = {key: described[key] for key in ("name", "network", "architecture")}
        content["sha256"] = sha256_of(folder / WEIGHTS)
        content |= {"license": official.license, "description": official.description}
        text = json.dumps(content, indent=1) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _moved(staging: Path, destination: Path, name: str) -> Path:
    """Put a finished model in its place; an older one goes down with the staging folder."""
    place = destination / name
    if place.exists():
        os.replace(place, staging / f"old-{name}")
    os.replace(staging / name, place)
    return place
