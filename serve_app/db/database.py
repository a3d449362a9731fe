"""The way to Postgres: short transactions, one schema, and one place that says when it is away."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from deployments.contracts.errors import Unavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x706F6C79
_MIGRATION_S = 300
_AWAY = ("08", "57P", "53300")
"""SQLSTATEs of a server that is lost, shutting down, starting up or full."""


class Database:
    """A pool of connections to one database; it belongs to the event loop that first uses it."""

    def __init__(self, url: str, *, pool_size: int = 5, deadline_s: float = 0.9) -> None:
        self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._deadline_s = deadline_s
        self._engine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"server_settings": {"application_name": "polyphony"}},
        )
        event.listen(self._engine.sync_engine, "checkout", _replace_if_dropped)

    @property
    def dsn(self) -> str:
        """Where it is, password included, in the form that asyncpg takes."""
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def transaction(self, *, deadline_s: float | None = None) -> AsyncGenerator[AsyncSession]:
        """Commits on leaving, rolls back on an error. Postgres away, or slower than the deadline: Unavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (deadline_s or self._deadline_s)
        with _unavailable():
            async with asyncio.timeout_at(deadline):
                connection = await self._engine.connect()
            driver: Any = (await connection.get_raw_connection()).driver_connection
            # Cutting the connection ends a hung statement at once; a cancelled one would wait for the server.
            cut = loop.call_at(deadline, driver.terminate)
            try:
                async with (
                    aclosing(connection),
                    AsyncSession(connection, expire_on_commit=False) as session,
                    session.begin(),
                ):
                    yield session
            finally:
                cut.cancel()

    async def migrate(self) -> None:
        """Bring the schema up to date, all or nothing; callers in any process take turns."""
        async with self.transaction(deadline_s=_MIGRATION_S) as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await (await session.connection()).run_sync(_upgrade)

    async def close(self) -> None:
        await self._engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _replace_if_dropped(connection: Any, *_: object) -> None:
    """The loop has seen the server hang up, so asking costs no trip; the pool then opens a fresh connection."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


@contextmanager
def _unavailable() -> Generator[None]:
    try:
        yield
    except (OSError, PoolTimeout) as error:
        raise _away() from error
    except DBAPIError as error:
        if error.connection_invalidated or str(getattr(error.orig, "sqlstate", None)).startswith(_AWAY):
            raise _away() from error
        raise


def _away() -> Unavailable:
    return Unavailable("the database is away", retry_after=1)
