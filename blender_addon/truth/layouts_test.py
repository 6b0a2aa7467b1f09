"""Layout families of the test scenes; none of them is used for training."""

from __future__ import annotations

TEST_LAYOUTS = ()
