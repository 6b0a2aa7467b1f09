"""What the worker can do for Blender; each job is one call of the core's public functions."""

from __future__ import annotations

from cine3d_core.worker import JobFunction, ping

JOBS: dict[str, JobFunction] = {"ping": ping}
