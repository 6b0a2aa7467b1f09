"""A proxy on the loopback as companies have them: it tunnels HTTPS, and may want a password."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Proxy:
    """A running proxy."""

    port: int = 0
    password: str = ""  # "NAME:PASSWORD" that it wants
    leads_to: int = 0  # port on the loopback, whatever host is asked for
    asked: list[str] = field(default_factory=list)  # "HOST:PORT"


@contextmanager
def proxy(leads_to: int, *, password: str = "") -> Iterator[Proxy]:
    """A proxy on a port of its own."""
    state = Proxy(password=password, leads_to=leads_to)

    class Handler(_Handler):
        proxy = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        state = self.proxy
        state.asked.append(self.path)
        wanted = f"Basic {base64.b64encode(state.password.encode()).decode()}"
        if state.password and self.headers.get("Proxy-Authorization") != wanted:
            return self.send_error(407)
        with socket.create_connection(("127.0.0.1", state.leads_to)) as onward:
            self.send_response(200, "Connection established")
            self.end_headers()
            back = threading.Thread(target=_pour, args=(onward, self.connection), daemon=True)
            back.start()
            _pour(self.connection, onward)
            back.join(10)
        self.close_connection = True
        return None


def _pour(source: socket.socket, target: socket.socket) -> None:
    """Everything that comes from one end goes to the other."""
    with suppress(OSError):  # either may hang up
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
