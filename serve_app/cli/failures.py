"""How a command fails: what broke, and the log that tells more."""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from pydantic import ValidationError

from deployments.contracts.errors import AppError


class Failed(Exception):
    """A part of the stack failed; `log` is where to read more, `lines` are its last ones at that moment."""

    def __init__(self, cause: str, log: Path | None = None) -> None:
        super().__init__(cause)
        self.log = log
        self.lines = tail(log) if log else []


@contextmanager
def blaming(log: Path | None) -> Generator[None]:
    """Errors of the block become Failed with this log."""
    try:
        yield
    except (AppError, OSError) as error:
        raise Failed(str(error), log) from error


@contextmanager
def reported() -> Generator[None]:
    """Errors an operator can act on end the command with one line and exit status 1."""
    try:
        yield
    except ValidationError as error:
        # The input stays out of it: it may be a secret.
        wrong = "; ".join(f"POLYPHONY_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors())
        _end(f"the settings are wrong: {wrong}", error)
    except (AppError, OSError) as error:
        _end(str(error), error)


def _end(message: str, error: Exception) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1) from error


def tail(log: Path, lines: int = 20) -> list[str]:
    """The last lines of a log, empty when there is none."""
    try:
        with log.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=lines)]
    except OSError:
        return []
