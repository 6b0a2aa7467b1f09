"""The commands, links and files that the documentation names exist."""

import importlib.util
import re
from pathlib import Path

import pytest

from cine3d_core import __version__
from cine3d_core.cli.program import make_parser
from tests.docs_commands import PAGES, ROOT, commands, inline_code


def test_the_readme_and_the_command_page_show_commands():
    assert len(commands(ROOT / "README.md", "cine3d")) >= 5
    assert len(commands(ROOT / "docs" / "command-line.md", "cine3d")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_is_understood(page: Path):
    parser = make_parser()
    for command in commands(page, "cine3d"):
        assert parser.parse_args(command.words[1:]).run is not None, command.text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_files_that_commands_name_exist(page: Path):
    lines = [command.words for command in commands(page)]
    for words in [*lines, *(tuple(piece.split()) for piece in inline_code(page))]:
        if "-m" in words and words[0].endswith("python"):
            name = words[words.index("-m") + 1]
            path = ROOT / name.replace(".", "/")
            is_ours = path.is_dir() or path.with_suffix(".py").is_file()
            assert is_ours or importlib.util.find_spec(name) is not None, words
    for word in (word for words in lines for word in words):
        if word.startswith(("tests/", "docs/", ".ci/", "cine3d_core/")):
            assert (ROOT / word).exists(), word


def test_every_page_is_in_the_sites_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    for page in (ROOT / "docs").glob("*.md"):
        assert f": {page.name}\n" in menu, page.name


def test_the_changelog_begins_with_this_version():
    newest = re.search(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert newest is not None and newest[1] == __version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_the_repository_leads_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    for target in targets:
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
