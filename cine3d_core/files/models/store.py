"""Networks on disk: where they lie, whether they are whole, and how one is loaded.

A model is a folder of its name with `model.json`, `weights.safetensors` and, to be read, `card.md`:

    {"name": "see", "network": "see", "architecture": {...}, "sha256": "...",
     "license": "...", "description": "one line"}

`network` is a key of `NETWORKS`, `architecture` the arguments of that module's `build`, `sha256`
the checksum of the weights. Nothing in a model folder can name code to be imported or unpickled.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from cine3d_core.errors import InputError
from cine3d_core.files.atomic import replacing
from cine3d_core.files.inputs import read_json, sha256_of
from cine3d_core.files.models.places import model_folders

# what `model.json` may name -> the module whose build() makes it
NETWORKS = {
    "see": "cine3d_core.networks.see",
    "motion": "cine3d_core.networks.motion",
    "inpainting": "cine3d_core.networks.inpainting",
    "features": "cine3d_core.networks.features",
    "decoder": "cine3d_core.networks.decoder",
    "official-dpt": "cine3d_core.networks.official.dpt",
    "official-feature": "cine3d_core.networks.official.feature_net",
    "official-decoder": "cine3d_core.networks.official.image_decoder",
    "official-motion": "cine3d_core.networks.official.motion_net",
    "official-inpainting": "cine3d_core.networks.official.inpainting_nets",
    "official-discriminator": "cine3d_core.networks.official.discriminator",
}
DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"
_LARGEST_WIDTH = 4096  # of anything that model.json may say; a network is built of such numbers


@dataclass(frozen=True)
class ModelInfo:
    """One model folder, as its `model.json` describes it."""

    name: str
    network: str  # key of NETWORKS
    architecture: dict[str, Any]
    sha256: str  # of the weights
    license: str
    description: str
    folder: Path


@dataclass(frozen=True)
class LoadedNetwork:
    """A network ready for inference, and what to write into a scene about it."""

    network: nn.Module  # float32, on the CPU, in evaluation mode
    info: ModelInfo

    @property
    def checksums(self) -> dict[str, str]:
        """Its name and the sha256 of its weights, for a scene's list."""
        return {self.info.name: self.info.sha256}


def list_models() -> list[ModelInfo]:
    """All models found, by name; of two with one name the one found first."""
    found: dict[str, ModelInfo] = {}
    for root in model_folders():
        for description in sorted(root.glob(f"*/{DESCRIPTION}")):
            info = read_model_info(description.parent)
            found.setdefault(info.name, info)
    return sorted(found.values(), key=lambda info: info.name)


def verify_models() -> list[tuple[ModelInfo, str | None]]:
    """Every model found with None when it is whole, else with one sentence on what is wrong."""
    return [(info, _problem(info)) for info in list_models()]


def load_network(name: str) -> LoadedNetwork:
    """The network of that name with its weights in float32, checked against its checksum.

    Raises:
        InputError: unknown name, damaged weights, or weights that do not fit the network.
    """
    info = find_model(name)
    problem = _problem(info)
    if problem:
        raise InputError(problem)
    return LoadedNetwork(_filled(info).eval().requires_grad_(False), info)


def find_model(name: str) -> ModelInfo:
    """The model of that name found first; InputError, naming those there are, if none is."""
    for root in model_folders():
        if Path(name).name == name and os.path.isfile(root / name / DESCRIPTION):
            return read_model_info(root / name)
    places = ", ".join(str(folder) for folder in model_folders() if folder.is_dir())
    known = ", ".join(info.name for info in list_models())
    raise InputError(
        f"there is no model {name!r}; the known models are {known or 'none'} (looked in "
        f"{places or 'no folder'})"
    )


def read_model_info(folder: Path) -> ModelInfo:
    """The description of one model folder; InputError when it is not one."""
    path = folder / DESCRIPTION
    content = read_json(path, "model description")
    texts = {key: content.get(key, "") for key in ("license", "description")}
    texts |= {key: content.get(key) for key in ("name", "network", "sha256")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f'the model description {path} lacks "{key}", a text')
    if texts["name"] != folder.name:
        raise InputError(
            f"the model description {path} names {texts['name']!r}; rename its folder to that"
        )
    if texts["network"] not in NETWORKS:
        raise InputError(
            f"the model description {path} names the network {texts['network']!r}, which this "
            f"Cine3D does not have; it has {', '.join(NETWORKS)}"
        )
    architecture = content.get("architecture", {})
    if not isinstance(architecture, dict) or not all(map(_is_bounded, architecture.values())):
        raise InputError(
            f'"architecture" in the model description {path} must be an object of numbers up to '
            f"{_LARGEST_WIDTH}"
        )
    return ModelInfo(**texts, architecture=architecture, folder=folder)


def _is_bounded(value: object) -> bool:
    """Whether an argument of `build` is a short word, a bearable number or a few of them."""
    if isinstance(value, list):
        return len(value) <= 64 and all(map(_is_bounded, value))
    if isinstance(value, str):
        return len(value) <= 64
    return isinstance(value, (int, float)) and abs(value) <= _LARGEST_WIDTH


def _problem(info: ModelInfo) -> str | None:
    """What keeps a model from being loaded, in one sentence."""
    weights = info.folder / WEIGHTS
    if not weights.is_file():
        return f"the model {info.name!r} lacks its weights {weights}; install it again"
    if sha256_of(weights) != info.sha256:
        return f"the weights {weights} are damaged (wrong checksum); install the model again"
    return None


def _filled(info: ModelInfo) -> nn.Module:
    """The network as described, holding the stored weights."""
    try:
        builder = importlib.import_module(NETWORKS[info.network]).build
        stored = load_file(info.folder / WEIGHTS)
        # nothing is allocated before the sizes are known to be true, and nothing drawn at random
        with torch.device("meta"):
            network: nn.Module = builder(**info.architecture)
        expected = network.state_dict()
        if any(stored[key].shape != expected[key].shape for key in stored.keys() & expected.keys()):
            raise ValueError("its weights have other shapes than its architecture says")
        # stored at half size; counters of batch normalisation stay whole numbers
        state = {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
        network.load_state_dict(state, strict=True, assign=True)
    except (ModuleNotFoundError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the model {info.name!r} in {info.folder} does not fit this Cine3D ({reason}); "
            "install the version made for it"
        ) from error
    return network


def save_network(
    folder: Path,
    network: nn.Module,
    *,
    kind: str,  # key of NETWORKS
    architecture: dict[str, Any],  # what build() was given
    license: str,
    description: str,
) -> ModelInfo:
    """Write a network as a model folder (made if need be) that `load_network` finds by its name.

    Floating-point weights are stored in float16, which must be able to hold them.
    """
    assert kind in NETWORKS, kind
    state = {name: _half(tensor) for name, tensor in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
        temporary.chmod(0o644)  # safetensors writes for its owner's eyes only
    info = ModelInfo(
        name=folder.name,
        network=kind,
        architecture=architecture,
        sha256=sha256_of(folder / WEIGHTS),
        license=license,
        description=description,
        folder=folder,
    )
    content = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "folder"}
    with replacing(folder / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return info


def _half(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.detach().cpu().contiguous()
    half = tensor.detach().cpu().half().contiguous()
    assert half.isfinite().all(), "weights beyond the range of float16"
    return half
