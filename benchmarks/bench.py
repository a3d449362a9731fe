"""What every contender is started with."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.worker import Worker, worker
from serve_app.cli.progress import Progress

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder for data and logs, the client that sends the load, and where progress is told."""

    folder: Path
    client: Worker
    progress: Progress

    @property
    def logs(self) -> Path:
        return self.folder / "logs"


@contextmanager
def bench(folder: Path, progress: Progress) -> Generator[Bench]:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with worker("benchmark-client", folder / "logs" / "client.log", "benchmarks.client") as client:
        yield Bench(folder, client, progress)


def variables(**given: str) -> dict[str, str]:
    """The environment for children: ours without the shell's own settings of Polyphony, and `given`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("POLYPHONY_")}
    return {**ours, "PYTHONPATH": str(ROOT), **given}


@contextmanager
def environment(**given: str) -> Generator[None]:
    """Whatever reads or inherits our environment within the block sees `variables`."""
    before = dict(os.environ)
    os.environ.update(changed := variables(**given))
    for name in before.keys() - changed.keys():
        del os.environ[name]
    try:
        yield
    finally:
        for name in changed.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
