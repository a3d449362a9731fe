"""The laptop's own Milvus: one Milvus Lite server for the store under the data folder."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from deployments.contracts.errors import Unavailable
from serve_app.cli.processes import free_port, spawn, stop_child

_READY_S = 60
_STOP_S = 3
# With more than one worker, concurrent writers lost rows that had been acknowledged.
_SERVE = """
import sys
from milvus_lite.adapter.grpc.server import run_server
run_server(sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]), max_workers=1)
"""


@dataclass
class EmbeddedMilvus:
    """One server on a free port of the loopback; a store can be open only once."""

    folder: Path
    env: Mapping[str, str]
    log: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to start; `wait` says when it is done."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.port = self.port or free_port()
        command = [sys.executable, "-c", _SERVE, str(self.folder / "store.db"), str(self.port)]
        self.process = spawn(command, env=self.env, log=self.log, on_parent_death=signal.SIGINT)

    def wait(self) -> None:
        """Until it answers, or Unavailable."""
        deadline = time.monotonic() + _READY_S
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
            answers = grpc.channel_ready_future(channel)
            while True:
                try:
                    return answers.result(timeout=0.2)
                except grpc.FutureTimeoutError:
                    died = self.process is None or self.process.poll() is not None
                    if died or time.monotonic() > deadline:
                        raise Unavailable("Milvus did not start") from None

    def stop(self) -> None:
        """Drains what is in flight and closes the store."""
        if self.process is not None:
            stop_child(self.process, grace_s=_STOP_S, by=signal.SIGINT)
            self.process = None
