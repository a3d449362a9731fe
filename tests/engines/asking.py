"""Short ways to ask an engine and to look at its answer."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from deployments.contracts.chat import (
    Chat,
    ChatRequest,
    EngineEvent,
    Finish,
    Message,
    ReasoningDelta,
    Sampling,
    TextDelta,
    Tool,
    ToolCall,
)

WEATHER = Tool(
    "get_weather",
    "The weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
)


def ask(*texts: str, **wishes: Any) -> ChatRequest:
    """A request of user messages; sampling values may be given by name."""
    sampling = {name: wishes.pop(name) for name in list(wishes) if name in Sampling.__dataclass_fields__}
    messages = tuple(Message("user", text) for text in texts or ("Hello!",))
    return ChatRequest(messages, sampling=Sampling(**{"seed": 1, **sampling}), **wishes)


async def events(chat: Chat, request: ChatRequest) -> list[EngineEvent]:
    return [event async for event in chat.generate(request)]


async def answer(chat: Chat, request: ChatRequest) -> tuple[str, Finish]:
    told = await events(chat, request)
    assert isinstance(told[-1], Finish)
    return text_of(told), told[-1]


def text_of(told: Iterable[EngineEvent]) -> str:
    return "".join(event.text for event in told if isinstance(event, TextDelta))


def reasoning_of(told: Iterable[EngineEvent]) -> str:
    return "".join(event.text for event in told if isinstance(event, ReasoningDelta))


def calls_of(told: Iterable[EngineEvent]) -> list[ToolCall]:
    return [event for event in told if isinstance(event, ToolCall)]


async def first_delta(stream: AsyncIterator[EngineEvent]) -> EngineEvent:
    async for event in stream:
        if isinstance(event, TextDelta | ReasoningDelta):
            return event
    raise AssertionError("the stream ended without a delta")
