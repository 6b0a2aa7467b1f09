import numpy as np

from cine3d_core.compiled import compiled

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
