"""Child processes that never outlive us: each dies with its parent and is known by a mark in its environment."""

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "POLYPHONY_STACK"
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port that was free on the loopback a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spawn(
    command: Sequence[str], *, env: Mapping[str, str], log: Path, on_parent_death: signal.Signals = signal.SIGTERM
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, its output appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with_parent(on_parent_death),
        )


def marked(mark: str) -> list[psutil.Process]:
    """Every living process whose environment bears our mark, this one left out."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def stop(processes: Sequence[psutil.Process], *, grace_s: float, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask processes to end, and make those end that have not after `grace_s` seconds."""
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(by)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def _dies_with_parent(by: signal.Signals) -> Callable[[], None] | None:
    if not Path("/proc/self").exists():
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(by))
