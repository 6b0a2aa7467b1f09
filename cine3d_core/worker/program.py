"""The worker as a program: its pipes, and the jobs that it knows."""

from __future__ import annotations

from collections.abc import Mapping

from cine3d_core.worker.server import JobFunction, serve_pipes


def load_jobs() -> Mapping[str, JobFunction]:
    """What the worker can do; imports torch."""
    from cine3d_core.worker.jobs import JOBS

    return JOBS


def main() -> int:
    """Serve until Blender closes the pipe."""
    return serve_pipes(load_jobs)
