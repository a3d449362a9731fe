"""Reasoning and tool calls, found in a stream however it is cut."""

import json

import pytest

from deployments.chat.parsers import Delta, OutputParser
from deployments.contracts.chat import TextDelta
from tests.engines.asking import calls_of, reasoning_of, text_of

CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": [2, {"c": "</tool_call> \\" }"}]}}\n</tool_call>'
PLAIN = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'


def parsed(text: str, size: int, *, reasoning: bool | None = None, tools: bool = True) -> list[Delta]:
    parser = OutputParser(reasoning=reasoning, tools=tools)
    deltas = [delta for at in range(0, len(text), size) for delta in parser.feed(text[at : at + size])]
    return deltas + parser.finish()


@pytest.fixture(params=[1, 2, 3, 7, 1000])
def size(request: pytest.FixtureRequest) -> int:
    """Characters that come at a time."""
    return request.param


@pytest.mark.parametrize(
    "text", ["", "plain", "a < b", "<tool", "a <tool_cal l>", " \n", "x\n\n  y ", "<<tool_call", "</tool_call>"]
)
def test_text_without_calls_stays_as_it_is(text: str, size: int) -> None:
    deltas = parsed(text, size)
    assert text_of(deltas) == text
    assert not calls_of(deltas)


def test_text_calls_and_text(size: int) -> None:
    deltas = parsed(f"Let me see.\n{CALL}\n{PLAIN}\nDone.", size)
    assert text_of(deltas) == "Let me see.\nDone."
    first, second = calls_of(deltas)
    assert (first.name, json.loads(first.arguments)) == ("add", {"a": 1, "b": [2, {"c": '</tool_call> " }'}]})
    assert (second.name, second.arguments) == ("now", "{}")
    assert first.id != second.id


def test_text_before_a_call_does_not_wait_for_it() -> None:
    parser = OutputParser(reasoning=None, tools=True)
    assert parser.feed("One moment, <tool_") == [TextDelta("One moment,")]


@pytest.mark.parametrize(
    "broken",
    [
        "<tool_call>{not json}</tool_call>",
        "<tool_call>[1]</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": 5, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {"x": NaN}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": ' + "[" * 5000 + "</tool_call>",
        '<tool_call>{"name": "f", "argum',
        '<tool_call>{"name": "f</tool_call>',
    ],
)
def test_what_is_no_call_is_text(broken: str, size: int) -> None:
    deltas = parsed(f"So: {broken}", size)
    assert not calls_of(deltas)
    assert text_of(deltas).replace(" ", "") == f"So:{broken}".replace(" ", "")


def test_a_broken_call_does_not_hide_the_next(size: int) -> None:
    deltas = parsed(f"<tool_call>{{oops}}</tool_call>{PLAIN}", size)
    assert text_of(deltas) == "<tool_call>{oops}</tool_call>"
    assert [call.name for call in calls_of(deltas)] == ["now"]


def test_an_open_string_does_not_hide_the_next_call_for_ever(size: int) -> None:
    deltas = parsed(f'<tool_call>{{"name": "f</tool_call>{PLAIN}', size)
    assert [call.name for call in calls_of(deltas)] == ["now"]


def test_a_call_may_lack_its_end_and_encode_its_arguments_twice(size: int) -> None:
    (call,) = calls_of(parsed('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}', size))
    assert json.loads(call.arguments) == {"x": 1}


def test_without_tools_nothing_is_looked_for(size: int) -> None:
    assert text_of(parsed(CALL, size, tools=False)) == CALL


@pytest.mark.parametrize(
    ("text", "opened", "reasoning", "answer"),
    [
        ("<think>\nHm, a < b.\n</think>\n\nYes. ", False, "Hm, a < b.", "Yes. "),
        ("Hm.\n</think>\nYes", True, "Hm.", "Yes"),
        ("No tags", False, "", "No tags"),
        ("  <thin", False, "", "  <thin"),
        ("never closed </thi", True, "never closed </thi", ""),
        ("</think>Yes", True, "", "Yes"),
        ("Yes <think>no</think>", False, "", "Yes <think>no</think>"),
        ("", False, "", ""),
    ],
)
def test_reasoning_is_set_apart(text: str, opened: bool, reasoning: str, answer: str, size: int) -> None:
    deltas = parsed(text, size, reasoning=opened)
    assert (reasoning_of(deltas), text_of(deltas)) == (reasoning, answer)


def test_calls_follow_reasoning(size: int) -> None:
    deltas = parsed(f"<think>{PLAIN}</think>\n{PLAIN}", size, reasoning=False)
    assert reasoning_of(deltas) == PLAIN
    assert [call.name for call in calls_of(deltas)] == ["now"]
