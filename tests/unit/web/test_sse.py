import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from deployments.contracts.errors import Overloaded
from serve_app.web.disconnect import unless_left
from serve_app.web.sse import EventStream, Frame, encode, respond

pytestmark = pytest.mark.anyio


class Source:
    """Counts up for ever, and knows when it was closed."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self.made = 0
        self.closed = False

    async def events(self) -> AsyncGenerator[int]:
        try:
            while True:
                self.made += 1
                yield self.made
                await asyncio.sleep(self.pause_s)
        finally:
            self.closed = True


async def render(events: AsyncIterator[int]) -> AsyncGenerator[Frame]:
    async for event in events:
        yield Frame("n", event)


def request_of(receive: Receive) -> Request:
    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def gone() -> Message:
    return {"type": "http.disconnect"}


def test_frames_are_one_event_each_whatever_they_hold() -> None:
    data = {"content": "a\nb\r\n\u2028\x85ü"}
    frame = encode(Frame("token", data)).decode()
    assert frame == 'event: token\ndata: {"content":"a\\nb\\r\\n\\u2028\\u0085ü"}\n\n'
    assert len(frame.splitlines()) == 3
    assert json.loads(frame.splitlines()[1].removeprefix("data: ")) == data
    assert encode(Frame(None, [1])) == b"data: [1]\n\n"


async def test_a_client_who_leaves_between_two_events_closes_the_source() -> None:
    source, sent = Source(pause_s=3600), list[Message]()
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 2:
            left.set()

    response = await respond(request_of(receive), source.events(), render)
    await response({"type": "http"}, receive, send)
    assert source.closed
    assert [message.get("body") for message in sent[1:]] == [b"event: n\ndata: 1\n\n"]


async def test_a_client_who_leaves_before_the_first_event_closes_the_source() -> None:
    closed = False

    async def silent() -> AsyncGenerator[int]:
        nonlocal closed
        try:
            await asyncio.sleep(3600)
            yield 1
        finally:
            closed = True

    with pytest.raises(ClientDisconnect):
        await respond(request_of(gone), silent(), render)
    assert closed


async def test_a_client_who_reads_nothing_is_cut_and_little_is_held_for_it() -> None:
    source = Source()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    events = source.events()
    chunks = (encode(Frame("n", event)) async for event in events)
    await EventStream(chunks, source=events, stalled_s=0.05)({"type": "http"}, never, send)
    assert source.made == 1
    assert source.closed


async def test_a_client_who_is_gone_before_the_headers_leave_closes_the_source() -> None:
    source = Source()

    async def send(message: Message) -> None:
        raise OSError("gone")

    response = await respond(request_of(never), source.events(), render)
    await response({"type": "http"}, never, send)
    assert source.closed


async def test_what_fails_before_the_first_event_is_raised() -> None:
    async def fails() -> AsyncGenerator[int]:
        raise Overloaded("full")
        yield 1

    with pytest.raises(Overloaded):
        await respond(request_of(never), fails(), render)


async def test_work_is_cancelled_when_its_asker_leaves() -> None:
    cancelled = False

    async def work() -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled = True
            raise
        return 1

    with pytest.raises(ClientDisconnect):
        await unless_left(request_of(gone), work())
    assert cancelled


async def test_work_gives_its_result_or_its_error() -> None:
    async def works() -> int:
        return 1

    async def fails() -> int:
        raise Overloaded("full")

    assert await unless_left(request_of(never), works()) == 1
    with pytest.raises(Overloaded):
        await unless_left(request_of(never), fails())
