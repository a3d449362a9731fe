"""How a command fails: what broke, and the log that tells more."""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deployments.contracts.errors import AppError


class Failed(Exception):
    """A part of the stack failed; `log` is where to read more."""

    def __init__(self, cause: str, log: Path | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.log = log


@contextmanager
def blaming(log: Path | None) -> Generator[None]:
    """Errors of the block become Failed with this log."""
    try:
        yield
    except (AppError, OSError) as error:
        raise Failed(str(error), log) from error


def tail(log: Path, lines: int = 20) -> list[str]:
    """The last lines of a log, empty when there is none."""
    try:
        with log.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except OSError:
        return []
