"""What flows by a network of the shelf, which tells sky, water and falls better than ours.

What it has no class for, smoke and fire, stays the bundled network's in what is left.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cine3d_core.files.models.installed import chosen
from cine3d_core.files.models.runtimes import open_model
from cine3d_core.networks.shelf import ade20k
from cine3d_core.scene import FLUIDS
from cine3d_core.see.regions import sharpen


def better_classes(rgb: Tensor, fluid: Tensor | None, choice: str | None) -> Tensor | None:
    """Probability of each of FLUIDS, by the chosen network where it knows them.

    Args:
        rgb: [3, H, W].
        fluid: [K, H, W] as the bundled network has it; None where that was not asked.
        choice: as `shelf.chosen` has it.

    Returns:
        [K, H, W] on the CPU; `fluid` itself where no network is chosen.

    Raises:
        InputError: the chosen network is not here, not whole, or its package is missing.
    """
    one = chosen("classes", choice)
    if one is None:
        return fluid
    model = _opened(one.folder, one.checksum).to(rgb.device)
    rough = ade20k.predict(model, rgb).cpu().numpy()
    colour = np.ascontiguousarray(rgb.detach().cpu().permute(1, 2, 0).numpy(), np.float32)
    known = torch.from_numpy(sharpen(rough, colour))
    result = torch.zeros(len(FLUIDS), *rgb.shape[1:]) if fluid is None else fluid.cpu().clone()
    left = (1 - known.sum(0)).clamp(min=0)
    for number, name in enumerate(FLUIDS):
        result[number] = (
            known[ade20k.NAMES.index(name)] if name in ade20k.NAMES else (result[number] * left)
        )
    return result / result.sum(0, keepdim=True).clamp(min=1)


def classes_checksums(choice: str | None) -> dict[str, str]:
    """The chosen network and the SHA-256 of its weights; empty where none is."""
    one = chosen("classes", choice)
    return {} if one is None else {one.entry.name: one.checksum}


@lru_cache(maxsize=1)
def _opened(folder: Path, _checksum: str) -> Any:
    return open_model("UperNetForSemanticSegmentation", folder, folder.name)
