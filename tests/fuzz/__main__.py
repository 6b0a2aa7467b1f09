"""Coverage-guided fuzzing: `python -m tests.fuzz scene_file|protocol|json_readers [--minutes 10]`.

Needs the extra `fuzz` (atheris: Linux, Python 3.11 to 3.13). Begins with the corpus beside this
file, keeps what it finds in --work, and ends with exit code 1 at the first input that is not
refused in words; `tests/fuzz/test_corpus.py` tries the corpus again on every run of the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cine3d_core", "zipfile", "json", "numpy.lib"]):
    from tests.fuzz.targets import TARGETS, try_one

from tests.fuzz.json_mutation import mutated_json

HERE = Path(__file__).parent


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of all mutations of JSON keep it JSON."""
    changed = mutated_json(data, seed) if seed % 2 else None
    return atheris.Mutate(data, max_size) if changed is None else changed[:max_size]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", type=Path, help="folder for what is found (a temporary one)")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    work = chosen.work or Path(tempfile.mkdtemp(prefix="cine3d-fuzz-"))
    found = work / chosen.target
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={int(chosen.minutes * 60)}",
        f"-seed={chosen.seed}",
        f"-artifact_prefix={work}/{chosen.target}-",
        f"-dict={HERE / 'keywords.dict'}",
        "-max_len=8192",
        "-rss_limit_mb=2048",
        "-timeout=20",
        "-print_final_stats=1",
    ]
    corpus = [str(found), str(HERE / "corpus" / chosen.target)]
    atheris.Setup(
        [sys.argv[0], *options, *corpus],
        lambda data: try_one(chosen.target, data),
        custom_mutator=None if chosen.target == "protocol" else mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
