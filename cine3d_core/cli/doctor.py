"""What this installation has and lacks, for `cine3d doctor` and for bug reports."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from dataclasses import dataclass

from cine3d_core import __version__
from cine3d_core.errors import COMMANDS, InputError
from cine3d_core.files.models.installed import verify_installed
from cine3d_core.files.models.places import user_models_folder
from cine3d_core.files.models.shelf import shelf_state, shelf_words
from cine3d_core.files.models.store import verify_models

_NEEDED = (
    "numpy",
    "torch",
    "scipy",
    "opencv-python-headless",
    "pillow",
    "numba",
    "safetensors",
    "av",
    "OpenEXR",
)
_OPTIONAL = {
    "transformers": "Depth Anything, UperNet and SAM of the shelf (pip install cine3d[depth])",
    "onnxruntime": "MoGe-2, Depth Anything 3, MI-GAN and LaMa of the shelf "
    "(pip install cine3d[onnx])",
    "pillow-heif": "HEIC photos (pip install cine3d[pictures])",
    "pillow-jxl-plugin": "JPEG XL photos (pip install cine3d[pictures])",
    "rawpy": "raw files of cameras (pip install cine3d[raw])",
    "warp-lang": "fast frames on an NVIDIA card (pip install cine3d[gpu])",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    text: str  # what is there, or what to do


def examine() -> list[Finding]:
    """Looks at interpreter, libraries, devices and models; never raises for what is missing."""
    findings = [
        Finding("cine3d", True, __version__),
        Finding("python", sys.version_info >= (3, 11), platform.python_version()),
        Finding("system", True, platform.platform()),
    ]
    findings += [_library(name, f"missing; install it: pip install {name}") for name in _NEEDED]
    findings += [
        _library(name, f"not installed, only needed for {purpose}", needed=False)
        for name, purpose in _OPTIONAL.items()
    ]
    return findings + _devices() + _models() + _shelf()


def _library(name: str, otherwise: str, *, needed: bool = True) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, not needed, otherwise)


def _devices() -> list[Finding]:
    try:
        import torch
    except ImportError as error:
        return [Finding("devices", False, f"torch cannot be imported ({error})")]
    from cine3d_core.imaging.card_facts import card_facts  # imports torch

    found = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        found.append(f"cuda ({torch.cuda.get_device_name()})")
    if torch.backends.mps.is_available():
        found.append("mps")
    card = card_facts()
    return [
        Finding("devices", True, ", ".join(found)),
        Finding("graphics card", card.problem is None, card.told()),
    ]


def _models() -> list[Finding]:
    try:
        results = verify_models()
    except InputError as error:  # a description that cannot be read
        return [Finding("models", False, str(error))]
    if not results:
        return [Finding("models", False, f"none found, not in {user_models_folder()} either")]
    return [
        Finding(f"model {info.name}", problem is None, problem or f"OK, {info.license}")
        for info, problem in results
    ]


def _shelf() -> list[Finding]:
    """What can be downloaded, and its size; uses no network connection."""
    try:
        state, problems = shelf_state(), dict(verify_installed())
    except InputError as error:  # a table of one's own that cannot be read
        return [Finding("shelf", False, str(error))]
    findings, known = [], {one["name"]: one for one in state}
    for entry, problem in problems.items():
        words = problem or shelf_words(known[entry.name], COMMANDS)
        findings.append(Finding(f"shelf {entry.name}", problem is None, words))
    missing = [one for one in state if not one["installed"]]
    findings += [
        Finding(f"shelf {one['name']}", True, shelf_words(one, COMMANDS))
        for one in missing
        if one["name"] not in {entry.name for entry in problems}
    ]
    return findings
