import numpy as np
import pytest
import torch

from cine3d_core.imaging.compiled import compiled
from cine3d_core.imaging.push_pull import push_pull

_KERNEL = """
def double(values):
    for i in prange(len(values)):
        values[i] *= 2
"""


def test_a_kernel_without_a_place_for_its_cache_still_runs() -> None:
    from numba import prange

    names: dict = {"prange": prange}
    exec(compile(_KERNEL, "/nowhere/kernels.py", "exec"), names)
    values = np.arange(5.0)
    compiled()(names["double"])(values)
    assert np.array_equal(values, 2 * np.arange(5.0))


@pytest.mark.parametrize("threads", [1, 5])
def test_a_kernel_leaves_torch_as_many_threads_as_it_had(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    push_pull(torch.rand(1, 9, 9), torch.ones(1, 9, 9))
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == threads
