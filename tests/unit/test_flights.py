import asyncio

import pytest

from deployments.contracts.errors import Unavailable
from serve_app.domain.flights import Flights

pytestmark = pytest.mark.anyio


async def test_askers_share_one_answer() -> None:
    flights: Flights[str, int] = Flights("test")
    asked = 0

    async def work() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked

    assert await asyncio.gather(*(flights.share("key", work) for _ in range(10))) == [1] * 10
    assert await flights.share("key", work) == 2


async def test_an_error_is_everyones_and_not_kept() -> None:
    flights: Flights[str, int] = Flights("test")

    async def fails() -> int:
        raise Unavailable("away")

    async def works() -> int:
        return 1

    answers = await asyncio.gather(*(flights.share("key", fails) for _ in range(3)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    assert await flights.share("key", works) == 1


@pytest.mark.timeout(10)
async def test_those_who_get_nothing_of_a_flight_take_the_next() -> None:
    """A flight brings one permit, and callers of every moment want one."""
    flights: Flights[str, None] = Flights("test")
    permits = 0

    async def renew() -> None:
        nonlocal permits
        await asyncio.sleep(0)
        permits = 1

    async def caller(delay: int) -> None:
        nonlocal permits
        for _ in range(delay):
            await asyncio.sleep(0)
        while not permits:
            await flights.share("key", renew)
        permits -= 1

    await asyncio.gather(*(caller(number % 13) for number in range(300)))
    assert permits == 0
