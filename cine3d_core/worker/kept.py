"""What stays prepared between jobs: scenes as memory allows, and the motion between two strokes.

An animation asks for the same scene at every frame, and a person who compares scenes switches
between a few; each is hundreds of megabytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import torch

from cine3d_core.errors import InputError
from cine3d_core.files.scene.scene_file import load_scene
from cine3d_core.memory import GIB, available_gib
from cine3d_core.scene import CinemagraphScene

SHARE = 0.25  # of the memory that is free, for scenes that are kept but not in use
Key = tuple[str, str, int, torch.device]  # what for, the file, its time of change, where


class KeptScenes:
    """What was made of scene files, the latest used last."""

    def __init__(self, free_bytes: Callable[[torch.device], int]) -> None:
        """`free_bytes` says how much memory a device has left."""
        self._free_bytes = free_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Key, make: Callable[[], tuple[Any, int]]) -> Any:
        """What is kept under a key, or what `make` makes, with the bytes that it holds."""
        if key not in self._kept:
            self._drop(lambda other: other[:2] == key[:2] and other[3] == key[3])  # its older self
            self._make_room(key[3])
            self._kept[key] = make()
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def __len__(self) -> int:
        return len(self._kept)

    def _make_room(self, device: torch.device) -> None:
        """Drops what was not used for longest until a share of what is free holds the rest."""
        while there := [key for key in self._kept if key[3] == device]:  # type: ignore[index]
            held = sum(self._kept[key][1] for key in there)
            # what is kept could be free: else the limit would shrink with every scene
            if held <= SHARE * (self._free_bytes(device) + held):
                return
            del self._kept[there[0]]

    def _drop(self, outdated: Callable[[Any], bool]) -> None:
        for key in [key for key in self._kept if outdated(key)]:
            del self._kept[key]


class KeptParts:
    """What was worked out of one subject, the latest used last; another subject replaces it."""

    def __init__(self, most: int = 64) -> None:
        """`most` parts are kept."""
        self._most = most
        self._subject: Hashable = None
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    def of(self, subject: Hashable) -> Callable[[Hashable, Callable[[], Any]], Any]:
        """What gives parts of this subject: as they are known, else as they are made."""
        if subject != self._subject:
            self._subject = subject
            self._known = OrderedDict()
        return self._get

    def _get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = make()
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return self._known[key]


def free_bytes(device: torch.device) -> int:
    """Memory that a device has left; 0 where that is unknown, so that one scene is kept."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int((available_gib() or 0.0) * GIB)


_KEPT = KeptScenes(free_bytes)


def kept_scene(
    purpose: str,
    scene_file: str,
    device: torch.device,
    make: Callable[[CinemagraphScene, torch.device], tuple[Any, int]],
) -> Any:
    """What `make` makes of a scene file, with the bytes that it holds; kept while memory allows.

    Raises:
        InputError: there is no such file, or none that can be read.
    """
    path = Path(scene_file)
    if not path.is_file():
        raise InputError(f"the scene file {path} is not there; use Relink to say where it is")
    key = (purpose, str(path), path.stat().st_mtime_ns, device)
    return _KEPT.get(key, lambda: make(load_scene(path), device))
