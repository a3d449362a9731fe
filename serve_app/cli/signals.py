"""How a command is asked to end: Ctrl-C, SIGTERM, or the terminal closing."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Raised wherever the main thread is."""


@contextmanager
def interruptible(hasten: Callable[[], None]) -> Generator[None]:
    """The first signal raises Interrupted in the block; every further one calls `hasten` instead."""

    def first(_number: int, _frame: FrameType | None) -> None:
        _handle(again)
        raise Interrupted

    def again(_number: int, _frame: FrameType | None) -> None:
        hasten()

    before = {number: signal.getsignal(number) for number in _ENDING}
    _handle(first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in _ENDING:
        signal.signal(number, handler)
