"""The non-streaming answer is the streamed one, gathered."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from deployments.contracts.errors import ModelFailed
from serve_app.domain.events import ChatEvent, TurnFailed, TurnFinished


async def collect(events: AsyncGenerator[ChatEvent]) -> TurnFinished:
    """Read a turn to its end and close it; a failure is raised."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TurnFinished):
                return event
            if isinstance(event, TurnFailed):
                raise event.error
    raise ModelFailed("the model stopped without an end")
