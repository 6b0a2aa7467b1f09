"""The table of what was tried, for people."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.doors import Result


def table(results: Sequence[Result]) -> str:
    """Tried and survived by door, as Markdown."""
    lines = ["| door | tried | survived |", "| --- | ---: | ---: |"]
    for door in dict.fromkeys(result.door for result in results):
        here = [result for result in results if result.door == door]
        lines.append(f"| {door} | {len(here)} | {sum(not result.problem for result in here)} |")
    whole = sum(not result.problem for result in results)
    return "\n".join([*lines, f"| **all** | **{len(results)}** | **{whole}** |"])


def write(results: Sequence[Result]) -> None:
    pass
