"""The supervisor on real servers: it starts, stops, and starts again whatever happened to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from rich.console import Console

from serve_app.cli.folder import DataFolder, State
from serve_app.cli.processes import marked, stop
from serve_app.cli.progress import Progress
from serve_app.cli.up import supervise
from serve_app.settings import Settings

_ROOT = Path(__file__).parents[2]


class Supervisor:
    """`polyphony up` on one data folder; as root in a network namespace of its own, for Ray listens widely."""

    def __init__(self, path: Path, *, broken: bool = False) -> None:
        self.folder = DataFolder(path / "data")
        self._output = path / "output"
        self._config = path / "serve.yaml"
        application = {"import_path": "tests.integration.stand_in.graph:build", "args": {"broken": broken}}
        self._config.write_text(yaml.safe_dump({"applications": [{"name": "hello", **application}]}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.stand_in.up"]
        if os.geteuid() == 0:
            command = ["unshare", "-n", *command, "--alone"]
        env = {**os.environ, "PYTHONPATH": str(_ROOT), "POLYPHONY_CONFIG": str(self._config)}
        env["POLYPHONY_DATA_DIR"] = str(self.folder.path)
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(command, env=env, cwd=_ROOT, stdout=output, stderr=output)
        return self.process

    def started(self) -> State:
        process = self.start()
        while (state := self.folder.state()) is None:
            assert process.poll() is None, self.output
            time.sleep(0.1)
        return state

    def left(self) -> list[psutil.Process]:
        return marked(self.folder.mark)

    @property
    def output(self) -> str:
        return self._output.read_text()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    yield supervisor
    if supervisor.process:
        supervisor.process.kill()
        supervisor.process.wait()
    stop(supervisor.left(), grace_s=0)


def test_it_starts_again_after_a_kill_and_leaves_nothing_when_stopped(supervisor: Supervisor) -> None:
    supervisor.started()
    process = supervisor.process
    assert process
    assert "password" in supervisor.output
    assert {"postgres", "haproxy"} <= {found.name() for found in supervisor.left()}
    process.kill()
    process.wait()
    state = supervisor.started()
    process = supervisor.process
    assert state.pid == process.pid
    # The first admin of the first run is still there.
    assert supervisor.output.count("shown only now") == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, supervisor.output
    assert supervisor.left() == []
    assert supervisor.folder.state() is None
    assert not (supervisor.folder.path / "state.json").exists()


def test_a_part_that_dies_ends_all_and_is_named(supervisor: Supervisor) -> None:
    supervisor.started()
    (milvus,) = [found for found in supervisor.left() if "milvus_lite" in " ".join(found.cmdline())]
    milvus.kill()
    assert supervisor.process
    assert supervisor.process.wait() == 1
    assert "error: Milvus ended unexpectedly" in supervisor.output
    assert supervisor.left() == []


def test_a_graph_that_cannot_run_ends_all_and_says_why(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, broken=True)
    assert supervisor.start().wait() == 1
    assert "the weights are spoilt" in supervisor.output
    assert supervisor.left() == []


def test_a_second_one_on_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.hold():
        assert supervise(Settings(data_dir=folder.path), Progress(Console(width=500))) == 1
    assert "at work on" in capsys.readouterr().out


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = Settings(data_dir=tmp_path / "data", port=server.getsockname()[1])
        assert supervise(settings, Progress(Console(width=500))) == 1
    assert "POLYPHONY_PORT" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["lock"]
