"""Journal files. Each is locked by the process that writes it; a lock that is free means its owner is gone."""

import fcntl
import os
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from serve_app.domain.usage import UsageRecord

PATTERN = "*.jsonl"
_GONE = -1


class Segment:
    """One file: readings that began in it are journalled in it to their end, so it can be read by itself."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = 0
        self.begun = 0
        """Readings so far; also the number of the next one."""
        self.open = 0
        self.unbooked: deque[UsageRecord] = deque()
        self.whole = True
        """Whether the file tells all that memory knows."""
        self._fd = fd
        self._dirty = False

    @classmethod
    def create(cls, folder: Path) -> "Segment":
        """A new file with a name that sorts by age. OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            path = folder / f"{time.time_ns():020d}-{uuid4().hex[:8]}.jsonl"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # A sweeper may have found the file before we locked it, and taken it for a dead replica's.
            if _lock(fd) and _linked(fd):
                return cls(path, fd)
            os.close(fd)

    def append(self, line: bytes) -> None:
        """It survives the death of this process, and once synced that of the machine. OSError: it is not whole."""
        written = os.write(self._fd, line)
        self.size += written
        self._dirty = True
        if written != len(line):
            raise OSError("the disk took only a part of the line")

    def sync(self) -> None:
        """Called in a thread; the descriptor is our own copy, for the segment may be deleted meanwhile."""
        if not self._dirty or self._fd == _GONE:
            return
        self._dirty = False
        fd = os.dup(self._fd)
        try:
            os.fdatasync(fd)
        except OSError:
            self._dirty = True
            raise
        finally:
            os.close(fd)

    @property
    def idle(self) -> bool:
        """Whether all that began in it is on the books."""
        return self.open == 0 and not self.unbooked

    def empty(self) -> None:
        """Only when idle."""
        if self.size:
            os.ftruncate(self._fd, 0)
            self.size = 0

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave the file to whoever sweeps."""
        fd, self._fd = self._fd, _GONE
        if fd != _GONE:
            os.close(fd)


@contextmanager
def claimed(path: Path) -> Generator[bool]:
    """Whether the file is ours for now: it is there, and its owner is not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(fd) and _linked(fd)
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _linked(fd: int) -> bool:
    return os.fstat(fd).st_nlink > 0
