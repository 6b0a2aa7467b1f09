"""A model hub on the loopback: the hub's addresses, redirections and headers, and its bad days.

/ORGANISATION/MODEL/resolve/REVISION/FILE answers as the hub does: large files by a redirection to
another address with X-Linked-Size and X-Linked-Etag, small ones by a relative redirection with the
git blob's SHA-1 as ETag.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL = 1000  # bytes: below, a file is kept in git itself


@dataclass
class Hub:
    """A running hub and what it is to do wrong."""

    address: str = ""
    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)  # "org/model/path" -> content
    requests: list[str] = field(default_factory=list)  # "GET /path bytes=10-"
    cuts: int = 0  # so many answers end early,
    cut_at: int = 20_000  # after so many bytes
    stalls: int = 0  # so many answers fall silent after as many
    damaged: bool = False  # bytes other than the checksum says
    refusal: int = 0  # answer everything with this
    refusals: int = 10**9  # for so many requests
    parts: bool = True  # knows of Range
    pause_s: float = 0.0  # between pieces of 4 KiB
    silent: bool = False  # says nothing of checksums
    sizeless: bool = False  # says nothing of sizes
    circle: bool = False  # redirects to itself
    elsewhere: str = ""  # where it redirects to
    sent: int = 0  # bytes of files
    released: threading.Event = field(default_factory=threading.Event)  # ends pauses


@contextmanager
def hub(
    files: dict[str, bytes], *, tls: ssl.SSLContext | None = None, **faults: Any
) -> Iterator[Hub]:
    """A hub with files, on a port of its own; with `tls` it speaks HTTPS."""
    state = Hub(files=files, **faults)

    class Handler(_Handler):
        hub = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    state.address = f"http://127.0.0.1:{state.port}"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        state, path = self.hub, unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range", "")
        state.requests.append(f"{self.command} {self.path} {wanted}".strip())
        if state.refusal and state.refusals > 0:
            state.refusals -= 1
            return self._head(state.refusal, {"Content-Length": "0"})
        asked = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+|refs/pr/\d+)/(.+)", path)
        kept = re.fullmatch(r"/(cdn|cache)/(.+)", path)
        if asked:
            return self._lead_on(f"{asked[1]}/{asked[3]}")
        if kept and kept[2] in state.files:
            return self._send(kept[2], small=kept[1] == "cache")
        return self._head(404, {"Content-Length": "0"})

    def _lead_on(self, name: str) -> None:
        state = self.hub
        if name not in state.files:
            return self._head(404, {"Content-Length": "0"})
        content, headers = state.files[name], {"Content-Length": "0", "X-Repo-Commit": COMMIT}
        if state.circle:
            return self._head(302, {**headers, "Location": self.path})
        if len(content) < SMALL:
            return self._head(307, {**headers, "Location": f"/cache/{name}"})
        if not state.sizeless:
            headers["X-Linked-Size"] = str(len(content))
        if not state.silent:
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        place = state.elsewhere or f"{state.address}/cdn/{name}"
        return self._head(302, {**headers, "Location": place})

    def _send(self, name: str, *, small: bool) -> None:
        state, content = self.hub, self.hub.files[name]
        headers = {"ETag": '"of another server"'}
        if small:
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            headers = {"ETag": f'"{blob}"', "X-Repo-Commit": COMMIT}
        start = 0
        if state.parts and (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if not state.sizeless:
            headers["Content-Length"] = str(len(content) - start)
        self._head(206 if start else 200, headers)
        if self.command == "GET":
            if state.damaged:
                content = bytes([content[0] ^ 1]) + content[1:]
            self._pour(content[start:])

    def _pour(self, content: bytes) -> None:
        state = self.hub
        end = len(content)
        if state.cuts > 0 and end > max(state.cut_at, SMALL):
            state.cuts -= 1
            end = state.cut_at
            self.close_connection = True
        for start in range(0, end, 4096):
            piece = content[start : min(start + 4096, end)]
            try:
                self.wfile.write(piece)
            except OSError:  # whoever asked is gone
                self.close_connection = True
                return
            state.sent += len(piece)
            if state.pause_s:
                state.released.wait(state.pause_s)
            if state.stalls > 0 and start >= state.cut_at:
                state.stalls -= 1
                state.released.wait()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def table(path: Path, *entries: dict[str, Any]) -> Path:
    """A shelf table in a file, as CINE3D_SHELF names it."""
    path.write_text(json.dumps({"entries": list(entries)}), encoding="utf-8")
    return path


def entry(name: str, task: str, kind: str, files: dict[str, bytes], **changes: Any) -> dict:
    """An entry of a table for small files, pinned by their checksums."""
    return {
        "name": name,
        "task": task,
        "kind": kind,
        "title": name.title(),
        "repository": f"tiny/{name}",
        "revision": "main",
        "files": [
            {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in files.items()
        ],
        "license": "MIT",
        "license_url": "https://example.org/license",
        "replaces": "nothing",
        "better": "it is tiny",
        "rank": 1,
    } | changes


def on_hub(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of an entry under the names that the hub has them by."""
    return {f"tiny/{name}/{path}": data for path, data in files.items()}


def waited(condition: Any, seconds: float = 20.0) -> bool:
    """Whether something became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
