"""The shelf against a hub on the loopback: real commands, real worker, real sockets."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cine3d_core.cli import main
from cine3d_core.errors import InputError
from cine3d_core.files.models import hub as client
from cine3d_core.files.models import shelf
from cine3d_core.files.models.catalogue import SHELF, find_entry
from cine3d_core.files.models.installed import find_installed, installed_entries
from cine3d_core.worker.protocol import read_message, write_message
from tests.command_line import Refused, command, environment, files_below
from tests.hub_server import COMMIT, entry, hub, on_hub, table, waited

WEIGHTS = b"\x08" + random.Random(1).randbytes(99_999)
FILES = {"config.json": b'{"tiny": true}', "sub/model.onnx": WEIGHTS}
ONE = entry("tiny", "fill", "onnx-migan", FILES)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder and a table with one entry; no pauses between tries."""
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CINE3D_SHELF", str(table(tmp_path / "table.json", ONE)))
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(client, "_PAUSES_S", (0.0, 0.0, 0.0))
    return tmp_path / "models"


Hub = Callable[..., Any]


@pytest.fixture
def tiny_hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens a hub with the entry's files and makes it the one that is asked."""
    opened = []

    def make(**faults: Any) -> Any:
        running = hub(on_hub("tiny", FILES), **faults)
        state = running.__enter__()
        opened.append(running)
        monkeypatch.setenv("HF_ENDPOINT", state.address)
        return state

    yield make
    for running in opened:
        running.__exit__(None, None, None)


def got(models: Path) -> bool:
    """Whether the entry lies whole in its place and nothing else does."""
    kept = files_below(models)
    whole = all((models / "tiny" / path).read_bytes() == data for path, data in FILES.items())
    return whole and kept == [
        "tiny", "tiny/config.json", "tiny/shelf.json", "tiny/sub", "tiny/sub/model.onnx",
    ]  # fmt: skip


def test_get_lists_verifies_and_removes(
    models: Path, tiny_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tiny_hub()
    assert main(["models", "get", "tiny"]) == 0
    assert got(models)
    told = capsys.readouterr().out
    assert "MIT" in told and "https://huggingface.co/tiny/tiny" in told
    record = json.loads((models / "tiny/shelf.json").read_text())
    assert record["commit"] == COMMIT and record["came"] == "hub"
    # the second file is asked for by the commit of the first
    assert any(f"/resolve/{COMMIT}/sub/model.onnx" in line for line in state.requests)
    assert main(["models", "verify"]) == 0 and "tiny: OK" in capsys.readouterr().out
    assert main(["models", "list"]) == 0 and "installed, 0.1 MB" in capsys.readouterr().out
    asked = len(state.requests)
    assert main(["models", "get", "tiny"]) == 0 and len(state.requests) == asked
    assert main(["models", "remove", "tiny"]) == 0 and files_below(models) == []


def test_cut_connections_are_taken_up_where_they_broke(models: Path, tiny_hub: Hub) -> None:
    state = tiny_hub(cuts=3)
    assert main(["models", "get", "tiny"]) == 0
    assert got(models)
    assert state.sent == sum(map(len, FILES.values()))  # no byte came twice
    assert [line.split()[-1] for line in state.requests if "bytes=" in line][::2] == [
        "bytes=20000-", "bytes=40000-", "bytes=60000-",
    ]  # fmt: skip


def test_a_hub_without_parts_sends_all_again(models: Path, tiny_hub: Hub) -> None:
    state = tiny_hub(cuts=1, parts=False)
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    assert state.sent > len(WEIGHTS)


def test_what_broke_for_good_is_kept_for_the_next_time(
    models: Path, tiny_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tiny_hub(cuts=4, cut_at=0)
    assert main(["models", "get", "tiny"]) == 2
    assert "keeps breaking" in capsys.readouterr().err
    state.cuts, state.cut_at, state.parts = 1, 50_000, True
    state.refusals, sent = 0, state.sent
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    assert state.sent - sent == len(WEIGHTS)  # the small file was there


def test_a_part_of_an_older_file_is_thrown_away(models: Path, tiny_hub: Hub) -> None:
    part = models / ".tiny.part"
    (part / "sub").mkdir(parents=True)
    (part / "sub/model.onnx").write_bytes(b"old" * 1000)
    (part / "sub/model.onnx.from").write_text('{"commit": "older"}')
    tiny_hub()
    assert main(["models", "get", "tiny"]) == 0 and got(models)


def test_a_busy_hub_is_asked_again(models: Path, tiny_hub: Hub) -> None:
    tiny_hub(refusal=503, refusals=3)
    assert main(["models", "get", "tiny"]) == 0 and got(models)


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong checksum": ({"damaged": True}, "damaged"),
    "404": ({"refusal": 404}, "does not have"),
    "403": ({"refusal": 403}, "without an account"),
    "401": ({"refusal": 401}, "without an account"),
    "418": ({"refusal": 418}, "refused"),
    "503 for ever": ({"refusal": 503}, "keeps breaking"),
    "a circle": ({"circle": True}, "in a circle"),
    "a file of the machine": ({"elsewhere": "file:///etc/passwd"}, "not safe"),
    "nowhere": ({"elsewhere": "http://127.0.0.1:1/x"}, "keeps breaking"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_days_of_the_hub_end_in_one_sentence(
    models: Path, tiny_hub: Hub, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    faults, words = REFUSALS[name]
    tiny_hub(**faults)
    assert main(["models", "get", "tiny"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and words in lines[0], lines
    assert not (models / "tiny").exists()
    # what is kept is whole, and noted
    assert set(files_below(models)) <= {
        ".tiny.part", ".tiny.part/config.json", ".tiny.part/config.json.from", ".tiny.part/sub",
        ".tiny.part/sub/model.onnx.from",
    }  # fmt: skip


UNPINNED = ({"silent": True}, "no checksum"), ({"sizeless": True}, "how large")


@pytest.mark.parametrize(("faults", "words"), UNPINNED)
def test_what_cannot_be_checked_is_not_fetched(
    models: Path, tiny_hub: Hub, tmp_path: Path, refused: Refused, faults: Any, words: str
) -> None:
    files = [{"path": path, "size": len(data)} for path, data in FILES.items()]
    table(tmp_path / "table.json", ONE | {"files": files})
    state = tiny_hub(**faults)
    assert words in refused("models", "get", "tiny")
    assert state.sent == 0


def test_without_a_pinned_checksum_the_hubs_own_counts(
    models: Path, tiny_hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [{"path": path, "size": len(data) + 9} for path, data in FILES.items()]
    table(tmp_path / "table.json", ONE | {"files": files})
    state = tiny_hub(damaged=True)
    assert main(["models", "get", "tiny"]) == 2 and "damaged" in capsys.readouterr().err
    state.damaged = False
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    record = json.loads((models / "tiny/shelf.json").read_text())
    assert record["files"][1]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()


def test_more_than_was_agreed_to_or_another_file_is_not_fetched(
    models: Path, tiny_hub: Hub, refused: Refused
) -> None:
    state = tiny_hub()
    state.files["tiny/tiny/sub/model.onnx"] = WEIGHTS + b"more"
    assert "this version of Cine3D expects" in refused("models", "get", "tiny")
    state.files["tiny/tiny/sub/model.onnx"] = WEIGHTS[:-1] + b"x"
    assert "another checksum" in refused("models", "get", "tiny")
    assert state.sent == 0


def test_a_full_disk_is_told_before_anything_is_fetched(
    models: Path, tiny_hub: Hub, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tiny_hub()
    monkeypatch.setattr(shelf, "_SPARE_BYTES", 1 << 60)
    assert "make room" in refused("models", "get", "tiny")
    assert state.requests == []


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_a_disk_that_fills_up_ends_in_one_sentence(models: Path, tiny_hub: Hub) -> None:
    import resource

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    tiny_hub()
    done = subprocess.run(
        command("models", "get", "tiny", "--progress", "none"),
        capture_output=True, text=True, env=environment(), preexec_fn=small_files, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "cannot write" in done.stderr
    assert not (models / "tiny").exists()


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C")
def test_ctrl_c_keeps_what_came_and_the_next_command_goes_on(models: Path, tiny_hub: Hub) -> None:
    state = tiny_hub(pause_s=0.05)
    with subprocess.Popen(
        command("models", "get", "tiny", "--progress", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        part = models / ".tiny.part/sub/model.onnx"
        assert waited(lambda: part.is_file() and part.stat().st_size > 20_000)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "run the same command to continue" in errors
    kept = part.stat().st_size

    def at_rest() -> bool:  # the cut connection may still have a piece under way
        before = state.sent
        time.sleep(0.3)
        return state.sent == before

    assert waited(at_rest)
    state.pause_s, state.sent = 0.0, 0
    state.released.set()
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    assert state.sent == len(WEIGHTS) - kept


def test_two_at_once_do_not_write_into_one_file(
    models: Path, tiny_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tiny_hub(pause_s=0.05)
    with subprocess.Popen(
        command("models", "get", "tiny", "--progress", "none"),
        stdout=subprocess.DEVNULL, env=environment(),
    ) as first:  # fmt: skip
        assert waited(lambda: state.sent > 0)
        assert main(["models", "get", "tiny"]) == 2
        assert "another Cine3D" in capsys.readouterr().err
        state.pause_s = 0.0
        state.released.set()
    assert first.returncode == 0 and got(models)


def test_a_stalled_connection_is_made_anew(
    models: Path, tiny_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", 0.3)
    state = tiny_hub(stalls=3)
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    assert len([line for line in state.requests if "cdn" in line]) == 4


def test_a_proxy_is_asked_instead_of_the_hub(
    models: Path, tiny_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    proxy = tiny_hub()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy.address)
    proxy.address = "http://hub.invalid"
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    assert all(" http://hub.invalid/" in line for line in proxy.requests)


def test_what_a_person_brings_is_taken_the_same_way(
    models: Path, tmp_path: Path, refused: Refused
) -> None:
    brought = tmp_path / "downloads"
    brought.mkdir()
    assert "is not in" in refused("models", "add", "tiny", brought)
    (brought / "config.json").write_bytes(FILES["config.json"])
    (brought / "model.onnx").write_bytes(b"<html>")
    assert "web page" in refused("models", "add", "tiny", brought)
    (brought / "model.onnx").write_bytes(b"\x08another")
    assert "wrong checksum" in refused("models", "add", "tiny", brought)
    (brought / "model.onnx").write_bytes(WEIGHTS)
    assert main(["models", "add", "tiny", str(brought)]) == 0 and got(models)
    assert json.loads((models / "tiny/shelf.json").read_text())["came"] == "hand"
    assert main(["models", "add", "tiny", *map(str, brought.iterdir())]) == 0 and got(models)


def test_damage_is_found_and_got_anew(
    models: Path, tiny_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_hub()
    assert main(["models", "get", "tiny"]) == 0
    (models / "tiny/sub/model.onnx").write_bytes(b"\x08" + bytes(len(WEIGHTS) - 1))
    assert main(["models", "verify"]) == 2
    assert "wrong checksum" in capsys.readouterr().out
    with pytest.raises(InputError, match="wrong checksum"):
        find_installed(find_entry("tiny"))
    assert main(["models", "get", "tiny"]) == 0 and got(models)
    (models / "tiny/shelf.json").write_text("{")
    assert installed_entries() == []
    assert main(["models", "get", "tiny"]) == 0 and got(models)


def test_the_worker_gets_cancels_goes_on_and_removes(models: Path, tiny_hub: Hub) -> None:
    state = tiny_hub(pause_s=0.05)
    with subprocess.Popen(
        [sys.executable, "-m", "cine3d_core.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(),
    ) as worker:  # fmt: skip
        assert worker.stdin is not None and worker.stdout is not None
        source, target = worker.stdout, worker.stdin

        def ask(number: int, job: str, **arguments: Any) -> None:
            write_message(target, "job", {"id": number, "name": job, "arguments": arguments})

        def answer() -> Any:
            while (message := read_message(source)) is not None:
                if message.kind != "progress":
                    return message
            raise AssertionError("the worker is gone")

        assert answer().kind == "hello"
        ask(1, "models_list")
        (listed,) = answer().header["value"]["entries"]
        assert listed["name"] == "tiny" and not listed["installed"] and state.requests == []
        ask(2, "models_get", name="tiny")
        assert waited(lambda: state.sent > 10_000)
        write_message(target, "cancel", {"id": 2})
        assert answer().header["kind_of_error"] == "cancelled"
        state.released.set()
        state.pause_s = 0.0
        ask(3, "models_get", name="tiny")
        value = answer().header["value"]
        assert value["entries"][0]["installed"] and got(models)
        ask(4, "models_remove", name="tiny")
        assert answer().header["value"]["freed"] > len(WEIGHTS) and files_below(models) == []
        ask(5, "models_get", name="other")
        assert answer().header["kind_of_error"] == "input"
        target.close()


def test_every_entry_of_the_table_says_what_a_person_needs() -> None:
    assert len({one.name for one in SHELF}) == len(SHELF)
    for one in SHELF:
        assert find_entry(one.name) is one
        assert one.license in ("MIT", "Apache-2.0", "BSD-3-Clause", "CC0-1.0")
        assert one.license_url.startswith("https://") and one.size > 1_000_000
        # a branch may move: what comes from one must be pinned by checksum, or say so
        pinned = len(one.revision) == 40 or all(file.sha256 for file in one.files)
        assert pinned or one.name == "upernet-convnext-tiny"
