"""Single processes of uvicorn: the upstream of gateways, and the raw pass-through that is their floor."""

import json
import socket
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, variables
from benchmarks.contenders.polyphony import MESSAGES
from benchmarks.harness import Contender
from benchmarks.work import Ask, Work
from deployments.contracts.errors import Unavailable
from serve_app.cli.processes import MARK, free_port, spawn, stop_child

UPSTREAM = "benchmark-upstream"


@contextmanager
def upstream(bench: Bench) -> Generator[int]:
    """The port of the trivial model server; its CPU is nobody's."""
    with _uvicorn(bench, UPSTREAM, "benchmarks.apps.upstream:app") as port:
        yield port


@contextmanager
def passthrough(bench: Bench, upstream_port: int) -> Generator[Contender]:
    mark = "benchmark-passthrough"
    app = "benchmarks.apps.passthrough:app"
    with _uvicorn(bench, mark, app, BENCHMARK_UPSTREAM_PORT=str(upstream_port)) as port:
        yield Contender("raw ASGI pass-through", mark, bench.client, lambda work: completion(port, work), UPSTREAM)


def completion(port: int, work: Work, **headers: str) -> dict[str, Any]:
    """The job of whoever speaks OpenAI's chat completions."""
    body = {"model": work.model, "messages": MESSAGES, "max_tokens": work.tokens, "stream": work.stream}
    return asdict(Ask(port, "POST", "/v1/chat/completions", headers, json.dumps(body)))


@contextmanager
def listening(
    command: Sequence[str], port: int, *, env: Mapping[str, str], mark: str, log: Path, ready_s: float
) -> Generator[None]:
    """A server in a process of its own, which listens when this yields; Unavailable when it does not."""
    child = spawn(command, env={**env, MARK: mark}, log=log)
    try:
        deadline = time.monotonic() + ready_s
        while not _listens(port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{mark} did not start; see {log}")
            time.sleep(0.1)
        yield
    finally:
        stop_child(child, grace_s=5)


@contextmanager
def _uvicorn(bench: Bench, mark: str, app: str, **given: str) -> Generator[int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    log = bench.logs / f"{mark}.log"
    with listening(command, port, env=variables(**given), mark=mark, log=log, ready_s=60):
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
