"""The notes on photographs that come with the repository, and the script that fetches those."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from cine3d_core.errors import InputError
from cine3d_core.evaluation.notes.records import read_all_notes, read_photo_list
from tests import fetch_photos
from tests.pictures import picture8

FOLDER = Path(__file__).with_name("photo_notes")
HEADER = "name,split,notes,repository,commit,blob,path,licence,author\n"


def test_every_note_can_be_read_and_is_listed():
    notes, listed = read_all_notes(FOLDER), read_photo_list(FOLDER / "photos.csv")
    assert len(notes) == 396 and len(listed) == 708
    assert {name for name, one in listed.items() if one.noted} == set(notes)
    assert all(one.levels is not None for one in notes.values())
    for one in notes.values():
        assert all(len(region.corners) >= 3 for region in one.regions), one.name
        assert all(len(corners) >= 3 for corners in one.rests), one.name


def test_there_is_as_much_of_each_kind_as_the_page_says():
    notes = read_all_notes(FOLDER).values()
    assert sum(len(one.order) for one in notes) == 3070
    assert sum(len(one.same) for one in notes) == 1010
    assert sum(len(one.arrows) for one in notes) == 188
    listed = read_photo_list(FOLDER / "photos.csv").values()
    splits = [one.split for one in listed if one.noted]
    assert (splits.count("check"), splits.count("train"), len(splits)) == (78, 318, 396)


def test_every_photograph_is_listed_with_its_origin_and_licence():
    listed = read_photo_list(FOLDER / "photos.csv").values()
    fetch_photos.check_list(listed)
    for one in listed:
        assert one.licence and one.path and one.split in ("check", "train"), one.name
        assert re.fullmatch(r"[0-9a-f]{12,40}", one.commit), one.name
    assert sum(bool(one.author) for one in listed) == 81


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a git server on this machine with a picture in its past."""
    work = tmp_path / "work"
    work.mkdir()
    cv2.imwrite(str(work / "big.png"), picture8(120, 2048))
    (work / "text.jpg").write_text("no picture")
    for words in (
        ("init", "-q"),
        ("add", "."),
        ("commit", "-qm", "pictures"),
        ("rm", "-q", "big.png"),  # only the past has it
        ("commit", "-qm", "none"),
        ("clone", "-q", "--bare", ".", str(tmp_path / "served/owner/pictures")),
    ):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words]
        subprocess.run(command, cwd=work, check=True)
    served = tmp_path / "served"
    for key in ("allowAnySHA1InWant", "allowFilter"):
        command = ["git", "-C", str(served / "owner/pictures"), "config", f"uploadpack.{key}", "1"]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--base-path={served}", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(["git", "daemon", *options], stderr=subprocess.DEVNULL) as daemon:
        try:
            _wait_for(port)
            yield f"git://127.0.0.1:{port}"
        finally:
            daemon.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the git server did not start")


def blob_of(path: Path) -> str:
    done = subprocess.run(["git", "hash-object", path], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def write_list(folder: Path, **blobs: str) -> Path:
    place = folder / "photos.csv"
    lines = HEADER
    for name, blob in blobs.items():
        repository = "owner/gone" if name == "lost" else "owner/pictures"
        lines += f"{name},check,yes,{repository},abc,{blob},{name}.jpg,CC0,\n"
    place.write_text(lines)
    return place


def test_photographs_are_fetched_by_checksum_and_reduced(
    tmp_path: Path, server: str, capsys: pytest.CaptureFixture[str]
):
    cv2.imwrite(str(tmp_path / "big.png"), picture8(120, 2048))
    (tmp_path / "text.jpg").write_text("no picture")
    big, text = blob_of(tmp_path / "big.png"), blob_of(tmp_path / "text.jpg")
    listed = write_list(tmp_path, big=big, text=text, never="1" * 40, lost=big)
    words = [str(tmp_path / "photos"), "--list", str(listed), "--from", server, "--yes"]
    assert fetch_photos.main(words) == 1
    said = capsys.readouterr().out
    assert "4 photographs of 2 repositories" in said and "4 CC0" in said
    assert "text: the photo" in said and "never: git could not fetch it" in said
    assert "lost: git could not fetch it" in said and "1 came, 3 did not" in said
    found = cv2.imread(str(tmp_path / "photos/big.jpg"))
    wanted = cv2.resize(picture8(120, 2048), (1024, 60), interpolation=cv2.INTER_AREA)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 2
    write_list(tmp_path, big=big)
    assert fetch_photos.main(words) == 0  # it is there, so there is nothing to ask
    assert "0 photographs" in capsys.readouterr().out


def test_nothing_is_fetched_without_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    listed = write_list(tmp_path, big="0" * 40)
    monkeypatch.setattr("builtins.input", lambda question: "")
    words = [str(tmp_path / "photos"), "--list", str(listed), "--from", "git://127.0.0.1:1"]
    assert fetch_photos.main(words) == 1
    assert not (tmp_path / "photos").exists()


def test_a_list_that_git_could_misread_is_refused(tmp_path: Path):
    listed = read_photo_list(write_list(tmp_path, big="--upload-pack=sh"))
    with pytest.raises(InputError, match="no sound name"):
        fetch_photos.check_list(listed.values())
