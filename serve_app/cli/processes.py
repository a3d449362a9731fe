"""Child processes that never outlive us: each dies with its parent and is known by a mark in its environment."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from deployments.contracts.errors import Conflict

MARK = "POLYPHONY_STACK"
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port that was free on the loopback a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def refuse_taken_port(host: str, port: int) -> None:
    """Conflict when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Conflict(f"port {port} of {host} is in use: end what listens there, or set POLYPHONY_PORT") from error


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
    """Every living process whose environment bears our mark, and its session with it; this one left out.

    A process that renames itself may lose its environment, but not its session.
    """
    environments: dict[psutil.Process, str | None] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environments[process] = process.environ().get(MARK)
    sessions = {_session(process) for process, found in environments.items() if found == mark}
    sessions -= {os.getsid(0), None}
    return [
        process
        for process, found in environments.items()
        if process.pid != os.getpid() and (found == mark or _session(process) in sessions)
    ]


def stop(processes: Iterable[psutil.Process], *, grace_s: float, by: signal.Signals = signal.SIGTERM) -> None:
    """Ask processes to end, and make those end that have not after `grace_s` seconds."""
    asked = list(processes)
    for process in asked:
        with suppress(psutil.Error):
            process.send_signal(by)
    _, alive = psutil.wait_procs(asked, timeout=grace_s)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def stop_child(child: subprocess.Popen[bytes], *, grace_s: float, by: signal.Signals = signal.SIGTERM) -> None:
    """The same for one of our own, which is reaped as well."""
    child.send_signal(by)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _dies_with_parent(by: signal.Signals) -> Callable[[], None] | None:
    if not Path("/proc/self").exists():
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(by))
