"""How far float results may lie from the truth, by dtype."""

import torch

ABSOLUTE = {torch.float32: 1e-5, torch.float64: 1e-10}
# A pixel position near 1000 px has 6e-5 px between neighbouring float32 numbers.
PIXELS = {torch.float32: 2e-3, torch.float64: 1e-9}
