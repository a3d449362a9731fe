"""What `polyphony doctor` asks the servers of the stack."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from deployments.contracts.errors import AppError
from serve_app import db
from serve_app.cli.checks import Finding
from serve_app.cli.folder import State
from serve_app.db.database import Database

_PATIENCE_S = 20
_ASK_MILVUS = """
import sys
from pymilvus import MilvusClient
print(MilvusClient(sys.argv[1], timeout=10).get_server_version())
"""


def postgres(url: str) -> Generator[Finding]:
    """Reachable, and with the schema of this version."""
    head = ScriptDirectory(str(Path(str(db.__file__)).parent / "migrations")).get_current_head()
    try:
        found = asyncio.run(_schema(url))
    except AppError:
        yield Finding("postgres", "fail", "does not answer", "start it, or correct POLYPHONY_DATABASE_URL")
    except (SQLAlchemyError, OSError) as error:
        yield Finding("postgres", "warn", f"answers without our schema ({type(error).__name__})", "run `polyphony up`")
    else:
        if found == head:
            yield Finding("postgres", "ok", f"answers, schema {found}")
        else:
            yield Finding("postgres", "warn", f"schema {found} instead of {head}", "run `polyphony up`")


def milvus(uri: str) -> Generator[Finding]:
    """Asked from a process of its own, for its client may hang longer than told."""
    command = [sys.executable, "-c", _ASK_MILVUS, uri]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except subprocess.SubprocessError:
        yield Finding("milvus", "fail", f"{uri} does not answer", "start it, or correct POLYPHONY_MILVUS_URI")
    else:
        yield Finding("milvus", "ok", f"answers, version {done.stdout.strip()}")


def stack(state: State) -> Generator[Finding]:
    """Ray and the public port of a running stack."""
    host, _, port = state.ray_address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        yield Finding("ray", "fail", f"{state.ray_address}: {error}", "restart `polyphony up`")
    else:
        yield Finding("ray", "ok", f"listens at {state.ray_address}")
    try:
        answer = httpx.get(f"{state.base_url}/health", timeout=_PATIENCE_S, trust_env=False)
    except httpx.HTTPError as error:
        yield Finding("api", "fail", f"{state.base_url}: {error}", "restart `polyphony up`")
    else:
        status = answer.json()["status"] if answer.is_success else f"{answer.status_code}"
        yield Finding("api", "ok" if status == "ok" else "warn", f"GET /health answers {status}")


async def _schema(url: str) -> str | None:
    database = Database(url, pool_size=1, deadline_s=5)
    try:
        async with database.transaction() as session:
            return await session.scalar(text("SELECT version_num FROM alembic_version"))
    finally:
        await database.close()
