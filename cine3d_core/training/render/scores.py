"""How good the renderer is on pairs that were held out, in numbers and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from cine3d_core.training.loop import append_row
from cine3d_core.training.render import data as render_data
from cine3d_core.training.render import families
from cine3d_core.training.render.data import RenderBatch, is_scene, where_seen


def psnr(picture: Tensor, batch: RenderBatch) -> Tensor:
    """Peak signal to noise ratio in dB over what is seen, for each sample [B]."""
    seen = (batch.weight > 0.95).to(picture)
    squared = ((picture.clamp(0, 1) - batch.target) ** 2 * seen).sum(dim=(1, 2, 3))
    mean = squared / (3 * seen.sum(dim=(1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-6))


@torch.no_grad()
def score(
    network: families.Renderer, paths: Sequence[Path], judge: nn.Module, device: torch.device
) -> dict[str, float]:
    """Mean PSNR and perceptual distance of the splat, of the network, and without features."""
    rows: list[dict[str, float]] = []
    for path in paths:
        batch = render_data.on_device(render_data.to_batch([render_data.read_pair(path)]), device)
        with_features, without = torch.ones(1, device=device), torch.zeros(1, device=device)
        pictures = {
            "splat": batch.planes[:, :3],
            "decoded": network(batch, with_features).clamp(0, 1),
            "plain": network(batch, without).clamp(0, 1),
        }
        row = {f"{kind}_psnr": float(psnr(p, batch)) for kind, p in pictures.items()}
        for kind, picture in pictures.items():
            distance = judge(where_seen(picture, batch), batch.target)
            row[f"{kind}_perceptual"] = float(distance)
        rows.append(row)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def preview(
    network: families.Renderer, paths: Sequence[Path], device: torch.device
) -> np.ndarray:  # [h, w, 3] BGR bytes
    """Rows of: the splat, decoded, the truth, at twice the size."""
    rows = []
    for path in paths:
        batch = render_data.on_device(render_data.to_batch([render_data.read_pair(path)]), device)
        decoded = network(batch, torch.ones(1, device=device)).clamp(0, 1)
        row = torch.cat([batch.planes[:, :3], decoded, batch.target], dim=3)[0].cpu()
        picture = (row.permute(1, 2, 0).numpy()[:, :, ::-1] * 255).round().astype(np.uint8)
        rows.append(picture.repeat(2, axis=0).repeat(2, axis=1))
    return np.vstack(rows)


def write_report(
    network: families.Renderer,
    held_out: Sequence[Path],
    judge: nn.Module,
    *,
    row: Mapping[str, float],
    scores: Path,
) -> float:
    """Scores of each kind of held-out pairs and a preview, written; the mean PSNR in dB.

    Args:
        network: in evaluation mode.
        held_out: pairs that the training never sees.
        judge: a perceptual distance, on the network's device.
        row: what the rows of scores begin with; `step` also numbers the preview.
        scores: the CSV file that gets the rows; the preview is written beside it.
    """
    reached, device = [], next(network.parameters()).device
    for kind in (False, True):
        paths = [path for path in held_out if is_scene(path) == kind]
        if paths:
            found = score(network, paths, judge, device)
            rounded = {name: round(value, 5) for name, value in found.items()}
            append_row(scores, {**row, "scenes": int(kind), **rounded})
            reached.append(found["decoded_psnr"])
    chosen = held_out[:: max(1, len(held_out) // 6)]
    if chosen:
        picture = preview(network, chosen, device)
        cv2.imwrite(str(scores.parent / f"preview{row['step']:06d}.png"), picture)
    return float(np.mean(reached)) if reached else 0.0
