"""Everything `polyphony up` runs: Postgres, Milvus, Ray and the graph, in this order; ended in the opposite one."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deployments.contracts.errors import AppError, Unavailable
from serve_app.cli.environment import exported, inherited
from serve_app.cli.failures import Failed, blaming
from serve_app.cli.folder import DataFolder, State
from serve_app.cli.milvus import EmbeddedMilvus
from serve_app.cli.operator import ensure_admin, temporary_key
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.cli.processes import marked, stop
from serve_app.cli.progress import Progress
from serve_app.cli.ray import RayHead, resolve
from serve_app.settings import Settings
from serve_app.web.proxies import is_loopback

Probe = Callable[[str, str], None]
"""Takes the base URL and an API key, and returns once the graph has answered; Unavailable says why it did not."""

_GRAPH_S = 900
_ANSWER_S = 180


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the operator needs to begin; `password` only when the admin has just been made with a random one."""

    base_url: str
    admin_email: str
    password: str | None


class Stack:
    """The data folder's lock must be held from before `start` until after `stop`."""

    def __init__(self, settings: Settings, folder: DataFolder, progress: Progress, probe: Probe) -> None:
        self._settings = settings
        self._folder = folder
        self._progress = progress
        self._probe = probe
        self._env = inherited(folder.mark)
        logs = folder.logs
        self._postgres = None if settings.database_url else EmbeddedPostgres(folder.postgres, self._env)
        self._milvus = None if settings.milvus_uri else EmbeddedMilvus(folder.milvus, self._env, logs / "milvus.log")
        self._ray = RayHead(folder.run, folder.ray_token, self._env, logs)

    def start(self) -> Welcome:
        """Start all parts and see the graph answer; Failed says which part did not."""
        url = local_url(self._settings)
        if self._milvus:
            self._milvus.start()
        served = self._start_postgres()
        self._env.update(exported(served))
        assert served.database_url
        assert served.milvus_uri
        database_url = served.database_url.get_secret_value()
        self._ray.start()
        with self._step("accounts"):
            admin, password = asyncio.run(ensure_admin(database_url, served))
        if password:
            self._progress.say(f"  made the admin {admin.email} with the password {password}")
        if self._milvus:
            with self._step("Milvus", self._milvus.log):
                self._milvus.wait()
        with self._step("Ray", self._ray.log):
            self._ray.wait()
        self._start_graph()
        with self._step("first answer", self._ray.driver_log), temporary_key(database_url, served, admin) as key:
            self._await_answer(url, key)
        self._folder.remember(State(os.getpid(), url, database_url, served.milvus_uri, self._ray.address))
        return Welcome(url, admin.email, password)

    def check(self) -> None:
        """Failed when a part has ended, which none should."""
        parts: list[tuple[str, subprocess.Popen[bytes] | None, Path]] = [
            ("Ray", self._ray.head, self._ray.log),
            ("the Serve driver", self._ray.driver, self._ray.driver_log),
        ]
        if self._milvus:
            parts.append(("Milvus", self._milvus.process, self._milvus.log))
        if self._postgres:
            parts.append(("Postgres", self._postgres.process, self._postgres.log))
        for name, process, log in parts:
            if process is not None and process.poll() is not None:
                raise Failed(f"{name} ended unexpectedly (exit status {process.returncode})", log)

    def stop(self) -> None:
        """End every process of the stack; none may keep another from being ended."""
        self._folder.forget()
        for part in (self._ray, self._milvus, self._postgres):
            with suppress(AppError, OSError):
                if part:
                    part.stop()
        stop(marked(self._folder.mark), grace_s=1)

    @contextmanager
    def _step(self, name: str, log: Path | None = None) -> Generator[Callable[[str], None]]:
        with self._progress.step(name) as detail, blaming(log):
            yield detail

    def _start_postgres(self) -> Settings:
        """The settings as the graph shall see them, with the addresses of what runs."""
        found: dict[str, Any] = {"trust_loopback": self._settings.trust_loopback or is_loopback(self._settings.host)}
        if self._milvus:
            found["milvus_uri"] = self._milvus.uri
        if self._postgres:
            with self._step("Postgres", self._postgres.log):
                self._postgres.start()
            found["database_url"] = SecretStr(self._postgres.url)
        return self._settings.model_copy(update=found)

    def _start_graph(self) -> None:
        config = self._folder.run / "serve.yaml"
        config.write_text(resolve(self._settings.config, host=self._settings.host, port=self._settings.port))
        with self._step(f"graph of {self._settings.config.name}", self._ray.driver_log) as detail:
            self._ray.deploy(config)
            deadline = time.monotonic() + _GRAPH_S
            while not self._ray.is_running(detail):
                self.check()
                if time.monotonic() > deadline:
                    raise Unavailable(f"the graph was not ready after {_GRAPH_S} s")
                time.sleep(0.2)

    def _await_answer(self, url: str, key: str) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while True:
            try:
                return self._probe(url, key)
            except Unavailable:
                self.check()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def local_url(settings: Settings) -> str:
    """Where this machine reaches the public port, also when it is open on every interface."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
