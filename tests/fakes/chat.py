"""A chat engine that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from deployments.contracts.chat import ChatRequest, EngineEvent, Finish, Spent, TextDelta, Usage

Step = EngineEvent | Exception | float
"""An event to tell, an error to raise, or seconds to wait."""


class ScriptedChat:
    """Plays its scripts in turn, the last one again and again; keeps the requests and counts the aborts."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self._scripts = list(scripts) or [said("Hello.")]
        self.requests: list[ChatRequest] = []
        self.running = 0
        self.aborted = 0

    async def generate(self, request: ChatRequest) -> AsyncIterator[EngineEvent]:
        self.requests.append(request)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        self.running += 1
        ended = False
        try:
            for step in script:
                match step:
                    case float() | int():
                        await asyncio.sleep(step)
                    case Exception():
                        ended = True
                        raise step
                    case _:
                        ended = isinstance(step, Finish)
                        yield step
        finally:
            self.running -= 1
            self.aborted += not ended

    async def check_health(self) -> None:
        """Always well."""

    def describe(self) -> dict[str, Any]:
        return {"context_length": 4096, "tools": True, "reasoning": True}

    def stats(self) -> dict[str, float]:
        return {"running": float(self.running)}


def said(*words: str, read: int = 3, pause_s: float = 0) -> list[Step]:
    """The script of an answer in plain words, one token each."""
    script: list[Step] = []
    for written, word in enumerate(words, start=1):
        script += [pause_s, Spent(Usage(read, written)), TextDelta(word)]
    return [*script, Finish("stop", Usage(read, len(words)))]
