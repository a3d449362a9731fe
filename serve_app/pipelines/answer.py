"""One chat turn: the model's events become the turn's."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from deployments.contracts.chat import Chat, ChatRequest, Finish, ReasoningDelta, Spent, TextDelta, ToolCall
from serve_app.domain.events import ChatEvent, Timings, ToolCallRequested, TurnFinished
from serve_app.domain.turns import Turn


async def answer(turn: Turn, *, chat: Chat) -> AsyncGenerator[ChatEvent]:
    """Deltas as they come, then the calls that the caller must run, then `TurnFinished`."""
    began = time.monotonic()
    first_token_s: float | None = None
    text: list[str] = []
    reasoning: list[str] = []
    calls: list[ToolCall] = []
    async with aclosing(chat.generate(_request(turn))) as events:
        async for event in events:
            if first_token_s is None and not isinstance(event, Spent):
                first_token_s = time.monotonic() - began
            match event:
                case TextDelta():
                    text.append(event.text)
                    yield event
                case ReasoningDelta():
                    reasoning.append(event.text)
                    yield event
                case ToolCall():
                    calls.append(event)
                    yield ToolCallRequested(event)
                case Spent():
                    pass
                case Finish():
                    yield TurnFinished(
                        text="".join(text),
                        reasoning="".join(reasoning),
                        calls=tuple(calls),
                        reason=event.reason,
                        usage=event.usage,
                        timings=Timings(time.monotonic() - began, first_token_s),
                    )


def _request(turn: Turn) -> ChatRequest:
    ask, asker = turn.ask, turn.asker
    return ChatRequest(
        messages=ask.messages,
        tools=ask.tools,
        tool_choice=ask.tool_choice,
        sampling=ask.sampling,
        structure=ask.structure,
        thinking=ask.thinking,
        # A tenant must not learn from timing what another has asked.
        cache_salt=str(asker.principal.user_id),
        request_id=asker.request_id,
    )
