import pytest
from pydantic import ValidationError

from deployments.contracts.chat import JsonSchema, Message, NamedTool, Sampling, Tool, ToolCall
from deployments.contracts.errors import InvalidInput
from serve_app.dialects.boyo.chat_body import ChatBody


def body(**fields: object) -> ChatBody:
    return ChatBody.model_validate({"messages": [{"role": "user", "content": "Hello!"}], **fields})


def test_the_documented_request() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    ask = body(
        messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello!"}],
        tools=[{"type": "function", "function": {"name": "w", "description": "d", "parameters": parameters}}],
    ).to_ask()
    assert ask.messages == (Message("system", "Be kind."), Message("user", "Hello!"))
    assert ask.tools == (Tool("w", "d", parameters),)
    assert (ask.tool_choice, ask.model, ask.sampling, ask.structure) == ("auto", None, Sampling(), None)


def test_tool_results_without_ids_answer_the_calls_in_order() -> None:
    calls = [{"function": {"name": name, "arguments": {"n": 1}}} for name in ("one", "two")]
    ask = body(
        messages=[
            {"role": "user", "content": "both"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "content": "1"},
            {"role": "tool", "content": "2"},
        ]
    ).to_ask()
    assert ask.messages[1].tool_calls == (
        ToolCall("call_1_0", "one", '{"n": 1}'),
        ToolCall("call_1_1", "two", '{"n": 1}'),
    )
    assert [message.tool_call_id for message in ask.messages[2:]] == ["call_1_0", "call_1_1"]


def test_tool_results_with_ids_keep_them() -> None:
    calls = [{"id": id_, "function": {"name": "f", "arguments": "{}"}} for id_ in ("a", "b")]
    ask = body(
        messages=[
            {"role": "assistant", "tool_calls": calls},
            {"role": "tool", "content": "2", "tool_call_id": "b"},
            {"role": "tool", "content": "1"},
        ]
    ).to_ask()
    assert [message.tool_call_id for message in ask.messages[1:]] == ["b", "a"]


@pytest.mark.parametrize("arguments", ["no json", "[1]", "[" * 100_000, '"text"'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    with pytest.raises(InvalidInput, match="must be a JSON object"):
        body(messages=[message]).to_ask()


def test_extensions() -> None:
    ask = body(
        model="m", tool_choice={"type": "function", "function": {"name": "f"}}, max_tokens=3, stop="x", seed=1,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    ).to_ask()  # fmt: skip
    assert (ask.model, ask.tool_choice) == ("m", NamedTool("f"))
    assert ask.sampling == Sampling(max_tokens=3, stop=("x",), seed=1)
    assert ask.structure == JsonSchema({"type": "object"})
    assert body(response_format={"type": "json_object"}).to_ask().structure == JsonSchema({"type": "object"})
    with pytest.raises(InvalidInput, match="schema is missing"):
        body(response_format={"type": "json_schema"}).to_ask()


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": None},
        {"messages": "hello"},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "user", "content": {"a": 1}}]},
        {"tools": {}},
        {"tools": [{"type": "web", "function": {"name": "f"}}]},
        {"tool_choice": "perhaps"},
        {"stream": "sometimes"},
        {"temperature": "warm"},
    ],
)
def test_wrong_types_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        body(**fields)
