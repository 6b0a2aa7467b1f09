"""Hooks of the documentation site (MkDocs): pages from outside `docs/`, and the options page.

GitHub and the site show the same Markdown files. In the site README.md is the home page, `docs/`
is the root, and a file elsewhere in the repository that a page links to lies below `repository/`.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from cine3d_core.cli.program import make_parser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
HOME = ROOT / "README.md"
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")


def site_uri(path: Path) -> str:
    """Place of a file of the repository in the site's sources."""
    if path == HOME:
        return "index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    # a browser shows text, and saves what it does not know
    ending = "" if path.suffix == ".md" else ".txt"
    return f"repository/{path.relative_to(ROOT).as_posix()}{ending}"


def linked_files(page: Path) -> Iterator[Path]:
    """Files of the repository that a page links to."""
    for target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        if path.is_file():
            yield path


def pages_and_files_outside_docs() -> set[Path]:
    """What has to be added to `docs/`: pages of the root, and what any page links to."""
    found = set(ROOT.glob("*.md"))
    waiting = [*found, *DOCS.rglob("*.md")]
    while waiting:
        for path in linked_files(waiting.pop()):
            if path not in found and not path.is_relative_to(DOCS):
                found.add(path)
                waiting += [path] if path.suffix == ".md" else []
    return found


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the home page, what is linked from outside `docs/`, and the options page."""
    for path in sorted(pages_and_files_outside_docs()):
        files.append(File.generated(config, site_uri(path), abs_src_path=str(path)))
    files.append(File.generated(config, "command-reference.md", content=options_page()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between files of the repository into links between pages of the site."""
    source = page.file.abs_src_path
    if source is None:  # the options page links nowhere
        return markdown
    folder = os.path.dirname(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        path = (Path(source).parent / match[1]).resolve()
        if path.is_dir():  # the site shows files; GitHub shows the folder
            return "](repository-folder)"
        if not path.exists():  # left for MkDocs to report
            return match[0]
        return f"]({os.path.relpath(site_uri(path), folder or '.')}{match[2] or ''})"

    text = _LINK.sub(turned, markdown)
    return re.sub(r"\[([^\]]*)\]\(repository-folder\)", r"\1", text)


def options_page() -> str:
    """Every command with its options, as `--help` prints them."""
    parts = [
        "# All options\n",
        "Made from the program itself; `cine3d COMMAND --help` prints the same.\n",
    ]
    for words, parser in commands_of(make_parser(), ("cine3d",)):
        parts += [f"## {' '.join(words)}\n", f"```text\n{parser.format_help().strip()}\n```\n"]
    return "\n".join(parts)


def commands_of(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """The parsers that do something, with the words that lead to them."""
    subcommands = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not subcommands:
        yield words, parser
    for action in subcommands:
        for word, inner in action.choices.items():
            yield from commands_of(inner, (*words, word))
