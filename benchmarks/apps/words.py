"""A FixedPace engine for those who do not speak its contract."""

from collections.abc import AsyncIterator

from benchmarks.engines import FixedPace
from deployments.contracts.chat import ChatRequest, Sampling, TextDelta


async def words(engine: FixedPace, count: int) -> AsyncIterator[str]:
    """So many tokens at the engine's pace."""
    async for event in engine.generate(ChatRequest((), sampling=Sampling(max_tokens=count))):
        if isinstance(event, TextDelta):
            yield event.text
