"""The 150 classes of ADE20K (Zhou et al. 2017) as ours: sky, water and falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LONG_SIDE = 768  # px, of what it is shown
_MULTIPLE = 32
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
NAMES = ("sky", "water", "falls")  # of scene.FLUIDS
_MEMBERS = {
    "sky": {"sky"},
    "water": {"water", "sea", "river", "lake", "fountain", "swimming pool"},
    "falls": {"waterfall", "falls"},
}


def places_of(labels: Mapping[int, str]) -> dict[str, list[int]]:
    """Which of a model's classes are which of NAMES; labels may list several names."""
    names = {int(k): {name.strip().lower() for name in v.split(",")} for k, v in labels.items()}
    return {
        kind: [number for number, words in names.items() if words & members]
        for kind, members in _MEMBERS.items()
    }


@torch.no_grad()
def predict(model: Any, rgb: Tensor) -> Tensor:  # [3, H, W] -> [3, h, w]
    """Probability of each of NAMES, at the size that the model works at."""
    height, width = rgb.shape[1:]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = [max(_MULTIPLE, round(s * scale / _MULTIPLE) * _MULTIPLE) for s in (height, width)]
    image = F.interpolate(rgb.float()[None], size, mode="bilinear", antialias=True).clamp(0, 1)
    mean, deviation = (torch.tensor(v).to(image)[:, None, None] for v in (_MEAN, _DEVIATION))
    probability = model(pixel_values=(image - mean) / deviation).logits[0].float().softmax(0)
    places = places_of(model.config.id2label)
    return torch.stack([probability[places[name]].sum(0) for name in NAMES])
