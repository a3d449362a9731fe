"""How a command is asked to end: Ctrl-C, SIGTERM, or the terminal closing."""

import os
import select
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Raised wherever the main thread is."""


@contextmanager
def interruptible(hasten: Callable[[], None]) -> Generator[Callable[[], None]]:
    """The first signal raises Interrupted in the block; every further one calls `hasten` instead.

    Once the function it gives has been called, for the block has begun to end by itself, so does the first.
    """

    def first(_number: int, _frame: FrameType | None) -> None:
        _handle(again)
        raise Interrupted

    def again(_number: int, _frame: FrameType | None) -> None:
        hasten()

    before = {number: signal.getsignal(number) for number in _ENDING}
    _handle(first)
    try:
        yield lambda: _handle(again)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Terminal:
    """The one we were started from, if any: the kernel tells its closing to the first process alone, maybe `make`."""

    def __init__(self) -> None:
        self._poll = select.poll()
        if os.isatty(0):
            self._poll.register(0, 0)

    @property
    def is_closed(self) -> bool:
        return bool(self._poll.poll(0))


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in _ENDING:
        signal.signal(number, handler)
