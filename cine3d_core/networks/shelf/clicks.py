"""SAM 2.1 (Ravi et al. 2024): a photo is encoded once, then every click gives a mask at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


@dataclass(frozen=True)
class Click:
    """A place on a photo that belongs to a thing, or does not."""

    x: float  # share of the width, from the left
    y: float  # share of the height, from the top
    inside: bool = True


@dataclass(frozen=True)
class EncodedPhoto:
    """What the model remembers of a photo."""

    levels: tuple[Tensor, ...]
    height: int  # of the photo
    width: int


@torch.no_grad()
def encode(model: Any, rgb: Tensor) -> EncodedPhoto:  # rgb: [3, H, W]
    """The slow half: seconds."""
    side = int(model.config.vision_config.backbone_config.image_size[0])
    # stretched to a square, as it was trained
    image = F.interpolate(rgb.float()[None], (side, side), mode="bilinear", antialias=True)
    mean, deviation = (torch.tensor(v).to(image)[:, None, None] for v in (_MEAN, _DEVIATION))
    levels = model.get_image_embeddings((image.clamp(0, 1) - mean) / deviation)
    return EncodedPhoto(tuple(levels), *rgb.shape[1:])


@torch.no_grad()
def mask_of(model: Any, photo: EncodedPhoto, clicks: tuple[Click, ...]) -> Tensor:
    """Probability [1, H, W] of the thing that the clicks are on: the quick half."""
    side = int(model.config.vision_config.backbone_config.image_size[0])
    like = photo.levels[-1]
    points = torch.tensor([[[[c.x * side, c.y * side] for c in clicks]]]).to(like)
    labels = torch.tensor([[[int(c.inside) for c in clicks]]], device=like.device)
    answer = model(
        image_embeddings=list(photo.levels),
        input_points=points,
        input_labels=labels,
        multimask_output=len(clicks) == 1,  # one click may mean a part or the whole
    )
    masks, quality = answer.pred_masks[0, 0].float(), answer.iou_scores[0, 0]
    best = masks[int(quality.argmax())][None, None]
    size = (photo.height, photo.width)
    return F.interpolate(best, size, mode="bilinear", align_corners=False)[0].sigmoid()
