"""LiteLLM's proxy: one worker, a key, no database, the trivial upstream behind it; in an environment of its own."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bench import Bench, variables
from benchmarks.contenders.asgi import UPSTREAM, completion, listening
from benchmarks.harness import Contender
from benchmarks.specs import FIXED_PACE, specs
from benchmarks.work import Work
from serve_app.cli.processes import free_port
from serve_app.cli.progress import Progress

VERSION = "1.106.0"
_KEY = "sk-benchmark"
_QUIET = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "NO_DOCS": "True",
}


def install(cache: Path, progress: Progress) -> Path:
    """The environment's folder, made from the package index when it is not there; CalledProcessError."""
    folder = cache / f"litellm-{VERSION}"
    stamp = folder / "installed"
    if not stamp.exists():
        with progress.step(f"installing LiteLLM {VERSION} in {folder}"):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, f"litellm[proxy]=={VERSION}"], check=True)
            stamp.touch()
    return folder


@contextmanager
def litellm(bench: Bench, installed: Path, upstream_port: int) -> Generator[Contender]:
    config = bench.folder / "litellm.yaml"
    config.write_text(yaml.safe_dump(_config(upstream_port)))
    port, mark = free_port(), "benchmark-litellm"
    command = [str(installed / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    log = bench.logs / "litellm.log"
    with ExitStack() as running:
        with bench.progress.step("LiteLLM"):
            running.enter_context(listening(command, port, env=variables(**_QUIET), mark=mark, log=log, ready_s=120))

        def job(work: Work) -> dict[str, Any]:
            return completion(port, work, Authorization=f"Bearer {_KEY}")

        yield Contender("LiteLLM", mark, bench.client, job, UPSTREAM)


def _config(upstream_port: int) -> dict[str, object]:
    upstream = {"api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}
    return {
        "model_list": [
            {"model_name": id_, "litellm_params": {"model": f"openai/{id_}", **upstream}} for id_ in specs(FIXED_PACE)
        ],
        "general_settings": {"master_key": _KEY},
    }
