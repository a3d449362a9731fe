"""Reading the evaluation sets, asking them and counting."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from deployments.contracts.chat import Finish, Message, ToolCall, Usage
from deployments.contracts.errors import InvalidInput, ModelFailed
from deployments.smallchat.evaluate import Case, abilities, ask, ask_all, cases, evaluate, scores
from tests.fakes.chat import ScriptedChat, said

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def written(folder: Path, *told: dict[str, object]) -> list[Case]:
    (folder / "drill.jsonl").write_text("\n".join(json.dumps(case) for case in told), encoding="utf-8")
    return cases("drill", folder=folder)


def case(id: str = "drill-001", **changes: object) -> dict[str, object]:
    return {"id": id, "messages": [{"role": "user", "content": "2 + 2?"}], "expect": {"says": ["4"]}, **changes}


def test_a_sample_is_spread_over_the_set_and_always_the_same(tmp_path: Path) -> None:
    written(tmp_path, *(case(f"drill-{number}") for number in range(10)))
    assert abilities(tmp_path) == ["drill"]
    sample = [one.id for one in cases("drill", sample=4, folder=tmp_path)]
    assert sample == ["drill-0", "drill-2", "drill-5", "drill-7"]
    assert len(cases("drill", sample=99, folder=tmp_path)) == 10


def test_a_case_becomes_a_request(tmp_path: Path) -> None:
    call = {"name": "clock", "arguments": {"city": "Łódź"}}
    messages = [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "12:05"},
    ]
    tool = {"name": "clock", "description": "Tells the time", "parameters": {"type": "object"}}
    (read,) = written(tmp_path, case(messages=messages, tools=[tool], schema={"type": "object"}))
    (called,) = read.request.messages[1].tool_calls
    assert (called.name, called.arguments) == ("clock", '{"city": "Łódź"}')
    assert read.request.messages[2] == Message("tool", "12:05", tool_call_id=called.id)
    assert read.request.tools[0].name == "clock"
    assert read.request.structure is not None
    assert read.request.sampling.temperature == 0


async def test_text_and_calls_are_checked(tmp_path: Path) -> None:
    (read,) = written(tmp_path, case(expect={"says": ["four"], "call": {"name": "add", "arguments": {"a": 2}}}))
    script = [ToolCall("x", "add", '{"a": 2}'), *said("It ", "is ", "four."), Finish("stop", Usage())]
    assert (await ask(ScriptedChat(script), read)).shortfalls == []


async def test_a_refused_case_has_failed_and_a_broken_engine_ends_the_run(tmp_path: Path) -> None:
    (read,) = written(tmp_path, case())
    outcome = await ask(ScriptedChat([InvalidInput("too long")]), read)
    assert outcome.shortfalls == ["was refused: too long"]
    with pytest.raises(ModelFailed):
        await ask(ScriptedChat([ModelFailed("gone")]), read)


async def test_scores_count_what_passed(tmp_path: Path) -> None:
    asked = written(tmp_path, case(), case("drill-002", expect={"says": ["5"]}), case("drill-003"))
    chat = ScriptedChat(said("4"))
    with Progress(console=Console(file=io.StringIO())) as progress:
        outcomes = await ask_all(chat, {"drill": asked}, progress)
    assert [outcome.case.id for outcome in outcomes["drill"]] == ["drill-001", "drill-002", "drill-003"]
    assert scores(outcomes) == {"drill": {"cases": 3, "passed": 2, "percent": 66.7}}


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"no checkpoint in {tmp_path}"):
        evaluate(tmp_path, {}, Progress())
