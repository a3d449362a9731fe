"""What a chat engine is asked and what it answers."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from deployments.contracts.errors import AppError

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called; `arguments` is the text of one JSON object."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function on offer; `parameters` is a JSON schema, which binds the model only when `strict`."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    strict: bool = False


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The one tool that must be called."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class Sampling:
    """None leaves a value to the model's own default; `max_tokens` counts new tokens."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class JsonSchema:
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: str


Structure = JsonSchema | Choice | Regex


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One completion. Requests share cached prefixes only if their `cache_salt` is the same."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    sampling: Sampling = Sampling()
    structure: Structure | None = None
    thinking: bool | None = None
    cache_salt: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; `cached_tokens` of the prompt came from the prefix cache."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Spent:
    """The meter so far. It precedes the deltas it covers, so that a reader who leaves has been counted."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finish:
    """Always the last event."""

    reason: FinishReason
    usage: Usage


EngineEvent = Spent | TextDelta | ReasoningDelta | ToolCall | Finish

Reply = tuple[EngineEvent, ...] | AppError
"""What a replica sends at once. Failures are values: Serve would log what is raised, and with it a user's words."""


class Chat(Protocol):
    """Anything that can continue a conversation: a client, an engine, a fake."""

    def generate(self, request: ChatRequest) -> AsyncGenerator[EngineEvent]:
        """Refusals (InvalidInput, NotSupported, Overloaded) are raised before the first event; closing it aborts."""
        ...
