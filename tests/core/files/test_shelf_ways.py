"""Ways to the shelf that machines of companies have: proxies, certificates, read-only places."""

from __future__ import annotations

import ntpath
import os
import random
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cine3d_core.cli import main
from cine3d_core.files.models import hub as client
from cine3d_core.files.models import places
from cine3d_core.files.models.catalogue import find_entry
from cine3d_core.files.models.installed import find_installed
from tests.command_line import Refused
from tests.hub_server import entry, hub, on_hub, table
from tests.proxy_server import proxy

FILES = {"config.json": b'{"tiny": true}', "sub/m.onnx": b"\x08" + random.Random(1).randbytes(9999)}
HOST = "hub.invalid"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty models folder and a table of one entry; no pauses between tries."""
    monkeypatch.setenv("CINE3D_MODELS", str(tmp_path / "models"))
    one = entry("tiny", "fill", "onnx-migan", FILES)
    monkeypatch.setenv("CINE3D_SHELF", str(table(tmp_path / "table.json", one)))
    (tmp_path / "models").mkdir()
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(client, "_PAUSES_S", (0.0, 0.0, 0.0))
    client._certificates.cache_clear()
    yield tmp_path / "models"
    client._certificates.cache_clear()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that a company made for itself, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl")
    folder = tmp_path_factory.mktemp("certificate")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
             "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "key.pem",
             "-out", "cert.pem"]  # fmt: skip
    subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def company(models: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A hub by HTTPS that nobody reaches but by a proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with hub(on_hub("tiny", FILES), tls=context) as server:
        server.address = f"https://{HOST}"
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        yield server


def test_https_goes_through_a_proxy_that_wants_a_password(
    company: Any, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(company.port, password="ann:secret") as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{between.port}")
        assert main(["models", "get", "tiny", "--progress", "none"]) == 0
    assert set(between.asked) == {f"{HOST}:443"} and len(between.asked) == len(company.requests)
    for path, data in FILES.items():
        assert (models / "tiny" / path).read_bytes() == data


def test_a_proxy_without_its_password_is_told_in_one_sentence(
    company: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(company.port, password="ann:secret") as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.port}")
        told = refused("models", "get", "tiny", "--progress", "none")
    assert "NAME:PASSWORD@HOST:PORT" in told and len(between.asked) == 1
    assert company.requests == []


def test_a_companys_certificate_that_is_not_named_is_told_in_one_sentence(
    company: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with proxy(company.port) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.port}")
        assert "SSL_CERT_FILE" in refused("models", "get", "tiny", "--progress", "none")
    assert company.requests == []


def test_a_proxy_that_is_gone_is_told_in_one_sentence(
    company: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(company.port) as between:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.port}")
    assert "keeps breaking" in refused("models", "get", "tiny", "--progress", "none")


def test_hosts_of_no_proxy_are_asked_directly(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with hub(on_hub("tiny", FILES)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        assert main(["models", "get", "tiny", "--progress", "none"]) == 0


def test_on_windows_models_lie_in_the_users_own_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CINE3D_MODELS", raising=False)
    monkeypatch.setattr(places.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", r"C:\Users\Jürgen Ä\AppData\Local")
    folder = str(places.user_models_folder()).replace("/", "\\")
    assert folder == r"C:\Users\Jürgen Ä\AppData\Local\cine3d\models"


def test_names_on_the_shelf_are_names_on_windows_too() -> None:
    from cine3d_core.files.models.catalogue import SHELF

    for one in SHELF:
        names = [one.name, f".{one.name}.part", *(p for f in one.files for p in f.path.split("/"))]
        for name in names:
            assert not ntpath.isreserved(name) if hasattr(ntpath, "isreserved") else True
            assert not set(name) & set('<>:"\\|?*') and name[-1] not in ". "
        # below the folder of a user with a long name, with room for a hub's file beside it
        longest = max(len(f.path) for f in one.files)
        assert len(r"C:\Users\%s\AppData\Local\cine3d\models" % ("n" * 60)) + longest < 240


def test_a_models_folder_with_blanks_and_other_letters(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Eigene Dateien (Größe) 海 %TEMP% 'x'"
    monkeypatch.setenv("CINE3D_MODELS", str(folder))
    monkeypatch.setenv("NO_PROXY", "*")
    with hub(on_hub("tiny", FILES)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        assert main(["models", "get", "tiny", "--progress", "none"]) == 0
    assert find_installed(find_entry("tiny")).folder == folder / "tiny"


readonly = pytest.mark.skipif(
    not hasattr(os, "seteuid"), reason="takes permissions away as POSIX has them"
)


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user whom permissions bind, which they do not the superuser."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)


def opened(folder: Path) -> None:
    """Lets everybody pass through a temporary folder and those above it."""
    for place in (folder, *folder.parents):
        if place != Path(place.root) and place.stat().st_uid == os.geteuid():
            place.chmod(place.stat().st_mode | 0o055)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


@readonly
def test_a_models_folder_that_may_not_be_written_is_told_in_one_sentence(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    main(["models", "list"])  # what nobody may read is imported before
    opened(tmp_path)
    models.chmod(0o555)
    with hub(on_hub("tiny", FILES)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        with as_nobody():
            told = refused("models", "get", "tiny", "--progress", "none")
        assert server.sent == 0
    assert "cannot write" in told


@readonly
def test_a_studios_read_only_shelf_is_used_and_not_written(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with hub(on_hub("tiny", FILES)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        assert main(["models", "get", "tiny", "--progress", "none"]) == 0
    assert main(["models", "list"]) == main(["models", "verify"]) == 0
    opened(tmp_path)
    for path in (models, *models.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    capsys.readouterr()
    with as_nobody():
        assert main(["models", "list"]) == main(["models", "verify"]) == 0
        told = capsys.readouterr().out
        assert "installed, 0.0 MB" in told and "tiny: OK" in told
        assert find_installed(find_entry("tiny")).folder == models / "tiny"
        assert "cannot write" in refused("models", "remove", "tiny")
    for path in (models, *models.rglob("*")):  # so that it can be cleared away
        path.chmod(0o755 if path.is_dir() else 0o644)
