"""What holds for every engine: the Chat contract."""

import anyio
import pytest

from deployments.chat.engine import Engine
from deployments.contracts.chat import Finish, Spent, TextDelta
from tests.engines.asking import ask, events, first_delta

pytestmark = pytest.mark.anyio


async def test_an_answer_ends_with_its_only_finish(chat: Engine) -> None:
    told = await events(chat, ask(max_tokens=20))
    assert [event for event in told if isinstance(event, Finish)] == told[-1:]


async def test_the_meter_runs_ahead_of_the_words(chat: Engine) -> None:
    told = await events(chat, ask(max_tokens=20))
    assert isinstance(told[0], Spent)
    meters = [event.usage for event in told if isinstance(event, Spent)]
    assert meters == sorted(meters, key=lambda usage: usage.completion_tokens)
    assert isinstance(told[-1], Finish)
    assert told[-1].usage == meters[-1]
    covered = deltas = 0
    for event in told:
        if isinstance(event, Spent):
            covered = event.usage.completion_tokens
        deltas += isinstance(event, TextDelta)
        assert deltas <= covered


async def test_leaving_frees_the_engine(chat: Engine) -> None:
    stream = chat.generate(ask(max_tokens=1000))
    await first_delta(stream)
    assert chat.stats()["running"] == 1
    await stream.aclose()
    assert chat.stats()["running"] == 0


async def test_cancelling_the_reader_frees_the_engine(chat: Engine) -> None:
    async def read() -> None:
        async for event in chat.generate(ask(max_tokens=1000)):
            if isinstance(event, TextDelta):
                started.set()

    started = anyio.Event()
    async with anyio.create_task_group() as readers:
        readers.start_soon(read)
        await started.wait()
        readers.cancel_scope.cancel()
    assert chat.stats()["running"] == 0


async def test_several_answers_at_a_time(chat: Engine) -> None:
    finished: list[Finish] = []

    async def read() -> None:
        told = await events(chat, ask(max_tokens=20))
        assert isinstance(told[-1], Finish)
        finished.append(told[-1])

    async with anyio.create_task_group() as readers:
        for _ in range(8):
            readers.start_soon(read)
    assert len(finished) == 8


async def test_it_is_well_and_says_what_it_is(chat: Engine) -> None:
    await chat.check_health()
    assert chat.describe()["context_length"] > 0
