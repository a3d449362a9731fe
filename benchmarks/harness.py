"""Rounds: every contender in turn, the same load, the CPU of all its processes before and after."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cpu import Clock
from benchmarks.figures import calmest
from benchmarks.work import Plan, Result, Work
from benchmarks.worker import Worker

_DISTURBED = 0.25


@dataclass(frozen=True, slots=True)
class Contender:
    """All its processes bear its mark; `job` tells its worker how to ask for some work.

    What answers behind a gateway bears the mark `behind`, and is not counted as its own.
    """

    name: str
    mark: str
    worker: Worker
    job: Callable[[Work], dict[str, Any]]
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    work: Work
    streams: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Window:
    """One contender under one load; `others` is the share of the machine that neither it nor its load took."""

    result: Result
    cpu_s: float
    others: float

    @property
    def cpu_ms_per_answer(self) -> float:
        return self.cpu_s * 1e3 / self.result.answers

    @property
    def cpu_us_per_token(self) -> float:
        return self.cpu_s * 1e6 / self.result.tokens

    @property
    def answers_per_s(self) -> float:
        return self.result.answers / self.result.seconds

    @property
    def tokens_per_s(self) -> float:
        return self.result.tokens / self.result.seconds


Rounds = Mapping[str, Sequence[Window]]
"""By contender, in the order of the rounds."""


def measure(contender: Contender, load: Load) -> Window:
    """RuntimeError when answers failed: a figure of broken answers means nothing."""
    plan = Plan(contender.job(load.work), load.streams, load.seconds)
    before, behind_before = Clock.read(contender.mark), Clock.read(contender.behind)
    result = contender.worker.run(plan)
    after, behind_after = Clock.read(contender.mark), Clock.read(contender.behind)
    if result.failures or not result.answers:
        raise RuntimeError(f"{contender.name}: {result.failures} of {result.failures + result.answers} answers failed")
    spent = after.since(before)
    ours = spent + behind_after.since(behind_before)
    if contender.worker.mark != contender.mark:
        ours += result.cpu_s
    others = (after.machine_s - before.machine_s - ours) / (result.seconds * (os.cpu_count() or 1))
    return Window(result, spent, max(0.0, others))


def interleave(
    contenders: Sequence[Contender], load: Load, rounds: int, tell: Callable[[str], None] = lambda _: None
) -> Rounds:
    """`rounds` calm rounds, or the calmest of half as many again; each begins with another contender."""
    for contender in contenders:
        tell(f"warming up {contender.name}")
        measure(contender, Load(load.work, load.streams, load.seconds / 2))
    done: list[dict[str, Window]] = []
    while len(done) < rounds * 3 / 2 and sum(_noise(one) < _DISTURBED for one in done) < rounds:
        tell(f"round {len(done) + 1}")
        first = len(done) % len(contenders)
        done.append({each.name: measure(each, load) for each in (*contenders[first:], *contenders[:first])})
    kept = calmest([_noise(one) for one in done], rounds)
    return {each.name: [done[index][each.name] for index in kept] for each in contenders}


def idle(contenders: Sequence[Contender], seconds: float) -> dict[str, float]:
    """CPU milliseconds a second that each takes with nothing to do, all at the same time; figures include them."""
    before = {each.name: Clock.read(each.mark) for each in contenders}
    time.sleep(seconds)
    return {each.name: Clock.read(each.mark).since(before[each.name]) * 1e3 / seconds for each in contenders}


def noise(*measured: Rounds) -> str:
    """How much of the machine others took, to be told beside every figure."""
    shares = [window.others for rounds in measured for windows in rounds.values() for window in windows]
    return f"Others took {min(shares):.0%} to {max(shares):.0%} of the machine during the windows."


def _noise(one: Mapping[str, Window]) -> float:
    return max(window.others for window in one.values())
