"""A graphics card that is not there, to find on any machine what a real one would refuse.

    with pretended_card() as waits:
        scene = on_device(scene, CARD); ...
        assert len(waits) <= 3

Tensors say that they lie on cuda:0 and hold their values in the processor's memory. As on a card
they cannot be mixed with others, become NumPy arrays or be indexed from elsewhere; and what makes
a program wait for a card is written down in `waits`: copies to and fro unless they say that they
do not block, the truth of a tensor, `nonzero` and its like, whose result has an unknown size.
Our own kernels run on Warp's CPU backend, those that a card would run.

PyTorch's fake tensors do this without values; two private names of torch are theirs as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from cine3d_core.imaging import launch

CARD = torch.device("cuda:0")
APPLE = torch.device("mps:0")
_CPU = torch.device("cpu")
_CONVERSIONS = ("aten::_to_copy", "aten::to")
_MAY_MIX = (*_CONVERSIONS, "aten::copy_", "aten::lift_fresh", "aten::index", "aten::index_put_")
_WAITING = (
    "aten::nonzero",
    "aten::_local_scalar_dense",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::masked_select",
    "aten::equal",
    "aten::_linalg_check_errors",
)


class _State:
    card = CARD
    waits: list[str] = []
    operations = 0  # of torch, on the card
    limit: int | None = None
    gradients: int | None = None  # the latest pass of gradients that the card had a part in


class CardTensor(Tensor):
    """A tensor that says it lies on the card."""

    inner: Tensor
    device = property(lambda self: _State.card)  # type: ignore[assignment]
    is_cuda = property(lambda self: _State.card.type == "cuda")  # type: ignore[assignment]
    is_mps = property(lambda self: _State.card.type == "mps")  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> CardTensor:
        if _State.limit is not None and inner.numel() * inner.element_size() > _State.limit:
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
        if _State.card.type == "mps" and inner.dtype in (torch.float64, torch.complex128):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype (pretended)")
        return Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=_CPU,
            requires_grad=False,
        )

    def __init__(self, inner: Tensor) -> None:
        assert not isinstance(inner, CardTensor)
        self.inner = inner

    def __repr__(self) -> str:
        return f"CardTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def numpy(self, **_: Any):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    __array__ = numpy

    def get_device(self) -> int:
        return 0

    def data_ptr(self) -> int:
        raise RuntimeError("the memory of a pretended card has no address")

    def tolist(self):
        return _waited("tolist", self.detach().inner).tolist()

    def item(self):
        return _waited("item", self.detach().inner).item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __index__(self) -> int:
        return self.item().__index__()

    def cpu(self, *_: Any) -> Tensor:
        return self.to(_CPU)

    def cuda(self, *_: Any, **__: Any) -> Tensor:
        return self

    def pin_memory(self, *_: Any) -> Tensor:
        raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be")

    def new_tensor(self, data: Any, **kwargs: Any) -> Tensor:
        return _moved(torch.tensor(data, dtype=kwargs.get("dtype", self.dtype)), _State.card)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        return _moved(self, *args, **kwargs)


def _waited(kind: str, value: Any) -> Any:
    _State.waits.append(kind)
    return value


def _moved(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to` of a tensor from here or there."""
    dtype, device = kwargs.pop("dtype", None), kwargs.pop("device", None)
    names = ("non_blocking", "copy")
    for position, value in enumerate(args):
        if isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, Tensor):
            dtype, device = value.dtype, value.device
        elif isinstance(value, str | torch.device | int) and not isinstance(value, bool):
            device = torch.device(value)
        elif isinstance(value, bool):
            kwargs[names[position - 1 - sum(isinstance(a, bool) for a in args[:position])]] = value
    was = _State.card if isinstance(tensor, CardTensor) else _CPU
    will = was if device is None else torch.device(device)
    kwargs.pop("memory_format", None)
    same = will.type == was.type and dtype in (None, tensor.dtype)
    if same and not kwargs.get("copy", False):
        return tensor
    there, free = will.type == _State.card.type, kwargs.get("non_blocking", False)
    return _Conversion.apply(tensor, there, dtype, free)  # type: ignore[return-value]


class _Conversion(torch.autograd.Function):
    """Moves and converts; the gradient goes back the way it came."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, there: bool, dtype: torch.dtype | None, free: bool):
        ctx.was = isinstance(tensor, CardTensor), tensor.dtype
        inner = _inner(tensor)
        if there != ctx.was[0] and not free:
            _State.waits.append("copy to the card" if there else "copy from the card")
        inner = inner.to(inner.dtype if dtype is None else dtype, copy=True)
        return CardTensor(inner) if there else inner

    @staticmethod
    def backward(ctx: Any, *gradients: Any):
        inner = _inner(gradients[0]).to(ctx.was[1], copy=True)
        return CardTensor(inner) if ctx.was[0] else inner, None, None, None


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, CardTensor) else value


def _outer(value: Any) -> Any:
    return CardTensor(value) if isinstance(value, Tensor) and not _is_there(value) else value


def _is_there(value: Any) -> bool:
    return isinstance(value, CardTensor)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation of torch as the card would do it."""
    name = func._schema.name
    flat, _ = tree_flatten((args, kwargs))
    tensors = [value for value in flat if isinstance(value, Tensor)]
    there = [value for value in tensors if _is_there(value)]
    wanted = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    if name in _CONVERSIONS:
        return _converted(args[0], wanted, kwargs)
    if name == "aten::copy_":
        return _copied(*args, **kwargs)
    strangers = [value for value in tensors if not _is_there(value) and value.dim() > 0]
    # Some derivatives begin with zeros where the C++ side believes the values to be.
    backward = _goes_back_on_card(bool(there))
    if there and strangers and name not in _MAY_MIX and not backward:
        sizes = [tuple(value.shape) for value in strangers]
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two "
            f"devices, cuda:0 and cpu! {sizes}"
        )
    if name.startswith("aten::index") and there and not _is_there(args[0]) and not backward:
        raise RuntimeError(f"{name}: indices should be on the CPU like the indexed tensor")
    if there and (name in _WAITING or _picks_by_mask(name, args)):
        _State.waits.append(name.removeprefix("aten::"))
    if wanted is not None:
        kwargs = {**kwargs, "device": _CPU}
    kwargs = {**kwargs, "pin_memory": False} if kwargs.get("pin_memory") else kwargs
    result = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    on_card = bool(there) if wanted is None else wanted.type == _State.card.type
    _State.operations += on_card and not getattr(func, "is_view", False)
    on_card = on_card or (backward and (bool(there) or not tensors))  # see above
    if name.startswith("aten::_local_scalar") or not on_card:
        return result
    return _returned(func, args, kwargs, result)


def _goes_back_on_card(there: bool) -> bool:
    """Whether gradients are under way that are the card's, as those that came before were."""
    task = torch._C._current_graph_task_id()
    if there and task != -1:
        _State.gradients = task
    return task != -1 and task == _State.gradients


def _returned(func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> Any:
    """What was changed in place is returned itself."""
    changed = [
        kwargs[argument.name] if argument.name in kwargs else args[position]
        for position, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None
        and argument.alias_info.is_write
        and (argument.name in kwargs or position < len(args))
    ]
    if isinstance(result, Tensor) and len(changed) == 1 and isinstance(changed[0], CardTensor):
        return changed[0]
    return tree_map(_outer, result)


def _picks_by_mask(name: str, args: Any) -> bool:
    """Indexing by truth values: how many are chosen, only the card knows."""
    if name not in ("aten::index", "aten::index_put_", "aten::_index_put_impl_"):
        return False
    indices = (index for index in args[1] if index is not None)
    return any(index.dtype in (torch.bool, torch.uint8) for index in indices)


def _converted(tensor: Tensor, wanted: torch.device | None, kwargs: dict[str, Any]) -> Tensor:
    was = _State.card if _is_there(tensor) else _CPU
    will = wanted or was
    if will.type != was.type and not kwargs.get("non_blocking"):
        _State.waits.append("copy from the card" if will.type == "cpu" else "copy to the card")
    inner = _inner(tensor).to(kwargs.get("dtype") or tensor.dtype, copy=True)
    if kwargs.get("memory_format") not in (None, torch.preserve_format):
        inner = inner.contiguous(memory_format=kwargs["memory_format"])
    return CardTensor(inner) if will.type == _State.card.type else inner


def _copied(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    if _is_there(target) != _is_there(source) and not non_blocking:
        _State.waits.append("copy_")
    _inner(target).copy_(_inner(source))
    return target


class _Dispatch(TorchDispatchMode):
    """For operations that name the card without having a tensor there, such as `zeros`."""

    def __init__(self) -> None:
        super().__init__()
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE  # may name devices that are not there

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """For methods of tensors here, whose C++ side knows nothing of the card."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is Tensor.to:
            return _moved(*args, **kwargs)
        if func is Tensor.cuda:
            return _moved(args[0], CARD)
        if func is Tensor.pin_memory:
            return args[0].clone()
        return func(*args, **kwargs)


class _Event:
    """The moment when the card has done what it was given so far."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def record(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        _State.waits.append("event")


@contextmanager
def pretended_limit(limit_bytes: int) -> Iterator[None]:
    """While it is open, on an open card, whoever makes a larger tensor is out of memory."""
    _State.limit = limit_bytes
    try:
        yield
    finally:
        _State.limit = None


def _memory_of(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, CardTensor):
        return tensor
    limit, _State.limit = _State.limit, None  # a second look at memory takes none
    try:
        return tensor.detach().inner
    finally:
        _State.limit = limit


def operations() -> int:
    """How many operations of torch the card was given so far; looks at the same memory are none."""
    return _State.operations


@contextmanager
def pretended_apple() -> Iterator[list[str]]:
    """As `pretended_card`, but Apple's: mps:0, without our kernels, and without doubles.

    Which operations Apple's backend lacks, and how it rounds, is not pretended.
    """
    apples = {"is_available": lambda: False, "device_count": lambda: 0}
    with pretended_card(kernels=False) as waits, ExitStack() as stack:
        for attribute, value in apples.items():
            stack.enter_context(patch.object(torch.cuda, attribute, value))
        stack.enter_context(patch.object(torch.backends.mps, "is_available", lambda: True))
        stack.enter_context(patch.object(_State, "card", APPLE))
        yield waits


@contextmanager
def pretended_card(*, kernels: bool = True, name: str = "pretended card") -> Iterator[list[str]]:
    """While it is open there is a device cuda:0; yields the list of waits, to read or to clear.

    Args:
        kernels: whether our own kernels run on it, as on NVIDIA's; else torch's operations do.
        name: of the card.
    """
    cuda = torch.cuda
    stand_ins = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "current_stream": lambda *_: None,
        "get_device_name": lambda *_: name,
        "get_device_capability": lambda *_: (8, 9),
        "get_device_properties": lambda *_: SimpleNamespace(name=name, total_memory=16 << 30),
        "mem_get_info": lambda *_: (8 << 30, 16 << 30),
        "max_memory_allocated": lambda *_: 0,
        "reset_peak_memory_stats": lambda *_: None,
        "synchronize": lambda *_: _State.waits.append("synchronize"),
        "empty_cache": lambda: None,
        "Event": _Event,
        "manual_seed_all": lambda *_: None,
    }
    lifting = torch._C._only_lift_cpu_tensors()
    overwriting = torch.__future__.get_overwrite_module_params_on_conversion()
    _State.waits = []
    with ExitStack() as stack:
        for attribute, value in stand_ins.items():
            stack.enter_context(patch.object(cuda, attribute, value))
        stack.enter_context(patch.object(launch, "memory_of", _memory_of))
        stack.enter_context(patch.object(launch, "knows_card", lambda: kernels))
        torch._C._set_only_lift_cpu_tensors(True)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with _Dispatch(), _Functions():
                yield _State.waits
        finally:
            torch._C._set_only_lift_cpu_tensors(lifting)
            torch.__future__.set_overwrite_module_params_on_conversion(overwriting)
