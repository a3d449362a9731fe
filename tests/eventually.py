"""Waiting for what other tasks and processes do."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_GIVE_UP_S = 30


async def eventually(holds: Callable[[], Awaitable[bool]], *, within_s: float = _GIVE_UP_S) -> None:
    """Returns when `holds` does; fails the test when it does not."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110 - no event of ours tells
            await asyncio.sleep(0.02)


async def well_inside_a_window(window_s: int, *, spare_s: float) -> None:
    """Returns when the clock window of `window_s` seconds lasts for `spare_s` more, so that a test fits into it."""
    left = window_s - time.time() % window_s
    if left < spare_s:
        await asyncio.sleep(left)
