"""Children are found by their mark, end when asked, and ports are judged before anything starts."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.contracts.errors import Conflict
from serve_app.cli.processes import MARK, free_ports, marked, refuse_taken_port, spawn, stop, stop_child

# Its child drops its environment, as programs do that rename themselves.
_WITH_CHILD = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={})
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    stop(marked(str(tmp_path)), grace_s=0)


def _start(code: str, mark: str, log: Path) -> subprocess.Popen[bytes]:
    child = spawn([sys.executable, "-c", code], env={**os.environ, MARK: mark}, log=log)
    while "ready" not in log.read_text():
        assert child.poll() is None
    return child


def test_a_process_is_found_by_its_mark_and_others_by_its_session(mark: str, tmp_path: Path) -> None:
    child = _start(_WITH_CHILD, mark, tmp_path / "log")
    found = marked(mark)
    assert len(found) == 2
    assert child.pid in {process.pid for process in found}
    assert marked("another") == []
    stop(found, grace_s=5)
    child.wait()
    assert marked(mark) == []


def test_this_process_is_never_among_the_marked(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unmarked = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        monkeypatch.setenv(MARK, mark)
        bearing = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        found = {process.pid for process in marked(mark)}
        assert bearing.pid in found
        assert not found & {os.getpid(), unmarked.pid}
    finally:
        unmarked.kill()
        bearing.kill()
        unmarked.wait()
        bearing.wait()


def test_who_does_not_end_is_made_to(mark: str, tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    child = _start(stubborn, mark, tmp_path / "log")
    stop_child(child, grace_s=0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_child_dies_with_its_parent(mark: str, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from serve_app.cli.processes import spawn;"
        "spawn([sys.executable, '-c', 'import time; time.sleep(60)'],"
        f"      env=dict(os.environ), log=Path({str(tmp_path)!r}) / 'child');"
        "print('ready', flush=True); import time; time.sleep(60)"
    )
    parent = _start(code, mark, tmp_path / "log")
    children = psutil.Process(parent.pid).children()
    assert children
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Conflict, match="in use"):
            refuse_taken_port("127.0.0.1", port)
    refuse_taken_port("127.0.0.1", port)
