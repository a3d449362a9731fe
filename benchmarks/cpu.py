"""CPU time of everything a contender runs, and of the whole machine."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Self

import psutil

from serve_app.cli.processes import marked


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds of CPU so far, by process, and of the machine with what its host took from it."""

    by_process: dict[psutil.Process, float]
    machine_s: float

    @classmethod
    def read(cls, mark: str | None) -> Self:
        by_process: dict[psutil.Process, float] = {}
        for process in _family(marked(mark)) if mark else ():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            by_process[process] = times.user + times.system
        machine = psutil.cpu_times()
        return cls(by_process, sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice)

    def since(self, earlier: Self) -> float:
        """What the processes of the mark took; those that began in between with all they have."""
        return sum(spent - earlier.by_process.get(process, 0) for process, spent in self.by_process.items())


def _family(bearers: list[psutil.Process]) -> set[psutil.Process]:
    """With all descendants: Postgres's backends have sessions of their own, and overwrite their environment."""
    children: defaultdict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter(["ppid"]):
        children[process.info["ppid"]].append(process)
    found, further = set[psutil.Process](), bearers
    while further:
        found.update(further)
        further = [child for process in further for child in children[process.pid] if child not in found]
    return found
