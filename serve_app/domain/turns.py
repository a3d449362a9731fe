"""One exchange of a conversation: what is asked, and the promise to answer it."""

from dataclasses import dataclass, field

from deployments.contracts.chat import Message, Sampling, Structure, Tool, ToolChoice
from serve_app.domain.principals import Asker


@dataclass(frozen=True, slots=True)
class ChatAsk:
    """A chat request in the house's words; `model` None means the default."""

    messages: tuple[Message, ...]
    model: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    structure: Structure | None = None
    thinking: bool | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """An ask that was admitted: permission, quota and model are settled."""

    asker: Asker
    ask: ChatAsk
    model: str
