"""A bare Ray Serve hello with one hop, with the transport flags of `polyphony up` or without any."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.bench import Bench, environment
from benchmarks.harness import Contender
from benchmarks.specs import HELLO
from benchmarks.work import Ask, Work
from deployments.contracts.errors import Unavailable
from serve_app.cli.environment import inherited
from serve_app.cli.folder import DataFolder
from serve_app.cli.processes import free_port, marked, stop
from serve_app.cli.ray import RayHead, resolve

UNTUNED = {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0"}
# Replicas of two clusters on one machine must not be given the same ports.
_PORTS = {
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "32000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "33000",
    "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": "42000",
    "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": "43000",
}
_READY_S = 120


@contextmanager
def ray_hop(bench: Bench, *, tuned: bool) -> Generator[Contender]:
    """A Ray cluster of its own."""
    name = "tuned Ray hop" if tuned else "untuned Ray hop"
    folder = DataFolder(bench.folder / name.replace(" ", "-"))
    with folder.hold():
        stop(marked(folder.mark), grace_s=5)
        folder.prepare()
        with environment(**_PORTS, **({} if tuned else UNTUNED)):
            env = inherited(folder.mark)
        ray = RayHead(folder.run, folder.ray_token, env, folder.logs)
        port = free_port()
        try:
            with bench.progress.step(name):
                _start(ray, folder, port)

            def job(work: Work) -> dict[str, Any]:
                path = f"/stream/{work.model}/{work.tokens}" if work.stream else "/hello"
                return asdict(Ask(port, "GET", path))

            yield Contender(name, folder.mark, bench.client, job)
        finally:
            with bench.progress.step(f"stopping {name}"):
                ray.stop()
                stop(marked(folder.mark), grace_s=1)


def _start(ray: RayHead, folder: DataFolder, port: int) -> None:
    ray.start()
    ray.wait()
    config = folder.run / "serve.yaml"
    config.write_text(resolve(HELLO, host="127.0.0.1", port=port))
    ray.deploy(config)
    deadline = time.monotonic() + _READY_S
    while not ray.is_running(lambda _: None):
        if time.monotonic() > deadline:
            raise Unavailable(f"{folder.path.name} was not ready after {_READY_S} s; see {ray.driver_log}")
        time.sleep(0.2)
