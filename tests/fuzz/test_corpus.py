"""What the fuzzers start from and what they found: never a failure again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import try_one

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus_is_read_or_refused_in_words(path: Path) -> None:
    try_one(path.parent.name, path.read_bytes())
