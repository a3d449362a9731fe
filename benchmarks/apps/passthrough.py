"""The floor of every gateway in Python: raw ASGI that passes bytes on, and does nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import httptools

_UPSTREAM = int(os.environ["BENCHMARK_UPSTREAM_PORT"])
_idle: list["_Upstream"] = []


class _Upstream(asyncio.Protocol):
    """One keep-alive connection; pieces of one answer at a time, None at its end."""

    def __init__(self) -> None:
        self.open = True
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's shape
        self.open = False
        self._pieces.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._pieces.put_nowait(body)

    def on_message_complete(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces.put_nowait(None)

    async def ask(self, request: bytes) -> AsyncIterator[bytes]:
        self._transport.write(request)
        while (piece := await self._pieces.get()) is not None:
            yield piece


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Whatever is posted goes on to the upstream."""
    if scope["type"] != "http":
        return
    body = (await receive()).get("body", b"")
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: upstream\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream = await _connection()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    async for piece in upstream.ask(head + body):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    _idle.append(upstream)


async def _connection() -> _Upstream:
    while _idle:
        if (upstream := _idle.pop()).open:
            return upstream
    made: Any
    _, made = await asyncio.get_running_loop().create_connection(_Upstream, "127.0.0.1", _UPSTREAM)
    return made
