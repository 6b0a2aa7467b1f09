"""Times and memory of a build, of frames and of clips, against what the machine can do.

`python -m tests.benchmarks [--sizes 640 1280 1920 3840] [--quick] [--write]`, or
`python -m tests.benchmarks --before COMMIT [--sizes 1280]`: this tree beside another commit, and
exit code 1 where anything takes more than 5 % more

Each measurement runs in a process of its own, so that its peak memory is its own. Times are medians
of wall-clock seconds; the load of the machine is printed with them, since others may share it, and
processor seconds beside them, which others hardly change.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import against
from tests.benchmarks.sample import ROOT

PAGE = ROOT / "docs" / "performance.md"
COUNTS = ("points", "frames", "layers", "threads")
MEASURES = (
    "ceilings", "build", "frames", "clip", "plain_clip", "preview", "layers", "official",
)  # fmt: skip

Columns = dict[str, dict[str, float]]


def in_own_process(what: str, width: int, frames: int, folder: Path) -> dict[str, float]:
    """One measurement in a fresh interpreter, or what an earlier run left of it in the folder.

    Args:
        what: one of MEASURES.
        width: of the picture.
        frames: of the loop.
        folder: where scenes and figures are kept.
    """
    kept = folder / f"{what}-{width}-{frames}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    command = [sys.executable, "-m", "tests.benchmarks", "--only", what]
    command += ["--sizes", str(width), "--frames", str(frames), "--folder", str(folder)]
    load = os.getloadavg()[0]
    print(f"{what} {width} {frames} (load {load:.1f})", file=sys.stderr, flush=True)
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if result.returncode:
        sys.exit(result.stderr)
    figures = {**json.loads(result.stdout.splitlines()[-1]), "load average before": load}
    kept.write_text(json.dumps(figures))
    return figures


def table(columns: Columns) -> str:
    """Markdown: one row per quantity, one column per setting."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = (shown(row, column.get(row)) for column in columns.values())
        lines.append(f"| {row.strip()} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(row: str, value: float | None) -> str:
    """A figure as the tables have it."""
    if value is None:
        return ""
    if row in COUNTS:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 0.1 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def report(sizes: list[int], folder: Path, *, quick: bool) -> str:
    """The tables of `docs/performance.md`."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    middle = 1280 if 1280 in sizes else sizes[-1]
    limits = in_own_process("ceilings", middle, 60, folder)
    own = {what: in_own_process(what, middle, 60, folder) for what in ("build", "frames")}
    sections = {
        f"A clip of {middle}x{middle * 9 // 16}": clips(middle, folder, quick=quick),
        "Preview of 640x360": {"": in_own_process("preview", middle, 60, folder)},
        "Beside the official networks": beside_official(middle, folder, own["frames"]),
    }
    builds, frames = (
        {f"{width}x{width * 9 // 16}": in_own_process(what, width, 60, folder) for width in sizes}
        for what in ("build", "frames")
    )
    if not quick:
        counts = (1, 2, 4, 8)
        sections["Layers, 640x360"] = {
            f"at most {count}": in_own_process("layers", 640, count, folder) for count in counts
        }
    sections = {
        "Ceilings": {"this machine": limits},
        "Build": builds,
        "Frames": with_shares(frames, limits),
        **sections,
    }
    text = "\n\n".join(f"## {title}\n\n{table(part)}" for title, part in sections.items())
    return f"{machine}. Seconds where nothing else is said.\n\n{text}\n"


def with_shares(frames: Columns, limits: dict[str, float]) -> Columns:
    """The frames' figures, with what part of the machine's ceilings they reach."""
    product, copy = limits["GFLOP per processor second"], limits["GB per processor second"]
    decoding = "GFLOP per processor second of decoding"
    splatting = "GB per processor second of splatting, at least"
    return {
        name: {
            **column,
            "decode, share of the ceiling": column[decoding] / product,
            "splat, share of the ceiling of copies": column[splatting] / copy,
        }
        for name, column in frames.items()
    }


def clips(width: int, folder: Path, *, quick: bool) -> Columns:
    """Whole loops."""
    columns = {
        "compact decoder": in_own_process("clip", width, 60, folder),
        "pass-through": in_own_process("plain_clip", width, 60, folder),
    }
    if not quick:
        columns["pass-through, longer"] = in_own_process("plain_clip", width, 240, folder)
    return columns


def beside_official(width: int, folder: Path, ours: dict[str, float]) -> Columns:
    """Their path in this repository, and how many times longer than ours it takes."""
    theirs = in_own_process("official", width, 60, folder)
    used = "its processor seconds"
    return {
        "--preset paper --models official": {
            **theirs,
            "times our frame with the compact decoder": theirs["frame"]
            / ours["frame, compact decoder"],
            "the same in processor seconds": theirs[used] / ours[used],
            "times faster than the published 21 s": 21 / theirs["frame"],
        }
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--sizes", type=int, nargs="+", help="widths of the photo")
    parser.add_argument("--quick", action="store_true", help="640 and 1280, one loop length")
    parser.add_argument("--before", metavar="COMMIT", help="set another commit beside this tree")
    parser.add_argument("--frames", type=int, default=60, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=f"replace the tables in {PAGE.name}")
    parser.add_argument("--only", choices=MEASURES, help="one measurement, as JSON")
    parser.add_argument(
        "--folder", type=Path, help="keep scenes and figures here; a second run goes on"
    )
    args = parser.parse_args()
    if args.only:
        from tests.benchmarks.measures import measured  # imports torch, which is measured

        width = args.sizes[0] if args.sizes else 1280
        print(json.dumps(measured(args.only, args.folder, width, args.frames)))
        return
    if args.before:
        text, within = against.report(args.before, args.sizes[0] if args.sizes else 1280)
        print(text)
        sys.exit(0 if within else f"more than {against.ALLOWED:.0%} more than {args.before}")
    with tempfile.TemporaryDirectory() as name:
        sizes = args.sizes or ([640, 1280] if args.quick else [640, 1280, 1920, 3840])
        if args.folder:
            args.folder.mkdir(parents=True, exist_ok=True)
        text = report(sizes, args.folder or Path(name), quick=args.quick)
    print(text)
    if args.write:
        head, mark, _ = PAGE.read_text().partition("<!-- measured -->")
        assert mark, f"{PAGE} has no <!-- measured --> line to write below"
        PAGE.write_text(f"{head}{mark}\n\n{text}")


if __name__ == "__main__":
    main()
