"""From the motion net's square grid to pixels of the photo."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cine3d_core.official.masked_ops import box_mean

BLUR = 15


def flow_from_prediction(
    prediction: Tensor,  # [1, 2, S, S] px/frame on the net's grid
    mask: Tensor,  # [1, 1, S, S] in [0, 1]
    *,
    height: int,
    width: int,
    flow_scale: float = 1.0,
) -> Tensor:  # [1, 2, H, W] px/frame
    """Velocity in the photo: masked, blurred once, masked again, stretched.

    Args:
        prediction: what the motion net says.
        mask: where motion is wanted.
        height: of the photo.
        width: of the photo.
        flow_scale: divides the velocity; larger is slower.
    """
    size = prediction.shape[-1]
    flow = box_mean(prediction * mask, BLUR) * mask
    flow = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    stretch = torch.tensor([width / size, height / size], dtype=flow.dtype, device=flow.device)
    return flow * (stretch / flow_scale).view(1, 2, 1, 1)
