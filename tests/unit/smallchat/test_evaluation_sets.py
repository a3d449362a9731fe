"""The evaluation sets are sound: every case can be asked, and every expectation can be met."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import deployments.smallchat
from deployments.smallchat.expectations import CHECKS

Case = dict[str, Any]

FOLDER = Path(deployments.smallchat.__file__).parent / "evaluation"
SETS: dict[str, list[Case]] = {
    path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for path in sorted(FOLDER.glob("*.jsonl"))
}
CASES = {case["id"]: case for cases in SETS.values() for case in cases}
ROLES = {"system", "user", "assistant", "tool"}
OVER_DOCUMENTS = ("grounded", "absent")
DOCUMENTS = "Answer from the documents below. If they do not hold the answer, say that it is not in the documents.\n\n"
SOURCE = re.compile(r"\n\n\[(\d+)\] \S[^\n]*\n(?=\S)")


def expecting(key: str) -> list[Case]:
    return [case for case in CASES.values() if key in case["expect"]]


def fits(value: object, schema: Case) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def is_phrase(item: object) -> bool:
    return isinstance(item, str) and item == item.strip() != ""


@pytest.mark.parametrize(
    "name",
    [
        "smalltalk", "tools", "results", "grounded", "absent",
        "memory", "instructions", "extraction", "summary", "sentiment",
    ],
)  # fmt: skip
def test_ability_has_a_set(name: str) -> None:
    assert name in SETS


@pytest.mark.parametrize("name", SETS)
def test_set_is_large_and_its_cases_differ(name: str) -> None:
    cases = SETS[name]
    asked = [next(turn["content"] for turn in reversed(case["messages"]) if turn["role"] == "user") for case in cases]
    assert len(cases) >= 100
    assert all(case["id"].startswith(f"{name}-") for case in cases)
    assert len({" ".join(text.casefold().split()) for text in asked}) == len(cases)


def test_ids_are_unique() -> None:
    assert len(CASES) == sum(len(cases) for cases in SETS.values())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_conversation_is_well_formed(case: Case) -> None:
    messages = case["messages"]
    roles = [message["role"] for message in messages]
    assert set(case) <= {"id", "messages", "tools", "schema", "expect"}
    assert set(roles) <= ROLES
    assert "system" not in roles[1:]
    assert roles[-1] in {"user", "tool"}
    turns = [role for role in roles if role != "system"]
    assert turns[0] == "user"
    for message, before in zip(messages[1:], messages, strict=False):
        calls = before.get("tool_calls", [])
        assert (message["role"] == "tool") == bool(calls) or before["role"] == "tool"
        assert message["role"] != before["role"] or message["role"] == "tool"
    for message in messages:
        calls = message.get("tool_calls", [])
        assert set(message) <= {"role", "content", "tool_calls"}
        assert message["content"].strip() or calls
        assert message["role"] == "assistant" or not calls


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_expectations_are_known(case: Case) -> None:
    expect = case["expect"]
    assert expect
    assert set(expect) <= CHECKS.keys()
    for item in expect.get("says", []):
        assert is_phrase(item) or (isinstance(item, list) and item and all(is_phrase(other) for other in item))
    for key in {"says", "not_says", "exactly", "verbatim"} & set(expect):
        assert isinstance(expect[key], list)
        assert expect[key]
    assert all(is_phrase(item) for key in ("not_says", "exactly", "verbatim") for item in expect.get(key, []))
    assert expect.get("no_call", True) is True
    assert not {"call", "no_call"} <= set(expect)
    if words := expect.get("words"):
        assert set(words) <= {"least", "most"}
        assert 0 < words.get("least", 1) <= words.get("most", 1000)


@pytest.mark.parametrize("case", [case for case in CASES.values() if "tools" in case], ids=lambda case: case["id"])
def test_tools_can_be_called(case: Case) -> None:
    tools = {tool["name"]: tool["parameters"] for tool in case["tools"]}
    assert 1 <= len(tools) == len(case["tools"]) <= 4
    for tool in case["tools"]:
        assert set(tool) == {"name", "description", "parameters"}
        assert re.fullmatch(r"[A-Za-z][\w.:/-]{0,63}", tool["name"])
        assert tool["parameters"]["type"] == "object"
        assert set(tool["parameters"].get("required", [])) <= set(tool["parameters"]["properties"])
        Draft202012Validator.check_schema(tool["parameters"])
    for call in [call for message in case["messages"] for call in message.get("tool_calls", [])]:
        assert fits(call["arguments"], tools[call["name"]])


@pytest.mark.parametrize("case", expecting("call"), ids=lambda case: case["id"])
def test_expected_call_fits_its_tool(case: Case) -> None:
    call = case["expect"]["call"]
    assert set(call) == {"name", "arguments"}
    schema = next(tool["parameters"] for tool in case["tools"] if tool["name"] == call["name"])
    assert fits(call["arguments"], {"additionalProperties": False, **schema})


def test_a_call_can_only_be_declined_where_one_is_offered() -> None:
    assert all(case.get("tools") for case in expecting("no_call"))


def test_expected_json_fits_its_schema() -> None:
    for case in expecting("json"):
        schema = case["schema"]
        Draft202012Validator.check_schema(schema)
        for field, value in case["expect"]["json"].items():
            left_out = value is None and field not in schema.get("required", [])
            assert left_out or fits(value, schema["properties"][field]), (case["id"], field)


def test_documents_have_their_form() -> None:
    for case in [case for name in OVER_DOCUMENTS for case in SETS.get(name, [])]:
        system = case["messages"][0]
        assert system["role"] == "system", case["id"]
        assert system["content"].startswith(DOCUMENTS), case["id"]
        numbers = SOURCE.findall(system["content"].removeprefix(DOCUMENTS.rstrip()))
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)] != [], case["id"]
