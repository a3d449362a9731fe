"""Engines whose pace is known, so that what is measured is everything else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.chat import ChatRequest, EngineEvent, Finish, Spent, TextDelta, Usage
from deployments.contracts.models import ModelSpec


class Pace(BaseModel):
    """`options` of a FixedPace engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    """Of each stream; None gives a stream all its tokens as fast as it takes them."""
    first_token_s: Annotated[float, Field(ge=0)] = 0
    tokens: Annotated[int, Field(ge=1)] = 64
    """Length of an answer, unless the request wants less."""
    text: str = "word "
    """Of each token."""


class FixedPace:
    """Says the same words at a fixed pace, whatever it is asked. A late token does not delay those after it."""

    def __init__(self, spec: ModelSpec) -> None:
        self._pace = Pace.model_validate(spec.options)
        self._running = 0

    async def generate(self, request: ChatRequest) -> AsyncIterator[EngineEvent]:
        """As many tokens as the request and the options allow."""
        pace, wished = self._pace, request.sampling.max_tokens
        tokens = pace.tokens if wished is None else min(pace.tokens, wished)
        step_s = 0 if pace.tokens_per_second is None else 1 / pace.tokens_per_second
        read = sum(len(message.content.split()) for message in request.messages)
        loop = asyncio.get_running_loop()
        self._running += 1
        try:
            due = loop.time() + pace.first_token_s
            for written in range(1, tokens + 1):
                if (wait := due - loop.time()) > 0 or not step_s:
                    await asyncio.sleep(max(0, wait))
                due += step_s
                yield Spent(Usage(read, written))
                yield TextDelta(pace.text)
            yield Finish("length" if tokens < pace.tokens else "stop", Usage(read, tokens))
        finally:
            self._running -= 1

    async def check_health(self) -> None:
        """It has nothing that could fail."""

    def describe(self) -> dict[str, Any]:
        """An endless context."""
        return {"context_length": 2**20, "tools": False, "reasoning": False}

    def stats(self) -> dict[str, float]:
        """Streams under way."""
        return {"running": float(self._running)}
