"""The commands in the documentation are commands that exist."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from cine3d_core.cli import main
from cine3d_core.cli.program import make_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """Arguments of every `cine3d ...` line in a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("cine3d ")]


def test_the_readme_and_the_command_page_show_commands():
    assert len(commands(ROOT / "README.md")) >= 5
    assert len(commands(ROOT / "docs" / "command-line.md")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_is_understood(page: Path):
    parser = make_parser()
    for arguments in commands(page):
        assert parser.parse_args(arguments).run is not None, arguments


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
