"""The probe believes a chat only when it ended well."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployments.contracts.errors import Unavailable
from serve_app.cli import probe


@contextmanager
def _answering(status: int, body: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            authorized = self.headers["authorization"] == "Bearer key"
            self.send_response(status if authorized else 401)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


TOKEN = 'event: token\ndata: {"content": "Hi", "done": false}\n\n'
DONE = 'event: done\ndata: {"content": "", "done": true}\n\n'


def test_a_chat_that_is_done_is_enough() -> None:
    with _answering(200, TOKEN + DONE) as url:
        probe.chat(url, "key")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, "no replicas", "answered 503: no replicas"),
        (200, TOKEN + 'event: error\ndata: {"error": "the engine broke"}\n\n', "the engine broke"),
        (200, TOKEN, "ended before"),
        (200, "", "ended before"),
    ],
)
def test_anything_else_is_named(status: int, body: str, why: str) -> None:
    with _answering(status, body) as url, pytest.raises(Unavailable, match=why):
        probe.chat(url, "key")


def test_a_port_without_server_does_not_answer() -> None:
    with _answering(200, "") as url:
        pass
    with pytest.raises(Unavailable, match="does not answer"):
        probe.chat(url, "key")
