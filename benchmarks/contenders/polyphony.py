"""Polyphony whole: keys, limits, metering, Postgres, one gateway, the engines of a config."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.accounts import Admin
from benchmarks.bench import Bench, environment
from benchmarks.harness import Contender
from benchmarks.work import WORD, Ask, Work
from deployments.contracts.errors import Unavailable
from serve_app.cli import probe
from serve_app.cli.folder import DataFolder
from serve_app.cli.processes import free_port, marked, stop
from serve_app.cli.stack import Stack
from serve_app.settings import Settings

MESSAGES = [{"role": "user", "content": "hello"}]
PASSWORD = "only for benchmarks"


@contextmanager
def polyphony(
    bench: Bench, config: Path, *, name: str = "Polyphony", flags: Mapping[str, str] | None = None
) -> Generator[Contender]:
    """Started as `polyphony up` starts it; `flags` overrides how Ray is set."""
    folder = _folder(bench)
    with folder.hold():
        stop(marked(folder.mark), grace_s=5)
        folder.prepare()
        with environment(**(flags or {})):
            settings = Settings(
                _env_file=None,
                port=free_port(),
                data_dir=folder.path,
                config=config,
                admin_password=SecretStr(PASSWORD),
            )
            stack = Stack(settings, folder, bench.progress, probe.chat)
        try:
            welcome = stack.start()
            key = Admin(welcome.base_url, welcome.admin_email, PASSWORD).add_user().key

            def job(work: Work) -> dict[str, Any]:
                body = {
                    "model": work.model,
                    "messages": MESSAGES,
                    "max_tokens": work.tokens,
                    "temperature": 0,
                    "stream": work.stream,
                }
                headers = {"Authorization": f"Bearer {key}"}
                # A real model says other words; the first token is in the first of these.
                marker = WORD if work.model != "smallchat" else "event: token"
                return asdict(Ask(settings.port, "POST", "/api/chat", headers, json.dumps(body), marker))

            yield Contender(name, folder.mark, bench.client, job)
        finally:
            with bench.progress.step(f"stopping {name}"):
                stack.stop()


def base_url(bench: Bench) -> str:
    """Of the one that runs; Unavailable when none does."""
    if state := _folder(bench).state():
        return state.base_url
    raise Unavailable("Polyphony is not up")


def _folder(bench: Bench) -> DataFolder:
    return DataFolder(bench.folder / "polyphony")
