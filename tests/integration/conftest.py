"""An embedded Postgres for the whole run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.cli.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    server = EmbeddedPostgres(folder, dict(os.environ))
    server.start()
    yield server
    server.stop()
