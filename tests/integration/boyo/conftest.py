"""The whole app in this process: real services on a fresh Postgres, a scripted engine behind them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from serve_app.app import create_app
from serve_app.auth.passwords import Passwords
from serve_app.services.bootstrap import Services
from serve_app.settings import Settings
from tests.fakes.chat import ScriptedChat
from tests.fakes.clients import FakeClients
from tests.fakes.passwords import CHEAP

ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"


@dataclass(frozen=True)
class House:
    app: FastAPI
    services: Services
    chats: dict[str, ScriptedChat]

    def client(self, key: str | None = None, base_url: str = "http://localhost") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)

    @asynccontextmanager
    async def admin(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A client with the admin's session."""
        async with self.client() as client:
            answer = await client.post("/auth/login", json={"email": ADMIN, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            yield client

    async def user(self, name: str, **fields: object) -> tuple[int, str]:
        """A new user: the id and a key."""
        async with self.admin() as admin:
            body = {"email": f"{name}@example.com", "password": PASSWORD, "name": name, "rate_limit": 1000, **fields}
            made = await admin.post("/admin/users", json=body)
            assert made.status_code == 200, made.text
            key = await admin.post("/admin/apikeys", json={"user_id": made.json()["id"], "name": f"{name}'s"})
            return made.json()["id"], key.json()["key"]


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    settings = Settings(
        data_dir=tmp_path, trust_loopback=True, database_timeout_s=20, database_url=SecretStr(database_url),
        admin_email=ADMIN, admin_password=SecretStr(PASSWORD), default_rate_limit=1000,
    )  # fmt: skip
    chats = {"scripted": ScriptedChat(), "second": ScriptedChat()}
    services = Services.build(settings, FakeClients(dict(chats)), passwords=Passwords(CHEAP))
    await services.start()
    yield House(create_app(services), services, chats)
    await services.close()
