"""Depth Anything 3, the monocular one (Lin et al. 2025, arXiv 2511.10647): distances and sky.

The program was made for pictures of one size, lying; a standing photo is laid on its side for it,
as those who made the program advise. Its distances have no unit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.networks.shelf.geometry import Geometry
from cine3d_core.networks.shelf.program import Program

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
_SKY = 0.3  # of the program's score: from here on it is sky
_LEAST = 64  # pixels with a surface, below which nothing can be said
_SIZE = (378, 504)  # px, where the program leaves a side open


def predict(program: Program, rgb: Tensor) -> Geometry | None:  # rgb: [3, H, W]
    """Geometry of a photo, without its lens; None when the program finds no surface at all."""
    (name,) = program.inputs
    sides = program.shapes[name][2:]
    size = [side or usual for side, usual in zip(sides, _SIZE, strict=True)]
    standing = (rgb.shape[1] > rgb.shape[2]) != (size[0] > size[1])
    picture = rgb.detach().float().cpu()
    if standing:
        picture = picture.rot90(1, (1, 2))
    image = F.interpolate(picture[None], size, mode="bilinear", antialias=True).clamp(0, 1)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
    answer = program({name: ((image - mean) / deviation).numpy()})
    distance, score = (
        torch.from_numpy(answer[key].reshape(1, *size)).float() for key in ("depth", "sky")
    )
    if standing:
        distance, score = (plane.rot90(-1, (1, 2)) for plane in (distance, score))
    # linear through one half at the program's own threshold
    valid = 1 - (score / (2 * _SKY)).clamp(0, 1)
    sure = (valid > 0.5) & distance.isfinite()
    if int(sure.sum()) < _LEAST:
        return None
    values = distance[sure].sort().values
    near, far = values[len(values) // 1000], values[-1 - len(values) // 1000]
    bounded = torch.where(sure, distance, far).clamp(min=float(max(near, far * 1e-4)))
    return Geometry(bounded.to(rgb.device), valid.to(rgb.device), None)
