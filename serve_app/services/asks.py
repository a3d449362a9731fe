"""What every dialect's chat request must fulfil before a model sees it."""

import re

from deployments.contracts.chat import Message, NamedTool, Sampling, Tool
from deployments.contracts.errors import InvalidInput
from serve_app.domain.turns import ChatAsk

_MAX_MESSAGES = 2048
_MAX_TOOLS = 128
_MAX_STOPS = 16
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check(ask: ChatAsk) -> None:
    """InvalidInput, naming the field, for an ask that no engine could answer."""
    if not ask.messages:
        raise InvalidInput("messages must not be empty", param="messages")
    if len(ask.messages) > _MAX_MESSAGES:
        raise InvalidInput(f"messages may be at most {_MAX_MESSAGES}", param="messages")
    for index, message in enumerate(ask.messages):
        _check_message(message, f"messages[{index}]")
    _check_tools(ask.tools)
    _check_choice(ask)
    _check_sampling(ask.sampling)


def _check_message(message: Message, at: str) -> None:
    if message.role in ("system", "user") and not message.content.strip():
        raise InvalidInput(f"{at}.content must not be empty", param=at)
    if message.tool_calls and message.role != "assistant":
        raise InvalidInput(f"{at}.tool_calls belong to assistant messages only", param=at)


def _check_tools(tools: tuple[Tool, ...]) -> None:
    if len(tools) > _MAX_TOOLS:
        raise InvalidInput(f"tools may be at most {_MAX_TOOLS}", param="tools")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if not _TOOL_NAME.fullmatch(tool.name):
            raise InvalidInput(f"tools[{index}]: a name is 1 to 64 letters, digits, '_', '-' or '.'", param="tools")
        if tool.name in seen:
            raise InvalidInput(f"tools[{index}]: the name {tool.name!r} is taken", param="tools")
        seen.add(tool.name)


def _check_choice(ask: ChatAsk) -> None:
    names = {tool.name for tool in ask.tools}
    if isinstance(ask.tool_choice, NamedTool):
        if ask.tool_choice.name not in names:
            raise InvalidInput(
                f"tool_choice names {ask.tool_choice.name!r}, which is not among tools", param="tool_choice"
            )
    elif ask.tool_choice == "required" and not names:
        raise InvalidInput("tool_choice 'required' needs tools", param="tool_choice")


def _check_sampling(sampling: Sampling) -> None:
    bounds: tuple[tuple[str, float | None, float, float], ...] = (
        ("temperature", sampling.temperature, 0, 2),
        ("top_p", sampling.top_p, 0, 1),
        ("top_k", sampling.top_k, -1, 1_000_000),
        ("presence_penalty", sampling.presence_penalty, -2, 2),
        ("frequency_penalty", sampling.frequency_penalty, -2, 2),
        ("max_tokens", sampling.max_tokens, 1, 10_000_000),
        ("seed", sampling.seed, -(2**63), 2**63 - 1),
    )
    for name, value, low, high in bounds:
        # The negated form also refuses NaN.
        if value is not None and not low <= value <= high:
            raise InvalidInput(f"{name} must be between {low} and {high}", param=name)
    if len(sampling.stop) > _MAX_STOPS or not all(sampling.stop):
        raise InvalidInput(f"stop is at most {_MAX_STOPS} strings, none of them empty", param="stop")
