"""Fetching one file from the model hub, in parts if the connection breaks, checked when it came.

The hub answers for a file at /ORGANISATION/MODEL/resolve/REVISION/FILE, mostly by a redirection to
where the bytes lie. Its headers say the commit (X-Repo-Commit), the size (X-Linked-Size) and the
SHA-256 (X-Linked-Etag) of a large file, or the git blob's SHA-1 (ETag) of a small one.

The environment variable HF_ENDPOINT names a mirror of the hub, HTTPS_PROXY and NO_PROXY a proxy,
SSL_CERT_FILE certificates; HF_HUB_OFFLINE=1 forbids every request.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cine3d_core import __version__
from cine3d_core.errors import InputError
from cine3d_core.files.atomic import writing

HUB = "https://huggingface.co"
TIMEOUT_S = 30.0  # without a single byte
TRIES = 4  # connections that may break in a row without a byte having come
_PAUSES_S = (0.2, 1.0, 3.0)
_CHUNK = 1 << 18
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)

Tick = Callable[[int], None]  # told the bytes that are there; may raise to cancel


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file before it sends it."""

    commit: str  # "" where a mirror does not say
    size: int  # bytes
    sha256: str  # "" where it does not say
    git_sha1: str  # "" where it does not say


class _Broken(Exception):
    """The connection ended before its time, or was not made; what has come stays."""


def check_allowed() -> None:
    """InputError when the environment forbids requests."""
    if os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in ("1", "true", "yes", "on"):
        raise InputError(
            "HF_HUB_OFFLINE forbids fetching networks",
            "unset it",
            "bring the files by hand with {add_network}",
        )


def hub_address() -> str:
    """The hub, or the mirror that HF_ENDPOINT names, without a slash at its end."""
    address = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    try:
        parts = urllib.parse.urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an address of the sixth version, a port of letters
        good = False
    if not good:
        raise InputError(
            f"HF_ENDPOINT is {address!r}; it must be an address such as {HUB}, or be unset"
        )
    return address


def file_address(repository: str, revision: str, path: str) -> str:
    """Where the hub hands out a file."""
    revision = urllib.parse.quote(revision, safe="")
    return f"{hub_address()}/{repository}/resolve/{revision}/{urllib.parse.quote(path)}"


def ask(url: str, *, tick: Tick) -> HubFile:
    """What the hub says of the file at `url`; no byte of the file is sent.

    Raises:
        InputError: the hub cannot be reached, does not have it, or does not say what it is.
    """
    return _tried(url, lambda: _ask_once(url), lambda: 0, tick)


def check_offer(said: HubFile, url: str, *, largest: int, sha256: str | None) -> None:
    """InputError when the hub has something other than what was agreed to.

    Args:
        said: see `ask`.
        url: of the file.
        largest: bytes that the person has agreed to.
        sha256: what it must be; None for whatever the hub says.
    """
    name = urllib.parse.unquote(url.rsplit("/", 1)[1])
    if said.size > largest:
        raise InputError(
            f"{name} at {_host(url)} has {said.size} bytes, more than the {largest} that this "
            "version of Cine3D expects; update Cine3D"
        )
    if sha256 and said.sha256 and sha256 != said.sha256:
        raise InputError(
            f"{name} at {_host(url)} has another checksum than this version of Cine3D expects, so "
            "nothing was downloaded; update Cine3D"
        )
    if not (sha256 or said.sha256 or said.git_sha1):
        raise InputError(
            f"{_host(url)} states no checksum of {name}, so it cannot be checked; use another "
            "mirror"
        )


def fetch(url: str, part: Path, said: HubFile, *, tick: Tick) -> None:
    """Brings `part` to the whole file at `url`, going on with what is there already.

    Args:
        url: see `file_address`.
        part: the file to write; beside it a note of which file it is a part of.
        said: see `ask`.
        tick: called with the bytes that are there, often.

    Raises:
        InputError: the connection breaks too often, or the disk refuses; what came stays.
    """
    if _note_of(part) != asdict(said):
        part.unlink(missing_ok=True)
    with writing(part):
        _note(part).write_text(json.dumps(asdict(said)), encoding="utf-8")
    _tried(url, lambda: _fetch_once(url, part, said, tick), lambda: _size(part), tick)


def checked(part: Path, said: HubFile, sha256: str | None, *, tick: Tick) -> str:
    """The SHA-256 of what came; InputError, and the part removed, when it is not what was sent."""
    found = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % part.stat().st_size, usedforsecurity=False)
    with part.open("rb") as file:
        while chunk := file.read(1 << 20):
            tick(said.size)
            found.update(chunk)
            blob.update(chunk)
    wanted = sha256 or said.sha256
    good = found.hexdigest() == wanted if wanted else blob.hexdigest() == said.git_sha1
    if not good:
        part.unlink()
        _note(part).unlink(missing_ok=True)
        raise InputError(
            f"the download of {part.name} is damaged (wrong checksum) and was deleted; try again, "
            "perhaps over another connection"
        )
    return found.hexdigest()


Answer = TypeVar("Answer")


def _tried(url: str, attempt: Callable[[], Answer], there: Callable[[], int], tick: Tick) -> Answer:
    """What an attempt gives; broken connections are made again a few times."""
    failures = 0
    while True:
        before = there()
        try:
            return attempt()
        except _Broken as error:
            failures = 1 if there() > before else failures + 1
            if failures == TRIES:
                raise InputError(
                    f"the connection to {_host(url)} keeps breaking ({error})",
                    "try again later; finished parts are kept",
                    "bring the files by hand with {add_network}",
                ) from error
        end = time.monotonic() + _PAUSES_S[failures - 1]
        while time.monotonic() < end:
            tick(there())  # so that it can be cancelled
            time.sleep(0.05)


def _ask_once(url: str) -> HubFile:
    facts: dict[str, str] = {}
    place = url
    for _ in range(_MAX_REDIRECTS + 1):
        with _answer(place, url, method="HEAD") as response:
            here = {name.lower(): value for name, value in response.headers.items()}
            # the hub's own words come first; the length and tag are those of the last answer
            facts = here | {k: v for k, v in facts.items() if k.startswith("x-")}
            if response.status not in _REDIRECTS or "x-linked-size" in facts:
                return _said(facts, url)
            place = _onward(place, response, url)
    raise InputError(f"{_host(url)} redirects in a circle; try again later, or use another mirror")


def _fetch_once(url: str, part: Path, said: HubFile, tick: Tick) -> None:
    there = _size(part)
    if there >= said.size:
        return
    place = url
    for _ in range(_MAX_REDIRECTS + 1):
        with _answer(place, url, start=there) as response:
            if response.status in _REDIRECTS:
                place = _onward(place, response, url)
                continue
            with writing(part):
                _receive(response, part, said.size, tick)
            if _size(part) != said.size:
                raise _Broken(f"received {_size(part)} of {said.size} bytes")
            return
    raise InputError(f"{_host(url)} redirects in a circle; try again later, or use another mirror")


def _receive(response: http.client.HTTPResponse, part: Path, size: int, tick: Tick) -> None:
    # a server that knows nothing of parts sends the whole file again
    with part.open("ab" if response.status == 206 else "wb") as file:
        count = file.tell()
        tick(count)
        while count < size:
            try:
                chunk = response.read1(min(_CHUNK, size - count))
            except (TimeoutError, http.client.HTTPException, ConnectionError, ssl.SSLError) as e:
                raise _Broken(str(e) or type(e).__name__) from e
            if not chunk:
                return
            file.write(chunk)
            count += len(chunk)
            tick(count)


def _answer(
    place: str, url: str, *, method: str = "GET", start: int = 0
) -> http.client.HTTPResponse:
    """One request, redirections handed out as they are."""
    opener = urllib.request.build_opener(
        _NoRedirect, urllib.request.HTTPSHandler(context=_certificates())
    )
    request = urllib.request.Request(place, method=method)
    request.add_header("User-Agent", f"cine3d/{__version__}")
    request.add_header("Accept-Encoding", "identity")
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error.code, url) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise InputError(
                f"the certificate of {_host(url)} is not trusted here "
                f"({error.reason.verify_message}); behind a company's proxy, name its certificates "
                "in SSL_CERT_FILE"
            ) from error
        if "407" in str(error.reason):
            raise InputError(
                "the proxy wants a name and a password; give them in HTTPS_PROXY, as in "
                "http://NAME:PASSWORD@HOST:PORT"
            ) from error
        raise _Broken(str(error.reason)) from error
    except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
        raise _Broken(str(error) or type(error).__name__) from error
    except ValueError as error:  # an address or a proxy that is none
        raise InputError(
            f"{_host(url)} cannot be reached ({error}); check HF_ENDPOINT and HTTPS_PROXY"
        ) from error


def _onward(place: str, response: http.client.HTTPResponse, url: str) -> str:
    """Where a redirection leads."""
    onward = urllib.parse.urljoin(place, response.headers.get("Location", ""))
    safe = ("https",) if place.startswith("https:") else ("https", "http")
    if urllib.parse.urlsplit(onward).scheme not in safe:
        raise InputError(
            f"{_host(url)} redirects to {onward[:80]!r}, which is not safe; use another mirror"
        )
    return onward


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Hands redirections out, since their headers say what the file is."""

    def http_error_302(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any
    ) -> Any:
        """The answer itself, whatever it leads to."""
        return fp

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _refusal(code: int, url: str) -> Exception:
    """The sentence for a refusal, or `_Broken` for one that may pass."""
    if code in (401, 403):
        return InputError(
            f"{_host(url)} does not hand out {url} without an account ({code})",
            "get it by hand, then use {add_network}",
        )
    if code in (404, 410):
        return InputError(f"{_host(url)} does not have {url} ({code}); a newer Cine3D may know it")
    if code in (408, 425, 429) or code >= 500:
        return _Broken(f"it answered {code}")
    return InputError(f"{_host(url)} refused {url} ({code}); try again later")


def _said(facts: dict[str, str], url: str) -> HubFile:
    etag = (facts.get("x-linked-etag") or facts.get("etag", "")).removeprefix("W/").strip('"')
    size = facts.get("x-linked-size") or facts.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", size):
        raise InputError(f"{_host(url)} does not state how large {url} is; use another mirror")
    return HubFile(
        commit=facts.get("x-repo-commit", ""),
        size=int(size),
        sha256=etag if re.fullmatch(r"[0-9a-f]{64}", etag) else "",
        git_sha1=etag if re.fullmatch(r"[0-9a-f]{40}", etag) else "",
    )


@lru_cache(maxsize=1)  # reading them takes longer than a request
def _certificates() -> ssl.SSLContext:
    """The system's certificates, and those of `certifi` where a Python came without any."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_FILE"):
        with suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.from")


def _note_of(part: Path) -> object:
    """What a part is a part of; None where nothing says."""
    try:
        return json.loads(_note(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
