"""Every bad or odd input at every door: `python -m tests.faults [--door NAME] [--write]`.

Prints what went wrong, and a table of tried and survived by door; `--write` puts the table into
docs/reliability.md. Exit code 1 when anything went wrong.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults import page
from tests.faults.doors import DOORS, try_door


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--door", choices=DOORS, action="append", help="this door alone")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    chosen = parser.parse_args()
    started = time.monotonic()
    results = [result for door in chosen.door or DOORS for result in try_door(door)]
    for result in results:
        if result.problem:
            print(f"{result.door} / {result.name}: {result.problem}\n", file=sys.stderr)
    print(page.table(results))
    print(f"\n{time.monotonic() - started:.0f} s")
    if chosen.write:
        page.write(results)
    return int(any(result.problem for result in results))


if __name__ == "__main__":
    sys.exit(main())
