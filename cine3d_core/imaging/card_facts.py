"""The graphics card: its name and driver, what draws on it, what stands in the way.

For `cine3d doctor`, and for Check and System Info in Blender. Nothing here raises for what is
missing: it is said in a sentence, with what to do.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from cine3d_core.errors import DeviceError
from cine3d_core.imaging import launch
from cine3d_core.imaging.driver import driver_says

LEAST_FREE_MIB = 1500  # for frames of a photo of 1280 px
# What the errors of a card, and of no program's own mistake, have in their text.
_OF_THE_CARD = ("CUDA", "cuDNN", "CUDNN", "CUBLAS", "NVRTC", "HIP error", "MPS backend", "Warp")


@dataclass(frozen=True)
class CardFacts:
    """A graphics card, or that there is none."""

    name: str | None  # None: no card was found
    driver: str | None
    memory_mib: tuple[int, int] | None  # free, whole
    kernels: str  # what draws
    problem: str | None  # why the card cannot be used, and what to do
    advice: str | None  # what would make it faster

    def told(self) -> str:
        """In one line, for a person."""
        parts = [self.name or "none"]
        parts += [] if self.driver is None else [f"driver {self.driver}"]
        if self.memory_mib is not None:
            parts.append(f"{self.memory_mib[0]} of {self.memory_mib[1]} MiB free")
        told = f"{', '.join(parts)}; frames are drawn by {self.kernels}"
        return "; ".join(part for part in (told, self.problem, self.advice) if part)


def card_facts(device: torch.device | None = None) -> CardFacts:
    """Of the card of a device, or of the one that "auto" would take."""
    if device is not None and device.type == "cpu":
        return CardFacts(None, None, None, _CPU_KERNELS, None, None)
    if torch.cuda.is_available():
        return _usable(device or torch.device("cuda"))
    if torch.backends.mps.is_available():
        return CardFacts("Apple", None, None, _TORCH_KERNELS, None, None)
    found = driver_says()
    if found is None:
        return CardFacts(None, None, None, _CPU_KERNELS, None, None)
    name, driver = found
    return CardFacts(name, driver, None, _CPU_KERNELS, _why_not(name, driver), None)


_CPU_KERNELS = "the processor (Numba)"
_TORCH_KERNELS = "torch operations on the card"


def _why_not(name: str, driver: str) -> str:
    """Why PyTorch does not see a card that the driver knows."""
    if torch.version.cuda is None:
        return (
            f"this PyTorch was installed without CUDA and cannot use the {name}; install one with "
            "it as pytorch.org says, then `pip install cine3d[gpu]`"
        )
    return (
        f"PyTorch {torch.__version__} needs CUDA {torch.version.cuda}, for which driver {driver} "
        "may be too old; update the driver from nvidia.com"
    )


def _usable(device: torch.device) -> CardFacts:
    name, found = torch.cuda.get_device_name(device), driver_says()
    driver = None if found is None else found[1]
    problem = _too_old(name, torch.cuda.get_device_capability(device))
    memory = None
    if problem is None:
        free, whole = torch.cuda.mem_get_info(device)
        memory = free >> 20, whole >> 20
        if memory[0] < LEAST_FREE_MIB:
            problem = (
                f"only {memory[0]} MiB of the card's memory are free; close other programs that "
                "use it, or choose the device cpu"
            )
    kernels, advice = _TORCH_KERNELS, None
    if torch.version.hip is None:
        if launch.knows_card():
            kernels = f"Cine3D's own kernels (Warp {importlib.metadata.version('warp-lang')})"
        else:
            advice = "`pip install cine3d[gpu]` would draw several times faster on this card"
    return CardFacts(name, driver, memory, kernels, problem, advice)


def _too_old(name: str, capability: tuple[int, int]) -> str | None:
    """Why the card is too old for this PyTorch, if it is."""
    numbers = [arch.rsplit("_", 1)[-1] for arch in torch.cuda.get_arch_list()]
    known = [int(number.rstrip("af")) for number in numbers if number.rstrip("af").isdigit()]
    own = 10 * capability[0] + capability[1]
    if not known or torch.version.hip is not None or own >= min(known):
        return None
    return (
        f"the {name} (compute capability {capability[0]}.{capability[1]}) is too old for PyTorch "
        f"{torch.__version__}, which knows {min(known) / 10:.1f} and later; choose the device cpu, "
        "or install an older PyTorch"
    )


@contextmanager
def card_errors_told(device: torch.device) -> Iterator[None]:
    """What goes wrong with a card inside becomes a sentence; a program's own mistakes stay.

    Raises:
        DeviceError: the card failed; says what to do.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            "the graphics card has too little memory for this; close other programs that use it",
            "choose a smaller size",
            "set {device} to cpu",
        ) from error
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        if device.type == "cpu" or not any(word in str(error) for word in _OF_THE_CARD):
            raise
        raise DeviceError(
            f"the graphics card could not be used ({said}); {_what_helps(device)}",
            "set {device} to cpu",
        ) from error


def _what_helps(device: torch.device) -> str:
    """What to do about a card that has failed."""
    try:
        problem = card_facts(device).problem
    except RuntimeError:  # a card that is lost answers no questions either
        return "close this program, or start the computer again, and update the card's driver"
    return problem or "update its driver and try again"
