"""A lean HTTP client: keep-alive connections, answers parsed as they arrive, nothing kept but times and counts."""

import asyncio
import re
import time
from typing import Any

import httptools
import uvloop

from benchmarks.work import Ask, Plan, Result
from benchmarks.worker import serve_plans

_TOLD = re.compile(rb'"eval_count":(\d+)')


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._done and not self._done.done():
            self._done.set_exception(ConnectionError(f"the server hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.body += data
        if count := self.body.count(self._marker, self._counted):
            self.arrivals.append((time.perf_counter(), count))
        # A marker may be torn by a border between pieces, but is never counted twice.
        self._counted = max(self._counted, len(self.body) - len(self._marker) + 1)

    def on_message_complete(self) -> None:
        assert self._done
        if not self._done.done():
            self._done.set_result(None)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, marker: bytes) -> int:
        """The status of the answer, whose text and times then stand in `body` and `arrivals`."""
        assert self._transport
        self.body = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        self._marker, self._counted = marker, 0
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done
        return int(self._parser.get_status_code())


class Client:
    """Keeps the connections of one plan after another."""

    def __init__(self) -> None:
        self._idle: dict[int, list[Connection]] = {}

    async def one(self, plan: Plan, result: Result) -> None:
        ask = Ask(**plan.job)
        connection = await self._connection(ask.port)
        began = time.perf_counter()
        try:
            status = await connection.ask(ask.encoded(), ask.marker.encode())
        except ConnectionError:
            status = 0
        told = _TOLD.findall(connection.body)
        tokens = int(told[-1]) if told else sum(count for _, count in connection.arrivals)
        if status == 200 and tokens:
            result.add(began, connection.arrivals, tokens)
        else:
            result.failures += 1
        self._idle[ask.port].append(connection)

    async def _connection(self, port: int) -> Connection:
        idle = self._idle.setdefault(port, [])
        while idle:
            if (connection := idle.pop()).is_open:
                return connection
        made: Any
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        return made


if __name__ == "__main__":
    uvloop.run(serve_plans(Client().one))
