"""Nothing reaches for a network that was not asked to: every socket refuses, and all goes on."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cine3d_core.cli import main
from cine3d_core.worker.jobs import JOBS
from cine3d_core.worker.server import JobInput
from tests.command_line import HINTS, PHOTO


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """No socket connects and no name is looked up; who tried is listed."""
    tried: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        tried.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))  # nothing was downloaded before either
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tried


def job(**arguments: Any) -> JobInput:
    return JobInput(arguments, {}, lambda stage, share: None)


def test_the_fixture_sees_who_tries(refusing: list[Any]) -> None:
    assert main(["models", "get", "mi-gan", "--progress", "none"]) == 2
    assert refusing


def test_build_and_doctor_ask_nobody(
    refusing: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = str(tmp_path / "s.cine3d")
    build = ["build", str(PHOTO), "-o", scene, "--size", "96", "--frames", "4"]
    assert main([*build, "--hints", str(HINTS)]) == 0
    assert main([*build, "--depth", "depth-anything/Depth-Anything-V2-Small-hf"]) == 2
    told = capsys.readouterr().err
    assert "not on this machine" in told and "models list" in told
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    shelf = [one for one in findings if one["subject"].startswith("shelf ")]
    assert len(shelf) >= 5 and all("not installed (" in one["text"] for one in shelf)
    assert main(["models", "list"]) == 0 and main(["models", "verify"]) == 0
    assert refusing == []


def test_check_import_preview_and_list_of_the_worker_ask_nobody(
    refusing: list[Any], tmp_path: Path
) -> None:
    JOBS["check"](job(device="cpu"))
    settings = {"size": 96, "frames": 4, "preset": "draft", "device": "cpu"}
    scene = str(tmp_path / "s.cine3d")
    JOBS["build"](job(photo=str(PHOTO), scene_file=scene, settings=settings))
    JOBS["propose_mask"](job(photo=str(PHOTO), settings={"size": 96}))
    entries = JOBS["models_list"](job())[0]["entries"]
    assert not any(entry["installed"] for entry in entries)
    assert refusing == []
