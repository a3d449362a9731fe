"""Batches: nothing lost, nothing late, and the source closed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deployments.chat.coalesce import coalesced, merged
from deployments.contracts.chat import EngineEvent, Finish, ReasoningDelta, Spent, TextDelta, ToolCall, Usage
from tests.engines.asking import ask, text_of
from tests.fakes.chat import ScriptedChat, Step, said

pytestmark = pytest.mark.anyio

FOR_EVER_S = 60.0


def played(*script: Step) -> AsyncIterator[EngineEvent]:
    return ScriptedChat(script).generate(ask())


async def test_what_comes_together_travels_together() -> None:
    batches = [batch async for batch in coalesced(played(*said("a", "b", "c")), every_s=FOR_EVER_S)]
    told = [event for batch in batches for event in batch]
    assert text_of(told) == "abc"
    assert isinstance(told[-1], Finish)
    assert all(isinstance(batch[0], Spent) for batch in batches)


async def test_the_first_token_and_the_end_do_not_wait() -> None:
    script = said(*"abcdef", pause_s=0.01)
    batches = [batch async for batch in coalesced(played(*script), every_s=FOR_EVER_S)]
    assert [text_of(batch) for batch in batches] == ["a", "bcdef"]


async def test_slow_tokens_are_not_held_back() -> None:
    script = said(*"abc", pause_s=0.05)
    batches = [text_of(batch) async for batch in coalesced(played(*script), every_s=0.005)]
    assert [text for text in batches if text] == ["a", "b", "c"]


async def test_a_failure_follows_what_was_said() -> None:
    heard: list[str] = []

    async def listen() -> None:
        async for batch in coalesced(played(Spent(Usage()), TextDelta("a"), ValueError("broke")), every_s=0.01):
            heard.append(text_of(batch))

    with pytest.raises(ValueError, match="broke"):
        await listen()
    assert heard == ["a"]


async def test_closing_closes_the_source() -> None:
    chat = ScriptedChat([TextDelta("a"), FOR_EVER_S])
    stream = coalesced(chat.generate(ask()), every_s=0.01)
    await anext(stream)
    assert chat.running == 1
    await stream.aclose()
    assert (chat.running, chat.aborted) == (0, 1)


async def test_cancelling_closes_the_source() -> None:
    chat = ScriptedChat([TextDelta("a"), FOR_EVER_S])
    stream = coalesced(chat.generate(ask()), every_s=0.01)
    await anext(stream)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.01)
    assert (chat.running, chat.aborted) == (0, 1)


def test_neighbours_of_a_kind_become_one() -> None:
    call, end = ToolCall("call_1", "f", "{}"), Finish("tool_calls", Usage(1, 5))
    events: list[EngineEvent] = [
        Spent(Usage(1, 1)),
        ReasoningDelta("hm"),
        ReasoningDelta(", "),
        Spent(Usage(1, 3)),
        TextDelta("a"),
        TextDelta("b"),
        call,
        TextDelta("c"),
        end,
    ]
    assert merged(events) == (
        Spent(Usage(1, 3)),
        ReasoningDelta("hm, "),
        TextDelta("ab"),
        call,
        TextDelta("c"),
        end,
    )
