"""Deterministic parameters and inputs: every number follows from its name (see README.md)."""

import hashlib
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
DEPTH_OUTPUT = ("inpaint_depth", "dec_1.conv.input_conv.weight")


def uniform(name: str, count: int) -> np.ndarray:
    """`count` float64 in [-1, 1): splitmix64 seeded by the sha256 of the name, top 24 bits."""
    seed = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], "<u8")[0]
    steps = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = seed + steps * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    bits = (z ^ (z >> np.uint64(31))) >> np.uint64(40)
    return bits.astype(np.float64) / 2.0**23 - 1


def value(net: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The rule for one entry of a state dict; spectral vectors still to be converged."""
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    noise = uniform(f"{net}/{key}", math.prod(shape))
    filled = _scaled(noise, leaf, key, shape)
    if (net, key) == DEPTH_OUTPUT:
        filled = filled * 0.02  # keeps exp(log depth) in bounds
    return filled.astype(np.float32).reshape(shape)


def _scaled(noise: np.ndarray, leaf: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    if key.endswith("mask_conv.weight") or not shape:
        return np.ones_like(noise)
    if leaf in ("weight", "weight_orig") and len(shape) >= 2:
        return noise * math.sqrt(6.0 / math.prod(shape[1:]))
    if leaf == "weight":
        return 0.25 + 0.05 * noise if noise.size == 1 else 1 + 0.1 * noise
    if leaf in ("weight_u", "weight_v"):
        return noise / np.sqrt((noise * noise).sum())
    return {"running_mean": 0.1 * noise, "running_var": 1 + 0.2 * noise}.get(leaf, 0.05 * noise)


def converged(weight: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectral-norm vectors after 30 power iterations in float64."""
    matrix = weight.astype(np.float64).reshape(len(weight), -1)
    u = u.astype(np.float64)
    v = np.zeros(matrix.shape[1])
    for _ in range(30):
        v = matrix.T @ u
        v /= max(np.linalg.norm(v), 1e-12)
        u = matrix @ v
        u /= max(np.linalg.norm(u), 1e-12)
    return u.astype(np.float32), v.astype(np.float32)


@cache
def official_shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    text = (FOLDER / "official_state_dicts.json").read_text()
    nets = json.loads(text)
    return {net: {key: tuple(shape) for key, shape in keys.items()} for net, keys in nets.items()}


def filled_state_dict(net: str) -> dict[str, torch.Tensor]:
    """Rule-filled parameters of one published net under their published names."""
    state = {key: value(net, key, shape) for key, shape in official_shapes()[net].items()}
    for key in [key for key in state if key.endswith("weight_orig")]:
        stem = key.removesuffix("orig")
        state[stem + "u"], state[stem + "v"] = converged(state[key], state[stem + "u"])
    return {key: torch.from_numpy(array) for key, array in state.items()}


def net_input(key: str, *shape: int) -> torch.Tensor:
    """The README's U(key, ...): uniform in [-1, 1)."""
    array = uniform(f"input/{key}", math.prod(shape)).astype(np.float32)
    return torch.from_numpy(array.reshape(shape))


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return dict(arrays)


def golden_tensors(name: str) -> dict[str, torch.Tensor]:
    arrays = golden(name)
    return {
        key: torch.from_numpy(array)
        for key, array in arrays.items()
        if array.dtype.kind in "fiu" and array.dtype != np.uint16
    }
