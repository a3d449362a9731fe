"""Waiting for what other tasks and processes do."""

import asyncio
from collections.abc import Awaitable, Callable

_GIVE_UP_S = 30


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns when `holds` does; fails the test when it never does."""
    async with asyncio.timeout(_GIVE_UP_S):
        while not await holds():  # noqa: ASYNC110 - no event of ours tells
            await asyncio.sleep(0.02)
