"""The one stream: what happens in a turn, in the order it happens."""

from dataclasses import dataclass

from deployments.contracts.chat import FinishReason, ReasoningDelta, TextDelta, ToolCall, Usage
from deployments.contracts.errors import AppError
from serve_app.domain.turns import Turn


@dataclass(frozen=True, slots=True)
class TurnStarted:
    turn: Turn


@dataclass(frozen=True, slots=True)
class ToolCallRequested:
    """The caller must run it; the turn ends."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the turn was admitted; `first_token_s` is None when there was none."""

    total_s: float
    first_token_s: float | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The last event of a turn that went well; it carries everything, so that no renderer counts."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    reason: FinishReason
    usage: Usage
    timings: Timings


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The last event of a turn that broke after it had started."""

    error: AppError


ChatEvent = TurnStarted | ReasoningDelta | TextDelta | ToolCallRequested | TurnFinished | TurnFailed
