"""A request as token ids: the checkpoint's chat template, safe from text that imitates its control tokens."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployments.contracts.chat import ChatRequest, Message, Tool, ToolCall
from deployments.contracts.errors import InvalidInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_THINK = "<think>"
_MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Unicode's noncharacters, one of which splits a forged control token while the template is rendered."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads; with `opens_reasoning` its first words are reasoning."""

    token_ids: list[int]
    opens_reasoning: bool


class PromptEncoder:
    """Renders and tokenizes requests; safe to call from several threads."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", *, context: int) -> None:
        from tokenizers import Tokenizer

        self._hf = tokenizer
        self._context = context
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state["truncation"] = state["padding"] = None
        self._whole = Tokenizer.from_str(json.dumps(state))
        control = {token["content"]: token["id"] for token in state["added_tokens"] if _is_control(token)}
        state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in control]
        self._plain = Tokenizer.from_str(json.dumps(state))
        self._control: dict[str, int] = control
        self._longest = max(map(len, tokenizer.get_vocab()))
        longest_first = sorted(map(re.escape, control), key=len, reverse=True)
        self._pattern = re.compile(f"({'|'.join(longest_first)})") if control else None

    def encode(self, request: ChatRequest) -> Prompt:
        """Raises InvalidInput where the template refuses the messages, or where they leave no room for an answer."""
        try:
            messages = [_message(message) for message in request.messages]
            tools = [_tool(tool) for tool in request.tools] if request.tool_choice != "none" else []
            given = json.dumps((messages, tools), ensure_ascii=False)
            if self._pattern is None or not self._pattern.search(given):
                text = self._checked(self._render(messages, tools, request.thinking))
                ids = self._whole.encode(_unicode(text), add_special_tokens=False).ids
            else:
                mark = next((mark for mark in _MARKS if mark not in given), None)
                if mark is None:
                    raise InvalidInput("messages hold too many Unicode noncharacters", param="messages")
                split = self._pattern.sub(lambda token: f"{token[0][0]}{mark}{token[0][1:]}", given)
                text = self._checked(self._render(*json.loads(split), request.thinking))
                ids = self._encode_guarded(_unicode(text), mark)
        except RecursionError:
            raise InvalidInput("messages are nested too deeply", param="messages") from None
        if len(ids) >= self._context:
            raise self._too_long(f"{len(ids)}")
        return Prompt(ids, opens_reasoning=text.rstrip().endswith(_THINK))

    def _checked(self, text: str) -> str:
        """No token is longer than the vocabulary's longest, so what is far too long need not be tokenized.

        Half of the text at most are marks of ours.
        """
        if len(text) // 2 > self._context * self._longest:
            raise self._too_long(f"over {self._context}")
        return text

    def _too_long(self, tokens: str) -> InvalidInput:
        message = f"messages take {tokens} tokens; together with the answer the model has {self._context}"
        return InvalidInput(message, param="messages")

    def _render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], thinking: bool | None) -> str:
        from jinja2 import TemplateError

        options = {} if thinking is None else {"enable_thinking": thinking}
        try:
            rendered = self._hf.apply_chat_template(
                messages, tools=tools or None, tokenize=False, add_generation_prompt=True, **options
            )
        except TemplateError as error:
            raise InvalidInput(f"the model's chat template refuses the messages: {error}", param="messages") from None
        return str(rendered)

    def _encode_guarded(self, text: str, mark: str) -> list[int]:
        """Whole control tokens are the template's own; those that were split are the users' words."""
        assert self._pattern is not None
        ids: list[int] = []
        for part in self._pattern.split(text):
            if (control := self._control.get(part)) is not None:
                ids.append(control)
            elif part:
                ids += self._plain.encode(part.replace(mark, ""), add_special_tokens=False).ids
        return ids


def _is_control(token: dict[str, Any]) -> bool:
    """Special tokens and tags such as <tool_call>, but not the runs of blanks that some vocabularies add."""
    content = token["content"]
    tag = content.startswith("<") and content.endswith(">")
    return len(content) > 1 and (token["special"] or tag) and json.dumps(content, ensure_ascii=False)[1:-1] == content


def _unicode(text: str) -> str:
    """JSON can spell lone surrogates, which no tokenizer knows."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        wire["name"] = message.name
    return wire


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": _arguments(call.arguments)}}


def _arguments(text: str) -> Any:
    """Templates want an object; what is none, or nests too deeply to be read, is shown as it stands."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }
