"""An embedded Postgres for the whole run, and a fresh, migrated database for each test."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.db.database import Database

_TEMPLATE = "migrated"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = EmbeddedPostgres(folder, dict(os.environ))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _template(postgres: EmbeddedPostgres) -> None:
    async def make() -> None:
        await _run(postgres, f"CREATE DATABASE {_TEMPLATE}")
        database = Database(_url(postgres, _TEMPLATE))
        await database.migrate()
        await database.close()

    asyncio.run(make())


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database without tables."""
    yield from _fresh(postgres, "template1")


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, _template: None) -> Iterator[str]:
    """A database with all tables, all empty."""
    yield from _fresh(postgres, _TEMPLATE)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, deadline_s=10)
    yield database
    await database.close()


def _fresh(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    asyncio.run(_run(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield _url(postgres, name)
    asyncio.run(_run(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


def _url(postgres: EmbeddedPostgres, name: str) -> str:
    return f"{postgres.url.rpartition('/')[0]}/{name}"


async def _run(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
