"""`make gpu-check`: everything that has to be tried on a graphics card, in one command.

python -m tests.card_check            # on a card; writes docs/performance-gpu.md
python -m tests.card_check --dry      # on any machine: a pretended card, small sizes
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch

from cine3d_core.imaging import launch
from cine3d_core.imaging.card_facts import card_facts
from tests.card_check.bench import ROOT, Bench

SECONDS = 480.0  # on a card
DRY_SECONDS = 3600.0  # of a machine that may have other work
LEAST_LEFT = 20.0  # for one more part
REPORT = ROOT / "docs" / "performance-gpu.md"
DRY_REPORT = ROOT / "out" / "gpu-check-dry.md"


def main() -> int:
    """Runs all parts, writes the report; 1 if a part failed, 2 if there is nothing to run on."""
    arguments = _arguments()
    bench = Bench(arguments.dry, DRY_SECONDS if arguments.dry else SECONDS)
    if not launch.is_installed():
        print("gpu-check: Warp is not installed; pip install cine3d[gpu]", file=sys.stderr)
        return 2
    if not arguments.dry and not torch.cuda.is_available():
        print(f"gpu-check: no card can be used: {card_facts().told()}", file=sys.stderr)
        return 2
    card = nullcontext([])
    if arguments.dry:
        from tests.pretended_card import pretended_card

        card = pretended_card()
    with card as told:
        lines, failed = _all_parts(bench, told)
    report: Path = arguments.report or (DRY_REPORT if arguments.dry else REPORT)
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    print(f"gpu-check: {report}; {len(failed)} parts failed{': ' if failed else ''}"
          + ", ".join(failed))  # fmt: skip
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu-check", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="a pretended card and small sizes")
    parser.add_argument("--report", type=Path, help="where to write what was found")
    return parser.parse_args()


def _all_parts(bench: Bench, told: list[str]) -> tuple[list[str], list[str]]:
    """The report's lines, and the names of the parts that failed."""
    from tests.card_check import building, checks, times  # import Warp, which may not be there

    parts: dict[str, Callable[[Bench], list[str]]] = {
        "The card alone": times.ceilings,
        "Every stage against the CPU": checks.parity,
        "The same frame every time": checks.determinism,
        "Frames": times.frames,
        "Too little memory": checks.strips,
        "One training step of every network": checks.training,
        "What a frame moves and multiplies": times.stages,
        "Every stage of a build against the CPU": building.parity,
        "Building a scene": times.build,
        "The official networks": times.official,
    }
    if bench.dry:
        parts["Waits"] = partial(times.waits, told=told)
    lines, failed = _head(bench), []
    for name, part in parts.items():
        lines += ["", f"## {name}", ""]
        if bench.left < LEAST_LEFT:
            lines.append("Left out: the time was over.")
            failed.append(name)
            continue
        started = time.monotonic()
        try:
            lines += part(bench)
        except Exception as error:  # the other parts are to be told, too
            traceback.print_exc()
            lines.append(f"FAILED: {type(error).__name__}: {error}")
            failed.append(name)
        lines += ["", f"({time.monotonic() - started:.1f} s)"]
    return lines, failed


def _head(bench: Bench) -> list[str]:
    what = "a card"
    if bench.dry:
        what = "a pretended card and small sizes: no time here means anything"
    return [
        "# On the graphics card",
        "",
        f"Written by `make gpu-check` on {time.strftime('%Y-%m-%d')} with {what}.",
        "",
        f"- {card_facts().told()}",
        f"- PyTorch {torch.__version__}",
        "- scene: " + ("a small river" if bench.dry else "tests/bridge at 1280 px"),
    ]


if __name__ == "__main__":
    sys.exit(main())
