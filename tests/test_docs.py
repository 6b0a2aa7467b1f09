"""The commands in the documentation are commands that exist."""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cine3d_core import __version__
from cine3d_core.cli import main
from cine3d_core.cli.program import make_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Texts of a page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def lines(page: Path) -> list[list[str]]:
    """Words of every line in a page's shell blocks; comments and continuations are joined away."""
    text = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    split = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in split if words]


def commands(page: Path) -> list[list[str]]:
    """Arguments of every `cine3d ...` line in a page's shell blocks."""
    return [words[1:] for words in lines(page) if words[0] == "cine3d"]


def test_the_readme_and_the_command_page_show_commands():
    assert len(commands(ROOT / "README.md")) >= 5
    assert len(commands(ROOT / "docs" / "command-line.md")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_is_understood(page: Path):
    parser = make_parser()
    for arguments in commands(page):
        assert parser.parse_args(arguments).run is not None, arguments


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_and_module_exists(page: Path):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in lines(page):
        if words[0] == "make":
            assert words[1] in targets or words[1].startswith("test-blender-"), words
        if "-m" in words and words[0].endswith("python"):
            name = words[words.index("-m") + 1]
            path = ROOT / name.replace(".", "/")
            assert (
                path.is_dir()
                or path.with_suffix(".py").is_file()
                or (
                    importlib.util.find_spec(name.split(".")[0]) is not None and path.parent == ROOT
                )
            ), words
        for word in words:
            if word.startswith(("tests/", "docs/", ".ci/", "cine3d_core/")):
                assert (ROOT / word).exists(), words


def test_the_python_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Image.open(ROOT / "docs" / "sample" / "photo.jpg") as photo:
        photo.resize((160, 117)).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    programs = blocks(ROOT / "docs" / "python.md", "python")
    assert len(programs) == 2
    for program in programs:  # the second loads what the first has saved
        exec(compile(program, "docs/python.md", "exec"), {})
    assert (tmp_path / "scene.cine3d").stat().st_size > 0


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


def test_the_readmes_commands_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(ROOT / "docs" / "sample" / "photo.jpg", tmp_path / "photo.jpg")
    shutil.copy(ROOT / "docs" / "sample" / "hints.json", tmp_path / "arrows.json")
    monkeypatch.chdir(tmp_path)
    for arguments in commands(ROOT / "README.md"):
        small = {"build": ["--size", "160", "--frames", "4"], "render": ["--size", "96"]}
        size = small.get(arguments[0], [])
        limited = [a if a != "30" else "3" for a in arguments]  # the small loop has 4 frames
        assert main([*limited, *size]) == 0, arguments
    assert (tmp_path / "clip.mp4").stat().st_size > 0
    assert (tmp_path / "cloud.ply").stat().st_size > 0
    assert len(list((tmp_path / "frames").glob("*.exr"))) == 4
