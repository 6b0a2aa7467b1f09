"""MoGe-2 (Wang et al. 2025, arXiv 2507.02546): points, and from them depth and the lens.

The program answers with points in the camera's frame up to a shift along the view and a scale, and
with the probability that a pixel has a place at all (the sky has none). The shift and the focal
length are those for which the points fall on their own pixels (section 3.1 of MoGe, arXiv
2410.19115); both are found here.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from cine3d_core.networks.shelf.geometry import Geometry
from cine3d_core.networks.shelf.program import Program

LONG_SIDE = 1024  # px, of what it is shown
TOKENS = 1800  # of its transformer: about 600 px a side
_SAMPLES = 4096  # points that the lens is found from
_LEAST = 64  # valid points below which nothing can be said
_FOCALS = (0.2, 20.0)  # believable, in long sides

Array = NDArray[np.float64]


def predict(program: Program, rgb: Tensor) -> Geometry | None:  # rgb: [3, H, W]
    """Geometry of a photo; None when the program finds no surface at all."""
    height, width = rgb.shape[1:]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = (max(14, round(height * scale)), max(14, round(width * scale)))
    image = F.interpolate(
        rgb.detach().float().cpu()[None], size, mode="bilinear", antialias=True
    ).clamp(0, 1)
    answer = program({"image": image.numpy(), "num_tokens": np.array(TOKENS, np.int64)})
    points = answer["points"].reshape(*size, 3).astype(np.float64)
    valid = answer["mask"].reshape(size).astype(np.float32).clip(0, 1)
    metres = float(np.ravel(answer.get("metric_scale", np.ones(1)))[0])
    sure = (valid > 0.5) & np.isfinite(points).all(axis=2)
    if sure.sum() < _LEAST:
        return None
    focal, shift = lens_of_points(points, sure)
    distance = points[:, :, 2] + shift
    near, far = np.quantile(distance[sure], (0.001, 0.999))
    distance = np.where(sure, distance, far).clip(max(near, far * 1e-4), None)
    found = _FOCALS[0] < focal / max(size) < _FOCALS[1]
    return Geometry(
        distance=torch.from_numpy((distance * metres).astype(np.float32))[None].to(rgb.device),
        valid=torch.from_numpy(valid)[None].to(rgb.device),
        focal_px=focal * max(height, width) / max(size) if found else None,
    )


def lens_of_points(
    points: Array,  # [h, w, 3], z up to a shift
    sure: NDArray[np.bool_],  # [h, w]
) -> tuple[float, float]:
    """Focal length in px, and what to add to z, so that points fall on their own pixels.

    For a shift the best focal length is a ratio of sums; the shift is searched on a line.
    """
    height, width = sure.shape
    rows, columns = np.nonzero(sure)
    step = max(1, len(rows) // _SAMPLES)
    rows, columns = rows[::step], columns[::step]
    pixels = np.stack([columns + 0.5 - width / 2, rows + 0.5 - height / 2], axis=1)
    chosen = points[rows, columns]
    nearest = float(np.quantile(chosen[:, 2], 0.01))
    spread = max(float(np.quantile(chosen[:, 2], 0.9)) - nearest, 1e-3)

    def flat(room: float) -> Array:  # where the lens of focal length 1 sees them
        return chosen[:, :2] / (chosen[:, 2:] - nearest + room).clip(room / 2)

    def focal(room: float) -> float:
        seen = flat(room)
        return float((seen * pixels).sum() / max((seen * seen).sum(), 1e-12))

    def departure(log_room: float) -> float:
        room = spread * float(np.exp(log_room))
        return float(np.abs(focal(room) * flat(room) - pixels).mean())

    # the line may have more than one valley: look everywhere, then closely
    tries = np.linspace(np.log(1e-2), np.log(1e3), 60)
    best = int(np.argmin([departure(value) for value in tries]))
    close = (tries[max(best - 1, 0)], tries[min(best + 1, len(tries) - 1)])
    found = minimize_scalar(departure, bounds=close, method="bounded", options={"xatol": 1e-5})
    room = spread * float(np.exp(found.x))
    return focal(room), room - nearest
