"""Asks a checkpoint the evaluation sets through the real engine: `python -m deployments.smallchat.evaluate`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deployments.chat.vllm import VllmEngine
from deployments.contracts.chat import Chat, ChatRequest, JsonSchema, Message, Sampling, TextDelta, Tool, ToolCall
from deployments.contracts.errors import InvalidInput
from deployments.contracts.models import ModelSpec
from deployments.smallchat.checkpoint import DEFAULT_OUT
from deployments.smallchat.expectations import Answer, shortfalls

SETS = Path(__file__).parent / "evaluation"

_AT_ONCE = 16
_MAX_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and what its answer must be like."""

    id: str
    request: ChatRequest
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case; it passed when nothing fell short."""

    case: Case
    answer: Answer
    shortfalls: list[str]


def abilities(folder: Path = SETS) -> list[str]:
    """The abilities that have a set."""
    return sorted(path.stem for path in folder.glob("*.jsonl"))


def cases(ability: str, *, sample: int | None = None, folder: Path = SETS) -> list[Case]:
    """The set of an ability, or `sample` cases spread evenly over it: always the same ones."""
    lines = (folder / f"{ability}.jsonl").read_text(encoding="utf-8").splitlines()
    count = len(lines) if sample is None else min(sample, len(lines))
    return [_case(json.loads(lines[index * len(lines) // count])) for index in range(count)]


def _case(told: Mapping[str, Any]) -> Case:
    request = ChatRequest(
        messages=tuple(_messages(told["messages"])),
        tools=tuple(Tool(**tool) for tool in told.get("tools", ())),
        sampling=Sampling(max_tokens=_MAX_TOKENS, temperature=0),
        structure=JsonSchema(told["schema"]) if "schema" in told else None,
        request_id=told["id"],
    )
    return Case(told["id"], request, told["expect"])


def _messages(told: Sequence[Mapping[str, Any]]) -> Iterator[Message]:
    """Calls get ids, and results the ids of the calls they follow."""
    awaited: list[str] = []
    for index, message in enumerate(told):
        calls = tuple(
            ToolCall(f"call_{index}_{number}", call["name"], json.dumps(call["arguments"], ensure_ascii=False))
            for number, call in enumerate(message.get("tool_calls", ()))
        )
        awaited += [call.id for call in calls]
        call_id = awaited.pop(0) if message["role"] == "tool" and awaited else None
        yield Message(message["role"], message.get("content") or "", calls, call_id)


async def ask(chat: Chat, case: Case) -> Outcome:
    """The answer to a case, checked. A request that the engine refuses is a case that failed."""
    text, calls = "", []
    try:
        async for event in chat.generate(case.request):
            match event:
                case TextDelta():
                    text += event.text
                case ToolCall():
                    calls.append((event.name, event.arguments))
                case _:
                    pass
    except InvalidInput as refusal:
        return Outcome(case, Answer(""), [f"was refused: {refusal.message}"])
    answer = Answer(text, tuple(calls))
    return Outcome(case, answer, shortfalls(case.expect, answer))


async def ask_all(chat: Chat, sets: Mapping[str, Sequence[Case]], progress: Progress) -> dict[str, list[Outcome]]:
    """The outcomes by ability, up to 16 cases under way at once."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(ability: str, case: Case) -> Outcome:
        async with free:
            outcome = await ask(chat, case)
        progress.advance(bars[ability])
        return outcome

    bars = {ability: progress.add_task(ability, total=len(asked)) for ability, asked in sets.items()}
    async with asyncio.TaskGroup() as group:
        tasks = {ability: [group.create_task(one(ability, case)) for case in asked] for ability, asked in sets.items()}
    return {ability: [task.result() for task in under_way] for ability, under_way in tasks.items()}


def scores(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, dict[str, float]]:
    """Cases, passed and percent of each ability."""
    told: dict[str, dict[str, float]] = {}
    for ability, those in outcomes.items():
        passed = sum(not outcome.shortfalls for outcome in those)
        percent = round(100 * passed / len(those), 1) if those else 0.0
        told[ability] = {"cases": len(those), "passed": passed, "percent": percent}
    return told


def evaluate(weights: Path, sets: Mapping[str, Sequence[Case]], progress: Progress) -> dict[str, list[Outcome]]:
    """The outcomes of a checkpoint's answers, by ability; FileNotFoundError if the folder holds no checkpoint."""
    if not (weights / "config.json").is_file():
        raise FileNotFoundError(
            f"no checkpoint in {weights}; make one: python -m deployments.smallchat.checkpoint --out {weights}"
        )
    spec = ModelSpec(id="smallchat", ability="chat", weights=str(weights.resolve()))

    async def run() -> dict[str, list[Outcome]]:
        engine = VllmEngine(spec)
        try:
            return await ask_all(engine, sets, progress)
        finally:
            engine.close()

    return asyncio.run(run())


def _table(outcomes: Mapping[str, Sequence[Outcome]]) -> Table:
    table = Table("ability")
    for name in ("cases", "passed", "percent"):
        table.add_column(name, justify="right")
    for ability, score in scores(outcomes).items():
        table.add_row(ability, str(score["cases"]), str(score["passed"]), f"{score['percent']:.1f}")
    return table


def _failures(outcomes: Mapping[str, Sequence[Outcome]], most: int) -> Iterator[str]:
    for those in outcomes.values():
        failed = [outcome for outcome in those if outcome.shortfalls]
        for outcome in failed[:most]:
            called = "".join(f"\n    called:  {name} {arguments}" for name, arguments in outcome.answer.calls)
            yield (
                f"{outcome.case.id}"
                f"\n    asked:   {_line(outcome.case.request.messages[-1].content)}"
                f"\n    amiss:   {'; '.join(outcome.shortfalls)}"
                f"\n    said:    {_line(outcome.answer.text)}{called}"
            )


def _line(text: str, most: int = 300) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= most else f"{folded[:most]}…"


def main() -> int:
    """Print a table of scores and some failures, or the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=DEFAULT_OUT, help="folder of the checkpoint (%(default)s)")
    parser.add_argument("--ability", nargs="+", choices=abilities(), default=abilities(), help="all unless named")
    parser.add_argument("--sample", type=int, help="so many cases of each ability, always the same")
    parser.add_argument("--failures", type=int, default=3, help="how many to show of each ability (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON instead of a table")
    wishes = parser.parse_args()
    if wishes.sample is not None and wishes.sample < 1:
        parser.error("--sample: at least 1")
    sets = {ability: cases(ability, sample=wishes.sample) for ability in wishes.ability}
    try:
        with Progress(console=Console(stderr=True)) as progress:
            outcomes = evaluate(wishes.weights, sets, progress)
    except FileNotFoundError as missing:
        parser.exit(1, f"{missing}\n")
    if wishes.json:
        json.dump(scores(outcomes), sys.stdout, indent=2)
        print()
        return 0
    console = Console()
    console.print(_table(outcomes))
    for failure in _failures(outcomes, wishes.failures):
        console.print(failure, markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
