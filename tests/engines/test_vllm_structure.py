"""Answers that follow a grammar, and tools that must be called."""

import json
import re
from typing import Any

import pytest

from deployments.chat.vllm import VllmEngine
from deployments.contracts.chat import Choice, JsonSchema, Message, NamedTool, Regex, Structure, Tool
from deployments.contracts.errors import InvalidInput
from tests.engines.asking import WEATHER, answer, ask, calls_of, events, reasoning_of, text_of

pytestmark = pytest.mark.anyio

CLOCK = Tool("current_time", "", {"type": "object", "properties": {"utc": {"type": "boolean"}}, "required": ["utc"]})


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _is_weather(arguments: str) -> bool:
    value: dict[str, Any] = json.loads(arguments)
    return set(value) == {"city", "days"} and isinstance(value["city"], str) and isinstance(value["days"], int)


async def test_json_follows_its_schema(vllm: VllmEngine) -> None:
    text, finish = await answer(vllm, ask(structure=JsonSchema(WEATHER.parameters), max_tokens=200))
    assert _is_weather(text)
    assert finish.reason == "stop"


async def test_a_choice_is_one_of_its_options(vllm: VllmEngine) -> None:
    said = {
        (await answer(vllm, ask(structure=Choice(("yes", "no")), temperature=2.0, seed=seed)))[0] for seed in range(6)
    }
    assert said == {"yes", "no"}


async def test_a_regex_is_matched(vllm: VllmEngine) -> None:
    text, _ = await answer(vllm, ask(structure=Regex(r"[a-c]{3,5}-\d\d")))
    assert re.fullmatch(r"[a-c]{3,5}-\d\d", text)


@pytest.mark.parametrize(
    "structure",
    [
        JsonSchema({"type": "nonsense"}),
        JsonSchema({"$ref": "#/nowhere"}),
        JsonSchema({"$ref": "#"}),
        JsonSchema(nested(60)),
        JsonSchema(nested(2000)),
        JsonSchema({"enum": [f"option {number}" for number in range(20_000)]}),
        JsonSchema({"type": "number", "multipleOf": 7}),
        Regex("(("),
        Regex("\x00"),
        Choice(()),
    ],
)
async def test_a_structure_that_cannot_be_followed_is_refused(vllm: VllmEngine, structure: Structure) -> None:
    with pytest.raises(InvalidInput) as refused:
        await events(vllm, ask(structure=structure))
    assert refused.value.param == "structure"
    assert ".cc" not in refused.value.message


@pytest.mark.parametrize("seed", range(4))
async def test_a_required_tool_is_called(vllm: VllmEngine, seed: int) -> None:
    request = ask(tools=(WEATHER, CLOCK), tool_choice="required", max_tokens=600, seed=seed)
    told = await events(vllm, request)
    calls = calls_of(told)
    assert calls
    assert told[-1].reason == "tool_calls"
    assert text_of(told) == ""
    assert all(_is_weather(call.arguments) for call in calls if call.name == "get_weather")
    assert len({call.id for call in calls}) == len(calls)
    assert all(call.id.startswith("call_") for call in calls)


@pytest.mark.parametrize("seed", range(4))
async def test_a_named_tool_is_called_once(vllm: VllmEngine, seed: int) -> None:
    request = ask(tools=(CLOCK, WEATHER), tool_choice=NamedTool("get_weather"), max_tokens=300, seed=seed)
    (call,) = calls_of(await events(vllm, request))
    assert call.name == "get_weather"
    assert _is_weather(call.arguments)


async def test_without_tool_choice_there_are_no_calls(vllm: VllmEngine) -> None:
    tools = ask(tools=(WEATHER,), tool_choice="none", max_tokens=10)
    assert await answer(vllm, tools) == await answer(vllm, ask(max_tokens=10))


async def test_with_strict_tools_text_is_still_free(vllm: VllmEngine) -> None:
    strict = Tool(WEATHER.name, WEATHER.description, WEATHER.parameters, strict=True)
    told = await events(vllm, ask(tools=(strict,), max_tokens=40))
    assert text_of(told)


@pytest.mark.parametrize("seed", range(4))
async def test_with_tools_and_a_structure_the_answer_is_one_or_the_other(vllm: VllmEngine, seed: int) -> None:
    request = ask(tools=(WEATHER,), structure=Choice(("yes", "no")), max_tokens=600, seed=seed, temperature=2.0)
    told = await events(vllm, request)
    assert (text_of(told) in ("yes", "no")) != bool(calls_of(told))


async def test_tool_choices_that_make_no_sense_are_refused(vllm: VllmEngine) -> None:
    for request in (
        ask(tool_choice="required"),
        ask(tools=(CLOCK,), tool_choice=NamedTool("get_weather")),
    ):
        with pytest.raises(InvalidInput) as refused:
            await events(vllm, request)
        assert refused.value.param == "tool_choice"


async def test_a_tool_with_a_broken_schema_is_refused(vllm: VllmEngine) -> None:
    broken = Tool("broken", "", {"type": "nonsense"})
    with pytest.raises(InvalidInput) as refused:
        await events(vllm, ask(tools=(broken,), tool_choice="required"))
    assert refused.value.param == "tools"


async def test_thinking_streams_as_reasoning(vllm: VllmEngine) -> None:
    told = await events(vllm, ask(thinking=True, max_tokens=10))
    assert reasoning_of(told)
    assert text_of(told) == ""


async def test_without_thinking_all_is_answer(vllm: VllmEngine) -> None:
    told = await events(vllm, ask(thinking=False, max_tokens=10))
    assert text_of(told)
    assert reasoning_of(told) == ""


async def test_a_structure_waits_until_the_thinking_is_over(vllm: VllmEngine) -> None:
    told = await events(vllm, ask(thinking=True, structure=Choice(("yes", "no")), max_tokens=10))
    assert text_of(told) == ""
    assert reasoning_of(told) not in ("yes", "no")


async def test_a_history_of_calls_and_results_is_read(vllm: VllmEngine) -> None:
    (call, *_) = calls_of(
        await events(vllm, ask(tools=(WEATHER,), tool_choice=NamedTool("get_weather"), max_tokens=300))
    )
    request = ask("What is the weather?", max_tokens=5, tools=(WEATHER,))
    history = (
        *request.messages,
        Message("assistant", tool_calls=(call,)),
        Message("tool", "sunny", tool_call_id=call.id, name=call.name),
    )
    longer = type(request)(history, tools=request.tools, sampling=request.sampling)
    short, long = (await answer(vllm, request))[1], (await answer(vllm, longer))[1]
    assert long.usage.prompt_tokens > short.usage.prompt_tokens
