"""Text is plain English: no private words, no endless sentences, no endless lines.

The list of private words holds for what users read and for public docstrings; a shorter one, of
nouns that have a better name in the glossary, for the names in the code.
"""

import re
from pathlib import Path

import pytest

from tests.user_text import (
    CODE,
    PAGES,
    ROOT,
    SOURCES,
    Text,
    docstrings,
    names_given,
    options_text,
    pages_text,
    source_text,
)

MOST_WORDS = 35  # of a sentence
MOST_CHARACTERS = 120  # a line of a page is shorter; a row of a table cannot be broken

# What the project used to say -> what it says; docs/glossary.md has the words to use.
DIALECT = {
    r"\bbeds?\b": "backing layer",
    r"\bshores?\b": "edge, bank",
    r"\bfringes?\b": "edge, matte",
    r"\blattices?\b": "pixel grid",
    r"\bcovers exactly\b": "has the proportions of",
    r"\b(carried|brought)\b": "attributes; added",
    r"\b(comes?|came) along\b": "bundled",
    r"(?<!the )\brests?\b|\bresting\b|\bat rest\b": "stays still, static",
    r"\bwhat (rests|sways)\b": "static area, swaying area",
    r"\bof (its|one's|their|your|an?) own\b|\bof yours\b": "separate, your",
    r"\bways\b": "directions, choices",
    r"\bdoors?\b": "input",
    r"\banew\b": "again",
    r"\bto and fro\b": "back and forth",
    r"\b(whoever|nobody|somebody|one's)\b": "you, or the passive",
    r"\b(deeds?|workshop|stand-ins?|telling moment|clues?)\b": "test cases, examples",
    r"\bnot in order\b|\bstands? behind\b": "problems found with, beside",
    r"\bfor (eyes|people)\b": "for viewing",
    r"\bauthors' (networks|method|way|checkpoints)\b": "official",
}
# The names of Blender's and of labelme's things are as they are, and so is a key of our hints.
ALLOWED = re.compile(r"[\"'](rests?|moves)[\"']|\bboth ways\b|\blake-shore\b|\bvec[234]\b.*")
# Names in the code: the same words where they are nouns.
PRIVATE_NAMES = re.compile(
    r"beds?|shores?|fringes?|lattices?|covers|carried|brought|resting|doors?|deeds?|workshop"
    r"|stand_?ins?|sights?|telling|clues?"
)
STORED_NAMES = {"bed", "fringe", "fringe_share"}  # keys of stage parameters in scene files
LAKE_SHORES = {"lake_shore"}  # the name of a made-up scene, and of its files
# Pages that are made by a program from names and figures, or that quote a licence in full.
UNLIMITED = {"THIRD_PARTY.md", "performance-gpu.md"}
DOCS = [page for page in PAGES if page.name != "card.md" and page.name not in UNLIMITED]


def private_words(text: Text) -> list[str]:
    words = ALLOWED.sub("", text.words)
    return [
        f"{text.place}: {found[0]!r} in {words!r}; say {better}"
        for pattern, better in DIALECT.items()
        for found in [re.search(pattern, words, re.IGNORECASE)]
        if found
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_use_the_words_of_the_glossary(page: Path):
    assert not [found for text in pages_text(page) for found in private_words(text)]


def test_messages_and_labels_use_the_words_of_the_glossary():
    texts = [text for path in SOURCES for text in source_text(path)]
    assert len(texts) > 1000
    assert not [found for text in texts for found in private_words(text)]


def test_options_use_the_words_of_the_glossary():
    texts = list(options_text())
    assert len(texts) > 50
    assert not [found for text in texts for found in private_words(text)]


def test_public_docstrings_use_the_words_of_the_glossary():
    texts = [text for path in CODE for text in docstrings(path)]
    assert len(texts) > 1000
    assert not [found for text in texts for found in private_words(text)]


def private_name(name: Text) -> bool:
    if name.words in STORED_NAMES | LAKE_SHORES:
        return False
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.words).lower()
    return bool(re.search(rf"(^|_)({PRIVATE_NAMES.pattern})(_|$)", plain))


def test_names_in_the_code_are_those_of_the_glossary():
    names = [name for path in CODE for name in names_given(path)]
    assert len(names) > 5000
    assert not [name for name in names if private_name(name)]


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_no_sentence_is_endless(page: Path):
    long = [text for text in pages_text(page) if len(text.words.split()) > MOST_WORDS]
    assert not [f"{text.place}: {text.words}" for text in long]


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_no_line_is_endless(page: Path):
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    long = [n for n, line in lines if len(line) >= MOST_CHARACTERS and line[:1] != "|"]
    assert not long, f"{name_of(page)}: lines {long}"


def test_the_reader_finds_what_it_should(tmp_path: Path):
    page = ROOT / "docs" / "glossary.md"
    assert any("backing layer" in text.words for text in pages_text(page))
    source = ROOT / "blender_addon" / "ui" / "panels.py"
    assert any(text.words == "Import Photo" for text in source_text(source))
    assert private_words(Text("here", "Show the bed of the river"))
    assert any(name.words == "Text" for name in names_given(ROOT / "tests" / "user_text.py"))
    assert any("it gives to something" in t.words for t in docstrings(ROOT / "tests/user_text.py"))
    assert private_name(Text("here", "RiverBed")) and private_name(Text("here", "_no_bed"))
    assert not private_name(Text("here", "embedding"))
    assert not private_words(Text("here", 'choose "rests" or take the rest'))
