"""Server-Sent Events: frames to bytes, the first of them before the headers leave."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve_app.web.disconnect import left, unless_left

E = TypeVar("E")

_STALLED_S = 30.0
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# No line breaks to SSE, but to clients that split by Unicode's idea of lines.
_LINE_BREAKS = {ord(break_): f"\\u{ord(break_):04x}" for break_ in "\x85\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One event; `event` None leaves the name out."""

    event: str | None
    data: Any


async def respond(
    request: Request,
    events: AsyncGenerator[E],
    render: Callable[[AsyncIterator[E]], AsyncGenerator[Frame]],
) -> Response:
    """Stream rendered events. What fails before the first event is raised here, while a status can still be chosen."""
    try:
        first = await unless_left(request, _first(events))
    except BaseException:
        await events.aclose()
        raise
    return EventStream(_encoded(render(_chained(first, events))), source=events)


def encode(frame: Frame) -> bytes:
    name = f"event: {frame.event}\n" if frame.event is not None else ""
    data = _JSON.encode(frame.data)
    if not data.isascii():
        data = data.translate(_LINE_BREAKS)
    return f"{name}data: {data}\n\n".encode(errors="replace")


class EventStream(Response):
    """Ends when the client leaves, even between two events, and when it takes nothing for too long."""

    media_type = "text/event-stream"

    def __init__(
        self, chunks: AsyncGenerator[bytes], *, source: AsyncGenerator[Any], stalled_s: float = _STALLED_S
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._source = source
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's shape
        # Closing the source runs its `finally`, which aborts the engine, at once and not at the next collection;
        # closing the chunks would not reach it where none of them has been asked for.
        async with aclosing(self._source), aclosing(self._chunks), anyio.create_task_group() as group:
            group.start_soon(_cancel_when_left, receive, group.cancel_scope)
            await self._send_all(send)
            group.cancel_scope.cancel()

    async def _send_all(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in self._chunks:
                async with asyncio.timeout(self._stalled_s):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, OSError):
            return


async def _cancel_when_left(receive: Receive, scope: anyio.CancelScope) -> None:
    await left(receive)
    scope.cancel()


async def _first(events: AsyncIterator[E]) -> E:
    return await anext(events)


async def _chained(first: E, rest: AsyncIterator[E]) -> AsyncGenerator[E]:
    yield first
    async for event in rest:
        yield event


async def _encoded(frames: AsyncGenerator[Frame]) -> AsyncGenerator[bytes]:
    async with aclosing(frames):
        async for frame in frames:
            yield encode(frame)
