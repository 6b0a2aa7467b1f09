"""Starting kernels of our own on a graphics card.

They are written for NVIDIA Warp (`warp-lang`, the optional extra `gpu`), which compiles the same
source for a card and for the CPU. Where it is not installed, and on cards that it does not know
(Apple, AMD), torch operations do the same work.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import torch
from torch import Tensor


@functools.cache
def _warp() -> Any:
    import warp  # half a second, which programs without a card do not spend

    warp.config.log_level = warp.LOG_WARNING  # it would greet on the standard output
    warp.init()
    return warp


def is_installed() -> bool:
    """Whether Warp is there to be imported."""
    return importlib.util.find_spec("warp") is not None


def may_launch(tensor: Tensor) -> bool:
    """Whether our kernels can work where a tensor lies; on the CPU Numba's do instead."""
    return tensor.device.type == "cuda" and torch.version.hip is None and knows_card()


@functools.cache
def knows_card() -> bool:
    """Whether Warp is installed and finds a card that it can use."""
    return is_installed() and bool(_warp().is_cuda_available())


def memory_of(tensor: Tensor) -> Tensor:
    """The tensor whose address a kernel is given. Tests that pretend a card replace this."""
    return tensor


def launch(kernel: Any, size: int | tuple[int, ...], *arguments: Any) -> None:
    """Runs a kernel for every index below `size`, in order with torch's own work on that device.

    Args:
        kernel: made by `warp.kernel`; its parameters are arrays of numbers and plain values.
        size: one to four dimensions.
        arguments: tensors on one device, and plain values.
    """
    warp = _warp()
    passed, stream, device = [], None, "cpu"
    for parameter, value in zip(kernel.adj.args, arguments, strict=True):
        if isinstance(value, Tensor):
            memory = memory_of(value)
            if memory.is_cuda:
                stream = _stream(torch.cuda.current_stream(memory.device))
                device = stream.device
            dtype = parameter.type.dtype
            value = warp.from_torch(memory, dtype, requires_grad=False, return_ctype=True)
        passed.append(value)
    warp.launch(kernel, size, passed, device=device, stream=stream, record_tape=False)


_STREAMS: dict[tuple[int, int], Any] = {}


def _stream(stream: torch.cuda.Stream) -> Any:
    """Torch's stream as Warp's; kept, since wrapping one takes longer than a launch."""
    key = (stream.device.index, stream.cuda_stream)
    if key not in _STREAMS:
        _STREAMS[key] = _warp().stream_from_torch(stream)
    return _STREAMS[key]


def upload(values: Tensor, device: torch.device) -> Tensor:
    """A few numbers on a device, without waiting for what it is doing.

    CUDA has copied so few before it returns; of other devices that is not known.
    """
    return values.to(device, non_blocking=device.type == "cuda")
