"""Chat: admit a turn, answer it, meter it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from deployments.contracts.chat import Chat, ChatRequest, EngineEvent, Spent, Usage
from deployments.contracts.errors import AppError, ModelFailed, Unauthenticated
from serve_app.auth.authenticator import Authenticator
from serve_app.domain.events import ChatEvent, TurnFailed, TurnFinished, TurnStarted
from serve_app.domain.principals import Asker
from serve_app.domain.turns import ChatAsk, Turn
from serve_app.domain.usage import Outcome
from serve_app.pipelines.answer import answer
from serve_app.services.asks import check
from serve_app.services.limits import Limits
from serve_app.services.metrics import Metrics
from serve_app.services.usage.meter import Meter
from serve_app.services.usage.reading import Reading

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ChatModels(Protocol):
    """Where chat models are found."""

    def chat(self, model: str | None) -> tuple[str, Chat]:
        """The id and client of a model, or of the default; NotFound for an unknown id."""
        ...


@dataclass(frozen=True)
class ChatService:
    models: ChatModels
    limits: Limits
    meter: Meter
    metrics: Metrics
    authenticator: Authenticator

    async def open(self, asker: Asker, ask: ChatAsk) -> Turn:
        """Refuse here or promise an answer: the ask makes sense, the model exists, the quota is not spent."""
        check(ask)
        model, _ = self.models.chat(ask.model)
        await self.limits.quota(asker.principal)
        return Turn(asker, ask, model)

    async def stream(self, turn: Turn) -> AsyncGenerator[ChatEvent]:
        """The turn's events. A failure before the first is raised, one after it is the last event."""
        _, chat = self.models.chat(turn.model)
        reading = self.meter.open(turn.asker, ability="chat", model=turn.model)
        metered = _Metered(chat, reading)
        credential = _Credential()
        unwatch = self.authenticator.watch(turn.asker.principal, credential.revoke)
        outcome: Outcome = "left"
        started = False
        try:
            with self.metrics.running(turn.model):
                async with aclosing(answer(turn, chat=metered)) as events:
                    while (event := await credential.while_valid(anext(events, None))) is not None:
                        if isinstance(event, TurnFinished):
                            outcome = "finished"
                            self.metrics.first_token(turn.model, event.timings.first_token_s)
                        if not started:
                            started = True
                            yield TurnStarted(turn)
                        yield event
        except AppError as error:
            outcome = "revoked" if credential.revoked else "failed"
            if not started:
                raise
            yield TurnFailed(error)
        except Exception as error:
            outcome = "failed"
            _log.exception("turn broke", extra={"request_id": turn.asker.request_id, "model": turn.model})
            failure = ModelFailed(f"model {turn.model!r} failed")
            if not started:
                raise failure from error
            yield TurnFailed(failure)
        finally:
            unwatch()
            reading.close(outcome)
            self.metrics.turn(turn.model, outcome, metered.usage)


class _Credential:
    """Ends what is awaited on the strength of a credential as soon as that is revoked."""

    def __init__(self) -> None:
        self.revoked = False
        self._waiting: asyncio.Task[Any] | None = None

    def revoke(self) -> None:
        self.revoked = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def while_valid(self, awaited: Awaitable[T]) -> T:
        """What is awaited; Unauthenticated once the credential is revoked."""
        if self.revoked:
            raise _revoked()
        self._waiting = asyncio.current_task()
        try:
            return await awaited
        except asyncio.CancelledError:
            # It may be that somebody else, too, wants this task to end.
            if not self.revoked or self._waiting is None or self._waiting.uncancel() > 0:
                raise
            raise _revoked() from None
        finally:
            self._waiting = None


def _revoked() -> Unauthenticated:
    return Unauthenticated("this credential was revoked")


class _Metered:
    """A Chat whose meter readings are noted before the deltas they cover are passed on."""

    def __init__(self, chat: Chat, reading: Reading) -> None:
        self._chat = chat
        self._reading = reading
        self.usage = Usage()

    async def generate(self, request: ChatRequest) -> AsyncGenerator[EngineEvent]:
        before = self.usage
        async with aclosing(self._chat.generate(request)) as events:
            async for event in events:
                if isinstance(event, Spent):
                    if self.usage.completion_tokens == 0:
                        self._reading.first_output()
                    self.usage = _sum(before, event.usage)
                    self._reading.spent(self.usage)
                yield event


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.cached_tokens + other.cached_tokens,
    )
