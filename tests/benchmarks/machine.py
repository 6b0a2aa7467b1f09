"""What a machine can do, and how times are taken on it."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch


def ceilings() -> dict[str, float]:
    """What this machine reaches: a large product of matrices and a large copy, on all threads."""
    side, count = 2048, 2**26
    a, b = torch.rand(side, side), torch.rand(side, side)
    source, target = torch.rand(count), torch.empty(count)
    product, multiplying = both_medians(lambda: a @ b)
    copy, copying = both_medians(lambda: target.copy_(source))
    return {
        "GFLOP/s, product of matrices": 2 * side**3 / product / 1e9,
        "GFLOP per processor second": 2 * side**3 / multiplying / 1e9,
        "GB/s, copy (read and written)": 8 * count / copy / 1e9,
        "GB per processor second": 8 * count / copying / 1e9,
        "threads": float(torch.get_num_threads()),
    }


def median(work: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of a call, after one call to warm up."""
    return both_medians(work, repeats)[0]


def both_medians(work: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Median seconds of a call by the clock and of the processors, after one call to warm up.

    What others run on the machine lengthens the first and hardly the second.
    """
    work()
    clock, processors = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - started)
        processors.append(time.process_time() - used)
    return statistics.median(clock), statistics.median(processors)


def peak_gib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**3 if sys.platform == "darwin" else 1024**2)
