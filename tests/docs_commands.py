"""What the documentation tells its readers to type: code blocks and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# What a page writes where a reader has a folder that all machines see.
SHARED = "/shared"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str  # "" where the fence names none
    text: str


@dataclass(frozen=True)
class Command:
    """A line of a page's shell blocks, without its comment."""

    page: Path
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The line as one string with single spaces."""
        return " ".join(self.words)


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of a page, of one language or of all."""
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"))
    return [Block(page, name, text) for name, text in found if language in (None, name)]


def commands(page: Path, *programs: str) -> list[Command]:
    """The lines of a page's shell blocks, those of some programs or all of them."""
    text = "".join(block.text for block in blocks(page, "sh")).replace("\\\n", " ")
    lines = [tuple(shlex.split(line, comments=True)) for line in text.splitlines()]
    return [Command(page, words) for words in lines if words and words[0] in (programs or words)]


def inline_code(page: Path) -> Iterator[str]:
    """The pieces of code within a page's sentences."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    for piece in re.findall(r"`([^`]+)`", prose):
        yield " ".join(piece.split())
