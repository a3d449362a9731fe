"""requirements/setup.sh says what a machine lacks, and does nothing where nothing is lacking."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LOCKS = ("cpu.txt", "dev.txt", "uv.txt")
_TOOLS = ("sh", "cat", "cut", "dirname", "env", "flock", "grep", "rm", "sha256sum")


class Machine:
    """A checkout, and a PATH with nothing on it but the tools of every Debian and what a test puts there."""

    def __init__(self, path: Path) -> None:
        self.checkout = path / "checkout"
        self._bin = path / "bin"
        (self.checkout / "requirements").mkdir(parents=True)
        self._bin.mkdir()
        for name in (*_LOCKS, "setup.sh"):
            shutil.copy(_ROOT / "requirements" / name, self.checkout / "requirements")
        shutil.copy(_ROOT / "pyproject.toml", self.checkout)
        for tool in _TOOLS:
            found = shutil.which(tool)
            assert found
            (self._bin / tool).symlink_to(found)

    def add(self, name: str, script: str) -> None:
        program = self._bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self._bin), "HOME": str(self.checkout)}
        command = [str(self._bin / "sh"), "requirements/setup.sh", *arguments]
        return subprocess.run(command, env=env, cwd=self.checkout, capture_output=True, text=True, check=False)

    def stamp(self, *locks: str) -> str:
        parts = [*locks, "requirements/uv.txt", "pyproject.toml", "requirements/setup.sh"]
        content = b"".join((self.checkout / part).read_bytes() for part in parts)
        return f"{self.checkout} {hashlib.sha256(content).hexdigest()}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_user_without_rights_is_told_what_to_install(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    machine.add("apt-get", "echo must not run; exit 99")
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends python3.11 python3.11-venv libnuma1" in done.stderr
    assert "vLLM's CPU build places its memory with it" in done.stderr
    assert "must not run" not in done.stdout


def test_root_installs_what_is_missing_and_says_why(machine: Machine, tmp_path: Path) -> None:
    called = tmp_path / "called"
    machine.add("id", "echo 0")
    machine.add("apt-get", f'echo "$@" >>{called}')
    done = machine.setup()
    assert "python3.11: Polyphony runs on Python 3.11" in done.stderr
    assert "install -q -y --no-install-recommends python3.11 python3.11-venv libnuma1" in called.read_text()
    # This apt-get brings nothing, which is noticed.
    assert done.returncode == 1
    assert "still missing" in done.stderr


def test_sudo_is_used_where_it_asks_nothing(machine: Machine, tmp_path: Path) -> None:
    called = tmp_path / "called"
    machine.add("id", "echo 1000")
    machine.add("sudo", f'printf "%s\\n" "$*" >>{called}')
    machine.add("apt-get", "exit 99")
    machine.setup()
    assert "-n env DEBIAN_FRONTEND=noninteractive apt-get" in called.read_text()


def test_an_environment_that_is_up_to_date_is_left_alone(machine: Machine) -> None:
    python = machine.checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(shutil.which("true") or os.devnull)
    (machine.checkout / ".venv" / ".stamp-cpu").write_text(machine.stamp("requirements/cpu.txt"))
    done = machine.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # A changed lock makes it stale.
    with (machine.checkout / "requirements" / "cpu.txt").open("a") as lock:
        lock.write("# more\n")
    machine.add("id", "echo 1000")
    assert machine.setup().returncode == 1


def test_an_unknown_environment_is_refused(machine: Machine) -> None:
    done = machine.setup("gpu")
    assert (done.returncode, "unknown environment 'gpu'" in done.stderr) == (1, True)
