"""What goes into a bug report, and the worker's log."""

import getpass
import re
from pathlib import Path

import bpy
import pytest

from blender_addon.worker import jobs, system_info
from blender_addon.worker.client import LOG_BYTES, WorkerLog

pytestmark = pytest.mark.blender


def test_the_text_names_versions_and_settings_but_no_person(scene, capfd):
    worker = jobs.worker()
    worker.wait(worker.submit("ping"))
    assert bpy.ops.cine3d.copy_system_info() == {"FINISHED"}
    told = capfd.readouterr().out
    for name in (
        "Cine3D: ",
        "Blender: ",
        "System: ",
        "Worker's Python: ",
        "NVIDIA card: ",
        "started as process",
    ):
        assert name in told
    assert str(Path.home()) not in told
    assert not re.search(rf"(?<![\w~]){getpass.getuser()}(?!\w)", told)


def test_home_folders_and_names_are_taken_out():
    text = f"{Path.home()}/photos/a.jpg of {getpass.getuser()}"
    assert system_info.without_names(text) == "~/photos/a.jpg of USER"


def test_the_log_begins_anew_when_it_has_grown(tmp_path):
    log = WorkerLog(tmp_path)
    for _ in range(LOG_BYTES // 1000 * 4):
        log.write("x" * 1000)
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["worker.log", "worker.log.1", "worker.log.2"]
    assert all(path.stat().st_size <= LOG_BYTES for path in tmp_path.iterdir())


def test_a_log_that_cannot_be_written_is_passed_over(tmp_path, capfd):
    WorkerLog(tmp_path / "none").write("lost")
    assert capfd.readouterr() == ("", "")
