"""How long builds, frames and clips take; see `__main__`."""

import time

STARTED = time.perf_counter()  # before torch and all else that is measured is imported

import cine3d_core  # noqa: E402,F401  # before torch, as its programs do: how threads wait
