"""Load comes from processes of its own: a plan per line goes in, a result per line comes out."""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.work import Plan, Result
from serve_app.cli.processes import MARK, stop_child

# Streams of one pace that begin together would ask for the CPU in the same instants for ever.
_RAMP_S = 0.1

One = Callable[[Plan, Result], Awaitable[None]]
"""Does one piece of a plan's work and notes what came of it."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The parent's end."""

    mark: str
    plans: IO[str]
    results: IO[str]

    def run(self, plan: Plan) -> Result:
        """Returns when the plan is done; ConnectionError when the worker has died."""
        print(plan.to_json(), file=self.plans, flush=True)
        return Result.from_json(self._line())

    def wait(self) -> None:
        """Until it can take plans."""
        self._line()

    def _line(self) -> str:
        if line := self.results.readline():
            return line
        raise ConnectionError(f"the worker {self.mark} has ended")


@contextmanager
def worker(mark: str, log: Path, module: str, *arguments: str) -> Generator[Worker]:
    """Start a module that calls `serve_plans`."""
    # Results have a pipe to themselves: libraries print to the standard output.
    reading, writing = os.pipe()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(writing), *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            pass_fds=(writing,),
            env={**os.environ, MARK: mark},
        )
    os.close(writing)
    assert process.stdin
    try:
        with process.stdin as plans, os.fdopen(reading) as results:
            found = Worker(mark, plans, results)
            found.wait()
            yield found
    finally:
        stop_child(process, grace_s=5)


async def serve_plans(one: One) -> None:
    """The child's end: say that it is ready, then work off plans until the parent leaves."""
    gc.collect()
    gc.freeze()
    with os.fdopen(int(sys.argv[1]), "w") as results:
        print("ready", file=results, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            result = await _work_off(Plan.from_json(line), one)
            print(result.to_json(), file=results, flush=True)


async def _work_off(plan: Plan, one: One) -> Result:
    result = Result()
    began, spent = time.perf_counter(), time.process_time()

    async def stream(number: int) -> None:
        await asyncio.sleep(_RAMP_S * number / plan.streams)
        while True:
            await one(plan, result)
            if time.perf_counter() - began >= plan.seconds:
                return

    async with asyncio.TaskGroup() as group:
        for number in range(plan.streams):
            group.create_task(stream(number))
    result.seconds, result.cpu_s = time.perf_counter() - began, time.process_time() - spent
    return result
