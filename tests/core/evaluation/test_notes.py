"""`cine3d evaluate notes`: photographs and notes in, a table, scores and sheets out."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from cine3d_core.cli import main
from cine3d_core.evaluation.notes.records import read_all_notes
from cine3d_core.files.pictures.flow import read_flow
from tests.command_line import PHOTO, Refused

RIVER = [[0, 730], [1000, 730], [1000, 1000], [0, 1000]]
NOTES = {
    "regions": [{"class": "water", "polygon": RIVER}],
    "rests": [],
    "flow": [
        {"start": [200, 800], "end": [300, 800]},
        {"start": [700, 900], "end": [800, 900]},
    ],
    "order": [{"near": [500, 950], "far": [500, 100]}],
    "same": [{"a": [300, 500], "b": [320, 500]}],
}
LEVELS = {"points": [[500, 950], [500, 700], [500, 500], [500, 50]], "levels": [90, 40, 20, 0]}
LIST = "name,split,notes,repository,commit,blob,path,licence\n"
SMALL = ("--size", "128", "--device", "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs, one in each split, and the notes of both."""
    for name in ("photos", "notes", "levels"):
        (tmp_path / name).mkdir()
    lines = LIST
    for name, split in (("river", "check"), ("other", "train")):
        shutil.copy(PHOTO, tmp_path / "photos" / f"{name}.jpg")
        (tmp_path / "notes" / f"{name}.json").write_text(json.dumps(NOTES))
        (tmp_path / "levels" / f"{name}.json").write_text(json.dumps(LEVELS))
        lines += f"{name},{split},yes,owner/pictures,abc,123,a.jpg,CC0-1.0\n"
    (tmp_path / "photos.csv").write_text(lines)
    return tmp_path


def evaluate(folder: Path, *options: object) -> int:
    words = ["evaluate", "notes", folder / "photos", folder / "notes", "-o", folder / "out"]
    return main([str(word) for word in (*words, *SMALL, *options)])


def test_a_split_is_measured_and_written(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(folder) == 0
    said, progress = capsys.readouterr()
    assert "| ordered pairs right |" in said and progress.startswith("1/1 river: ")
    content = json.loads((folder / "out/scores.json").read_text())
    assert content["split"] == "check" and content["photographs"] == 1
    assert content["n"]["flow.within45"] == 2 and content["n"]["flow.one_arrow"] == 1
    assert content["trivial"]["flow.within45"] == 1 and list(content["faults"]) == ["river"]
    predictions = folder / "out/predictions"
    depth = cv2.imread(str(predictions / "river.disparity.png"), cv2.IMREAD_UNCHANGED)
    labels = cv2.imread(str(predictions / "river.classes.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == "uint16" and depth.max() == 65535 and labels.max() <= 5
    assert read_flow(predictions / "river.flo").shape[1:] == depth.shape == labels.shape
    given = json.loads((predictions / "river.arrows.json").read_text())["hints"]
    height, width = cv2.imread(str(PHOTO)).shape[:2]
    assert given == [
        {"start": [0.2 * width, 0.8 * height], "end": [pytest.approx(0.3 * width), 0.8 * height]}
    ]
    assert cv2.imread(str(folder / "out/worst.jpg")).shape[1] == 4 * 384


def test_a_run_goes_on_and_what_changed_is_made_anew(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    names = folder / "names.txt"
    names.write_text("other\nriver\n")
    assert evaluate(folder, "--names", names, "--limit", 1) == 0
    assert evaluate(folder, "--names", names) == 0
    first = json.loads((folder / "out/scores.json").read_text())
    assert evaluate(folder, "--names", names) == 0
    assert json.loads((folder / "out/scores.json").read_text()) == first
    notes = folder / "notes/river.json"
    notes.write_text(json.dumps({**NOTES, "flow": []}))
    assert evaluate(folder, "--names", names) == 0
    ends = [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()]
    assert [end == "kept" for end in ends] == [False, True, False, True, True, True, False]
    assert not (folder / "out/predictions/river.flo").exists()


def test_notes_in_one_file_are_those_in_many(folder: Path):
    one = folder / "one"
    one.mkdir()
    for what, content in (("notes", NOTES), ("levels", LEVELS)):
        lines = [json.dumps({"name": name, **content}) + "\n" for name in ("river", "other")]
        (one / f"{what}.jsonl").write_text("".join(lines))
    many, few = read_all_notes(folder / "notes"), read_all_notes(one)
    assert list(many) == list(few) == ["other", "river"]
    for name in many:
        assert repr(many[name]) == repr(few[name]) and many[name].levels is not None


def test_what_is_missing_is_told(folder: Path, refused: Refused):
    words = ["evaluate", "notes", folder / "photos", folder / "notes", "-o", folder / "out"]
    names = folder / "names.txt"
    names.write_text("river lake")
    assert "no notes of lake" in refused(*words, "--names", names)
    assert "0 leaves nothing to measure" in refused(*words, "--limit", 0)
    assert "names.jsonx does not exist" in refused(*words, "--names", folder / "names.jsonx")
    names.write_text("")
    assert "no photograph was chosen" in refused(*words, "--names", names)
    (folder / "photos/river.jpg").unlink()
    assert "lacks 1 of 1 photographs: river; get them" in refused(*words)
    (folder / "photos.csv").write_text("name,split\nriver,check\n")
    assert "has no column blob" in refused(*words)
    (folder / "photos.csv").unlink()
    assert "the list of photographs" in refused(*words)
    words[3] = folder / "photos.csv"
    assert "are not a folder" in refused(*words)
    words[3] = folder / "photos"
    assert "holds neither notes.jsonl nor NAME.json" in refused(*words)


def test_a_line_of_notes_without_a_name_is_refused(folder: Path, refused: Refused):
    (folder / "notes/notes.jsonl").write_text('{"name":"river"}\n{"regions":[]}\n')
    words = ["evaluate", "notes", folder / "photos", folder / "notes", "-o", folder / "out"]
    assert "line 2 of the notes" in refused(*words)
