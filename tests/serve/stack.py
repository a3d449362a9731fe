"""The whole stack as an operator starts it, and hands to touch it with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from serve_app.cli.folder import DataFolder
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.cli.processes import free_port, marked

ROOT = Path(__file__).parents[2]
ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"
_START_S = 240


@dataclass(frozen=True)
class Stack:
    """A running `polyphony up` over a Postgres that the test may stop."""

    base_url: str
    folder: DataFolder
    postgres: EmbeddedPostgres
    process: subprocess.Popen[bytes]

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=60, trust_env=False)

    @asynccontextmanager
    async def admin(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A client with the admin's session."""
        async with self.client() as client:
            answer = await client.post("/auth/login", json={"email": ADMIN, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield client

    async def user(self, name: str, rate_limit: int = 100_000) -> tuple[int, str]:
        """A new user: the id and a key."""
        async with self.admin() as admin:
            body = {"email": f"{name}@example.com", "password": PASSWORD, "name": name, "rate_limit": rate_limit}
            made = await admin.post("/admin/users", json=body)
            assert made.status_code == 200, made.text
            key = await admin.post("/admin/apikeys", json={"user_id": made.json()["id"], "name": "test"})
            return made.json()["id"], key.json()["key"]

    async def rows(self, user_id: int) -> list[dict[str, Any]]:
        """The usage booked for a user."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            found = await connection.fetch("SELECT * FROM usage WHERE user_id = $1 ORDER BY started_at", user_id)
        finally:
            await connection.close()
        return [dict(row) for row in found]

    async def metric(self, name: str, **labels: str) -> float:
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        async with self.client() as client:
            text = (await client.get("/metrics")).text
        found = [line for line in text.splitlines() if line.startswith(f"{name}{{{wanted}}} ")]
        return float(found[0].split()[-1]) if found else 0.0

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """The processes of a deployment's replicas."""
        title = f"ray::ServeReplica:polyphony:{deployment}"
        return [process for process in marked(self.folder.mark) if " ".join(process.cmdline()).startswith(title)]


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A stream's events, as they come."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def hello(model: str, **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello there!"}], **fields}


@contextmanager
def running(folder: Path) -> Generator[Stack]:
    """Start everything, and leave nothing behind."""
    postgres = EmbeddedPostgres(folder / "postgres", dict(os.environ))
    postgres.start()
    port = free_port()
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "POLYPHONY_CONFIG": str(ROOT / "tests/serve/graph.yaml"),
        "POLYPHONY_DATA_DIR": str(folder / "data"),
        "POLYPHONY_DATABASE_URL": postgres.url,
        "POLYPHONY_DATABASE_TIMEOUT_S": "10",
        "POLYPHONY_PORT": str(port),
        "POLYPHONY_ADMIN_EMAIL": ADMIN,
        "POLYPHONY_ADMIN_PASSWORD": PASSWORD,
    }
    log = (folder / "up.log").open("wb")
    command = [str(Path(sys.executable).parent / "polyphony"), "up"]
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    data = DataFolder(folder / "data")
    try:
        _wait_until_ready(process, folder)
        yield Stack(f"http://127.0.0.1:{port}", data, postgres, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        postgres.stop()
        log.close()
    assert marked(data.mark) == []


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not (folder / "data/state.json").exists():
        assert process.poll() is None, (folder / "up.log").read_text()
        assert time.monotonic() < deadline, (folder / "up.log").read_text()
        time.sleep(0.2)
