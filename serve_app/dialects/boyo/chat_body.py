"""boyoAI: the chat request. Fields beyond `messages` and `tools` are extensions, named as in OpenAI's API."""

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field

from deployments.contracts.chat import (
    JsonSchema,
    Message,
    NamedTool,
    Role,
    Sampling,
    Structure,
    Tool,
    ToolCall,
    ToolChoice,
)
from deployments.contracts.errors import InvalidInput
from serve_app.domain.turns import ChatAsk

T = TypeVar("T")
# Without these pydantic would describe each of a million wrong elements.
Few = Annotated[list[T], Field(max_length=128, fail_fast=True)]
Many = Annotated[list[T], Field(max_length=2048, fail_fast=True)]


class FunctionCallBody(BaseModel):
    name: str
    arguments: dict[str, Any] | str = Field(default_factory=dict)


class ToolCallBody(BaseModel):
    id: str | None = None
    function: FunctionCallBody


class MessageBody(BaseModel):
    role: Role
    content: str | None = None
    tool_calls: Few[ToolCallBody] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class FunctionBody(BaseModel):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolBody(BaseModel):
    type: Literal["function"] = "function"
    function: FunctionBody


class ChosenFunctionBody(BaseModel):
    name: str


class ChosenToolBody(BaseModel):
    type: Literal["function"] = "function"
    function: ChosenFunctionBody


class SchemaBody(BaseModel):
    schema_: dict[str, Any] = Field(alias="schema")


class FormatBody(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaBody | None = None


class ChatBody(BaseModel):
    messages: Many[MessageBody]
    tools: Few[ToolBody] | None = None
    tool_choice: Literal["auto", "none", "required"] | ChosenToolBody | None = None
    model: str | None = None
    stream: bool = True
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | Few[str] | None = None
    seed: int | None = None
    response_format: FormatBody | None = None
    enable_thinking: bool | None = None

    def to_ask(self) -> ChatAsk:
        return ChatAsk(
            messages=tuple(_messages(self.messages)),
            model=self.model,
            tools=tuple(_tool(tool.function) for tool in self.tools or ()),
            tool_choice=_choice(self.tool_choice),
            sampling=Sampling(
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                top_p=self.top_p,
                top_k=self.top_k,
                presence_penalty=self.presence_penalty,
                frequency_penalty=self.frequency_penalty,
                stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
                seed=self.seed,
            ),
            structure=_structure(self.response_format),
            thinking=self.enable_thinking,
        )


def _messages(bodies: list[MessageBody]) -> list[Message]:
    """boyoAI's tool results need no id: they answer the calls before them in order."""
    open_calls: list[str] = []
    messages: list[Message] = []
    for index, body in enumerate(bodies):
        calls = tuple(_call(call, index, number) for number, call in enumerate(body.tool_calls or ()))
        answered = body.tool_call_id
        if body.role == "assistant":
            open_calls = [call.id for call in calls]
        elif body.role == "tool":
            answered = answered or (open_calls[0] if open_calls else None)
            open_calls = [id_ for id_ in open_calls if id_ != answered]
        messages.append(Message(body.role, body.content or "", calls, answered, body.name))
    return messages


def _call(body: ToolCallBody, index: int, number: int) -> ToolCall:
    return ToolCall(body.id or f"call_{index}_{number}", body.function.name, _arguments(body.function.arguments, index))


def _arguments(given: dict[str, Any] | str, index: int) -> str:
    if isinstance(given, dict):
        return json.dumps(given, ensure_ascii=False)
    try:
        parsed: object = json.loads(given or "{}")
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidInput(f"messages[{index}].tool_calls: arguments must be a JSON object", param="messages")
    return given or "{}"


def _tool(body: FunctionBody) -> Tool:
    return Tool(body.name, body.description or "", body.parameters or {}, strict=bool(body.strict))


def _choice(body: Literal["auto", "none", "required"] | ChosenToolBody | None) -> ToolChoice:
    return NamedTool(body.function.name) if isinstance(body, ChosenToolBody) else body or "auto"


def _structure(body: FormatBody | None) -> Structure | None:
    match body:
        case None | FormatBody(type="text"):
            return None
        case FormatBody(type="json_schema", json_schema=SchemaBody() as given):
            return JsonSchema(given.schema_)
        case FormatBody(type="json_schema"):
            raise InvalidInput("response_format: json_schema.schema is missing", param="response_format")
        case _:
            return JsonSchema({"type": "object"})
