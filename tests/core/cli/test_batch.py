import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from cine3d_core.cli import main
from cine3d_core.cli.batch import BatchSettings, Processes, commands_of, plan, run_on_cluster
from cine3d_core.errors import InputError

SMALL = ["--size", "64", "--frames", "2", "--preset", "draft", "--progress", "none"]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    for path in paths:
        assert cv2.imwrite(str(path), ramp)
    return paths


def test_every_photo_becomes_a_clip_and_a_second_run_keeps_them(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "clips"
    command = ["batch", *map(str, photos), "-o", str(folder), "--jobs", "2", *SMALL]
    assert main(command) == 0
    assert "2 clips made, 0 kept, 0 failed" in capsys.readouterr().out
    made = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.mp4")}
    assert set(made) == {"one.mp4", "two.mp4"}
    assert main(command) == 0
    assert "0 clips made, 2 kept, 0 failed" in capsys.readouterr().out
    assert made == {path.name: path.stat().st_mtime_ns for path in folder.glob("*.mp4")}


def test_what_fails_is_reported_and_the_others_are_finished(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    photos[0].write_bytes(b"no picture")
    folder = tmp_path / "clips"
    assert main(["batch", *map(str, photos), "-o", str(folder), *SMALL]) == 2
    said = capsys.readouterr()
    assert "one.png" in said.out and "1 of 2 photos failed" in said.err
    assert (folder / "two.mp4").is_file() and not (folder / "one.mp4").exists()


def test_a_task_starts_where_the_last_run_ended(photos: list[Path], tmp_path: Path):
    photos[0].with_suffix(".json").write_text("{}")
    (task, _) = plan(photos, tmp_path / "clips", BatchSettings(("--size", "64")))
    build, render = commands_of(task)
    assert build[-2:] == ["--hints", str(photos[0].with_suffix(".json"))]
    task.scene.write_bytes(b"built")
    assert list(commands_of(task)) == [render]
    os.utime(photos[0], ns=(task.scene.stat().st_mtime_ns + 1,) * 2)
    assert len(list(commands_of(task))) == 2


def test_one_folder_has_clips_of_one_kind(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "clips"
    plan(photos, folder, BatchSettings(("--size", "64")))
    assert json.loads((folder / "batch.json").read_text())["build"] == ["--size", "64"]
    with pytest.raises(InputError, match="other options"):
        plan(photos, folder, BatchSettings(("--size", "128")))


@pytest.mark.parametrize("names", [["missing.png"], ["one.png", "other/one.png"], []])
def test_photos_that_cannot_be_a_batch_are_refused(
    photos: list[Path], tmp_path: Path, names: list[str]
):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "one.png").write_bytes(photos[0].read_bytes())
    with pytest.raises(InputError):
        plan([tmp_path / name for name in names], tmp_path / "clips", BatchSettings())


def test_what_fails_by_our_fault_is_tried_again_and_wrong_input_is_not(
    photos: list[Path], tmp_path: Path
):
    class Counting(Processes):
        calls = 0

        def __init__(self, code: int) -> None:
            super().__init__(1)
            self.code = code

        def _call(self, command: list[str]) -> tuple[int, str]:
            self.calls += 1
            return self.code, "cine3d: a sentence"

    task = plan(photos, tmp_path / "clips", BatchSettings())[0]
    for code, calls in ((1, 2), (-9, 2), (2, 1)):
        processes = Counting(code)
        assert processes.run(task).error == "build: a sentence"
        assert processes.calls == calls


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_leaves_no_process_and_no_half_file(photos: list[Path], tmp_path: Path):
    folder = tmp_path / "clips"
    command = [sys.executable, "-m", "cine3d_core.cli", "batch", *map(str, photos)]
    command += ["-o", str(folder), "--jobs", "2", *SMALL]
    # a background process of a shell that has no terminal is started deaf to Ctrl-C
    hear = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler);"
    hear += "runpy.run_module('cine3d_core.cli', run_name='__main__')"
    process = subprocess.Popen([sys.executable, "-c", hear, *command[3:]], stderr=subprocess.PIPE)
    while not (folder / "batch.json").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".cine3d", ".mp4"}


@pytest.mark.slow  # Dask alone starts for seconds
def test_a_cluster_makes_the_same_clips(photos: list[Path], tmp_path: Path):
    distributed = pytest.importorskip("distributed")
    folder = tmp_path / "clips"
    options = tuple(SMALL[:-2])
    tasks = plan(photos, folder, BatchSettings(options))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        outcomes = run_on_cluster(tasks, cluster.scheduler_address, lambda stage, share: None)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert (folder / "one.mp4").is_file() and (folder / "two.mp4").is_file()
