"""The data folder of one installation: what lies where, who uses it, and the note that says how to reach it."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from deployments.contracts.errors import Conflict


@dataclass(frozen=True, slots=True)
class State:
    """Where a running stack is reached; `database_url` holds a password."""

    pid: int
    base_url: str
    database_url: str
    milvus_uri: str
    ray_address: str


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Only one process at a time may start servers on it, and holds its lock as long as they run."""

    path: Path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def milvus(self) -> Path:
        return self.path / "milvus"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def ray_token(self) -> Path:
        return self.path / "ray-token"

    @property
    def mark(self) -> str:
        """What the environment of every process of the stack bears."""
        return str(self.path)

    @property
    def run(self) -> Path:
        """Sockets and Ray's session: /tmp keeps their paths short enough for the kernel's 107 bytes."""
        return Path("/tmp") / f"polyphony-{hashlib.sha256(f'{os.geteuid()}:{self.path}'.encode()).hexdigest()[:8]}"

    @contextmanager
    def hold(self) -> Generator[None]:
        """Take the lock, or Conflict when somebody keeps it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock.open("a") as file:
            if not _locked(file, patience_s=1):
                raise Conflict(f"another polyphony command is at work on {self.path}")
            yield

    def prepare(self) -> None:
        """Make room for a new run and drop the logs of the last one; the lock must be held."""
        self.forget()
        for folder in (self.logs, self.run):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        if not self.ray_token.exists():
            _write_private(self.ray_token, secrets.token_urlsafe(32))

    def remember(self, state: State) -> None:
        _write_private(self._state, json.dumps(asdict(state), indent=2))

    def forget(self) -> None:
        self._state.unlink(missing_ok=True)

    def state(self) -> State | None:
        """The running stack's; None when there is none, or it is still starting."""
        with suppress(FileNotFoundError), self._lock.open("r") as file:
            if _locked(file, patience_s=0):
                return None
            state = State(**json.loads(self._state.read_text()))
            # Who has just taken the lock may not have cleared away what a killed run left.
            return state if psutil.pid_exists(state.pid) else None
        return None

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @property
    def _state(self) -> Path:
        return self.path / "state.json"


def _locked(file: IO[str], *, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def is_private(path: Path) -> bool:
    """Whether nobody else may read it."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text)
    draft.replace(path)
