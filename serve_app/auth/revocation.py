"""One connection per replica that hears, at once, which credentials have changed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from serve_app.db.notices import CHANNEL, Notice
from serve_app.domain.tasks import spawn

_log = logging.getLogger(__name__)
_CONNECT_S = 2
_PULSE_S = 2
"""How often a silent connection is asked whether it lives, and how long it may take to answer."""
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.05, 1.0


class RevocationListener:
    """Calls `heard` with each notice; `caught_up` after each connect, for notices may have been missed before it."""

    def __init__(self, dsn: str, *, heard: Callable[[Notice], None], caught_up: Callable[[], Awaitable[None]]) -> None:
        self._dsn = dsn
        self._heard = heard
        self._caught_up = caught_up
        self._tried = asyncio.Event()
        self._on = True
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once the first connect has succeeded or failed; from then on it keeps trying by itself."""
        self._tried.clear()
        self._task = spawn(self._run(), name="revocation listener")
        await self._tried.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        delay = _FIRST_DELAY_S
        while True:
            lost = asyncio.Event()
            try:
                connection = await self._connect(lost)
                delay = _FIRST_DELAY_S
                try:
                    await self._stay(connection, lost)
                finally:
                    connection.terminate()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end
                # A replica that stops listening would honour revoked keys for ever.
                reason = type(error).__name__
            else:
                reason = "hung up"
            if self._on:
                _log.warning("revocation listener lost Postgres and tries again: %s", reason)
            self._on = False
            self._tried.set()
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _connect(self, lost: asyncio.Event) -> Any:
        def lost_by(_connection: object) -> None:
            lost.set()

        connection = await _open(self._dsn)
        try:
            connection.add_termination_listener(lost_by)
            await connection.add_listener(CHANNEL, self._receive)
            await self._caught_up()
        except BaseException:
            connection.terminate()
            raise
        self._on = True
        self._tried.set()
        return connection

    async def _stay(self, connection: Any, lost: asyncio.Event) -> None:
        while not lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _PULSE_S)
                return
            await connection.execute("SELECT")

    def _receive(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if (notice := Notice.parse(str(payload))) is not None:
            self._heard(notice)


async def _open(dsn: str) -> Any:
    return await cast("Any", asyncpg).connect(dsn, timeout=_CONNECT_S, command_timeout=_PULSE_S)
