"""Loops compiled by Numba, kept on disk between runs wherever there is a place for them."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import torch
from numba import njit
from numba.core import config

Kernel = TypeVar("Kernel", bound=Callable[..., object])

# As NumPy divides: by zero to infinity, without a look at every divisor.
_SERIAL = {"nogil": True, "error_model": "numpy"}
_PARALLEL = {"parallel": True, **_SERIAL}


def compiled(signature: str | None = None, *, parallel: bool = True) -> Callable[[Kernel], Kernel]:
    """A decorator: runs in parallel over `prange` on torch's threads, without Python's lock.

    Args:
        signature: Numba's types, to compile at import; None compiles at the first call.
        parallel: False for a loop of which each turn needs the one before.
    """
    options = _PARALLEL if parallel else _SERIAL

    def decorate(function: Kernel) -> Kernel:
        try:
            dispatcher = njit(signature, **options, cache=True)(function)
        except RuntimeError as error:
            # Neither the package's folder nor the user's may be written, as in a container:
            # then every process compiles anew.
            if "cannot cache" not in str(error):
                raise
            dispatcher = njit(signature, **options)(function)
        return cast(Kernel, _on_torch_threads(dispatcher))  # it is called like the function

    return decorate


def _on_torch_threads(dispatcher: Callable[..., object]) -> Callable[..., object]:
    """As many threads as torch has, and torch has as many afterwards.

    Numba and torch share one OpenMP, in which Numba sets the number of threads. Sums of torch
    differ in the last bits with that number: a process would not repeat its own results.
    """

    @functools.wraps(dispatcher)
    def call(*args: Any) -> object:
        threads = torch.get_num_threads()
        most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # made by its loader
        numba.set_num_threads(min(threads, most))
        try:
            result = dispatcher(*args)
        except OSError as error:
            # compiled, but no room to keep that for the next process: it runs all the same
            if error.errno not in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
                raise
            result = dispatcher(*args)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return result

    return call


def inner() -> Callable[[Kernel], Kernel]:
    """A decorator for what compiled kernels call: it starts no threads."""

    def decorate(function: Kernel) -> Kernel:
        return cast(Kernel, njit(forceinline=True, **_SERIAL)(function))

    return decorate
