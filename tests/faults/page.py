"""The table of what was tried, for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.command_line import ROOT
from tests.faults.doors import Result


def table(results: Sequence[Result]) -> str:
    """Tried and survived by door, as Markdown."""
    lines = ["| input | tried | survived |", "| --- | ---: | ---: |"]
    for door in dict.fromkeys(result.door for result in results):
        here = [result for result in results if result.door == door]
        lines.append(f"| {door} | {len(here)} | {sum(not result.problem for result in here)} |")
    whole = sum(not result.problem for result in results)
    return "\n".join([*lines, f"| **all** | **{len(results)}** | **{whole}** |"])


def write(results: Sequence[Result]) -> None:
    """Put the table between the marks of docs/reliability.md; the rest of the page stays."""
    page = ROOT / "docs/reliability.md"
    marks = "<!-- written by python -m tests.faults --write -->", "<!-- end -->"
    pattern = f"{re.escape(marks[0])}.*{re.escape(marks[1])}"
    text, replaced = re.subn(
        pattern,
        lambda _: f"{marks[0]}\n{table(results)}\n{marks[1]}",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert replaced == 1, page
    page.write_text(text, encoding="utf-8")
