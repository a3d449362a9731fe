"""An engine in a process of its own, and nothing else: what it could do if serving it cost nothing."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.bench import Bench
from benchmarks.contenders.polyphony import MESSAGES
from benchmarks.harness import Contender
from benchmarks.work import Work
from benchmarks.worker import worker
from deployments.contracts.models import ModelSpec


@contextmanager
def in_process(bench: Bench, spec: ModelSpec) -> Generator[Contender]:
    """Answers only work for its own model."""
    mark = f"benchmark-engine-{spec.id}"
    log = bench.logs / f"{mark}.log"
    with ExitStack() as running:
        with bench.progress.step(f"{spec.id} in process"):
            own = running.enter_context(worker(mark, log, "benchmarks.inprocess", spec.model_dump_json()))
        yield Contender(f"{spec.id} in process", mark, own, _job)


def _job(work: Work) -> dict[str, Any]:
    return {"messages": MESSAGES, "max_tokens": work.tokens, "temperature": 0}
