"""Migrations, transactions and an absent Postgres."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from deployments.contracts.errors import Unavailable
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.cli.processes import free_port
from serve_app.db.database import Database
from serve_app.db.rows import Row

pytestmark = pytest.mark.anyio

_MIGRATE = (
    "import asyncio, sys; from serve_app.db.database import Database; asyncio.run(Database(sys.argv[1]).migrate())"
)


async def test_processes_that_migrate_together_all_succeed(empty_database_url: str) -> None:
    command = (sys.executable, "-c", _MIGRATE, empty_database_url)
    started = [await asyncio.create_subprocess_exec(*command) for _ in range(3)]
    assert [await process.wait() for process in started] == [0, 0, 0]
    database = Database(empty_database_url)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    await database.close()


async def test_the_migrations_make_the_rows_schema(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), Row.metadata)

    async with database.transaction() as session:
        assert await (await session.connection()).run_sync(differences) == []


async def test_permits_are_unlogged(database: Database) -> None:
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT relpersistence::text FROM pg_class WHERE relname = 'permits'")) == "u"


async def test_an_error_rolls_back(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO permits VALUES ('one', now(), 1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM permits")) == 0


async def test_no_server_is_unavailable() -> None:
    database = Database(f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none")
    with pytest.raises(Unavailable) as failure:
        async with database.transaction():
            pass
    assert failure.value.retry_after == 1
    assert "secret" not in str(failure.value)
    await database.close()


async def test_a_restart_costs_idle_connections_nothing(database: Database, postgres: EmbeddedPostgres) -> None:
    async def ask() -> int | None:
        async with database.transaction() as session:
            await session.execute(text("SELECT pg_sleep(0.05)"))
            return await session.scalar(text("SELECT 1"))

    assert await asyncio.gather(*(ask() for _ in range(5))) == [1] * 5
    postgres.stop()
    with pytest.raises(Unavailable):
        await ask()
    postgres.start()
    assert await asyncio.gather(*(ask() for _ in range(20))) == [1] * 20


async def test_a_server_lost_in_a_transaction_is_unavailable(database: Database, postgres: EmbeddedPostgres) -> None:
    async def lose() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            postgres.stop()
            await session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await lose()
    postgres.start()
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT 1")) == 1


@contextmanager
def _frozen(postgres: EmbeddedPostgres) -> Iterator[None]:
    assert postgres.process is not None
    postmaster = psutil.Process(postgres.process.pid)
    # The postmaster first, so that no child comes; one that was about to end may still go.
    postmaster.suspend()
    backends = postmaster.children()
    for backend in backends:
        with suppress(psutil.NoSuchProcess):
            backend.suspend()
    try:
        yield
    finally:
        for process in (postmaster, *backends):
            with suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.parametrize("warm", [True, False])
async def test_a_hung_server_is_unavailable(database_url: str, postgres: EmbeddedPostgres, warm: bool) -> None:
    database = Database(database_url, deadline_s=0.3)
    if warm:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    with _frozen(postgres):
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable):
                async with database.transaction() as session:
                    await session.execute(text("SELECT 1"))
    async with database.transaction(deadline_s=10) as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_slow_statement_is_cut_at_the_deadline(database: Database) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            async with database.transaction(deadline_s=0.3) as session:
                await session.execute(text("SELECT pg_sleep(60)"))


async def test_a_full_pool_is_unavailable(database_url: str) -> None:
    database = Database(database_url, pool_size=1, deadline_s=0.3)
    async with database.transaction(deadline_s=30):
        with pytest.raises(Unavailable):
            async with database.transaction():
                pass
    await database.close()
