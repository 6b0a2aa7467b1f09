"""All text that users read: pages, options, messages, and what Blender shows.

Pages are split into sentences; source is read as a syntax tree, and every string that looks like
words counts, since any of them may come to be shown. For those who read the code there are also
its public docstrings and the names that it gives.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cine3d_core.cli.program import make_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "models").glob("*/card.md")),
]
SOURCES = [
    *sorted((ROOT / "cine3d_core").rglob("*.py")),
    *sorted(p for p in (ROOT / "blender_addon").rglob("*.py") if "development" not in p.parts),
]
CODE = [*SOURCES, *sorted((ROOT / "blender_addon" / "development").rglob("*.py"))]


@dataclass(frozen=True)
class Text:
    """Some words, and where they stand."""

    place: str  # file:line
    words: str


def pages_text(page: Path) -> Iterator[Text]:
    """Sentences and table cells of a page, without code, addresses and names of the interface."""
    text = re.sub(r"```.*?```|<!--.*?-->", _same_lines, page.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"(?m)^    .*$", _same_lines, text) if page.name == "card.md" else text
    name = page.relative_to(ROOT).as_posix()
    for line, block in _blocks(text):
        plain = re.sub(r"`[^`]*`", "CODE", block)
        plain = re.sub(r"\]\([^)]*\)", "]", plain)
        plain = re.sub(r"\*[^*\n]+\*", "NAME", plain.replace("**", ""))
        for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z\[(*!])|\s\|\s|[|]$", plain):
            words = " ".join(re.sub(r"^[\s|#>*-]+|^\d+\.\s", "", sentence).split())
            if words:
                yield Text(f"{name}:{line}", words)


def _same_lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, items of lists, rows of tables and headings, each with its first line."""
    start, gathered = 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or re.match(r"\s*([|#>]|[*-] |\d+\.\s)", line):
            yield start, "\n".join(gathered)
            start, gathered = number, []
        gathered.append(line)
        if line.startswith("#"):
            yield start, line
            start, gathered = number + 1, []
    yield start, "\n".join(gathered)


def source_text(path: Path) -> Iterator[Text]:
    """Strings of a module that hold words; docstrings only where Blender shows them."""
    name = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text("utf-8"))
    hidden = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if _shown_class(node):
                continue
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                hidden.add(id(body[0].value))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            hidden |= {id(part) for part in node.values}
            yield from _worded(name, node.lineno, "".join(_part(p) for p in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in hidden:
                yield from _worded(name, node.lineno, node.value)


def docstrings(path: Path) -> Iterator[Text]:
    """Docstrings of a module and of all that is public in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            public = isinstance(node, ast.Module) or not node.name.startswith("_")
            words = ast.get_docstring(node)
            if public and words:
                line = getattr(node, "lineno", 1)
                yield Text(f"{path.relative_to(ROOT).as_posix()}:{line}", " ".join(words.split()))


def names_given(path: Path) -> Iterator[Text]:
    """The module's name, and every name that it gives to something, its words apart."""
    place = path.relative_to(ROOT).as_posix()
    yield Text(place, path.stem)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                pass
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                pass
            case _:
                continue
        yield Text(f"{place}:{node.lineno}", name)


def _shown_class(node: ast.AST) -> bool:
    """Whether Blender shows the docstring of a class as its tooltip."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(target, ast.Name) and target.id == "bl_label"
        for part in node.body
        if isinstance(part, ast.Assign)
        for target in part.targets
    )


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "VALUE"


def _worded(name: str, line: int, text: str) -> Iterator[Text]:
    words = " ".join(text.split())
    if len(re.findall(r"[A-Za-z]{2,}", words)) >= 2 and " " in words:
        yield Text(f"{name}:{line}", words)


def options_text() -> Iterator[Text]:
    """What `--help` says of every command."""

    def of(parser: argparse.ArgumentParser) -> Iterator[Text]:
        for action in parser._actions:
            if action.help and action.help != argparse.SUPPRESS:
                yield Text(f"{parser.prog} {'/'.join(action.option_strings)}", action.help)
            if isinstance(action, argparse._SubParsersAction):
                for inner in action.choices.values():
                    yield from of(inner)

    yield from of(make_parser())
