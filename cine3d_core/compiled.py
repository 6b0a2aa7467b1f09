"""Loops compiled by Numba, kept on disk between runs wherever there is a place for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])

# As NumPy divides: by zero to infinity, without a look at every divisor.
_SERIAL = {"nogil": True, "error_model": "numpy"}
_PARALLEL = {"parallel": True, **_SERIAL}


def compiled(signature: str | None = None) -> Callable[[Kernel], Kernel]:
    """A decorator: runs in parallel over `prange`, without Python's lock.

    Args:
        signature: Numba's types, to compile at import; None compiles at the first call.
    """

    def decorate(function: Kernel) -> Kernel:
        try:
            dispatcher = njit(signature, **_PARALLEL, cache=True)(function)
        except RuntimeError as error:
            # Neither the package's folder nor the user's may be written, as in a container:
            # then every process compiles anew.
            if "cannot cache" not in str(error):
                raise
            dispatcher = njit(signature, **_PARALLEL)(function)
        return cast(Kernel, dispatcher)  # it is called like the function

    return decorate


def inner() -> Callable[[Kernel], Kernel]:
    """A decorator for what compiled kernels call: no threads of its own."""

    def decorate(function: Kernel) -> Kernel:
        return cast(Kernel, njit(forceinline=True, **_SERIAL)(function))

    return decorate
