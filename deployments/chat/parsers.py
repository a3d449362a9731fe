"""What the model writes, split as it streams: reasoning, text, tool calls."""

import json
import uuid
from typing import Any, Literal

from deployments.contracts.chat import ReasoningDelta, TextDelta, ToolCall

_OPEN_THINK, _CLOSE_THINK = "<think>", "</think>"
_OPEN_CALL, _CLOSE_CALL = "<tool_call>", "</tool_call>"

TAGS = (_OPEN_THINK, _CLOSE_THINK, _OPEN_CALL, _CLOSE_CALL)
"""What the parsers look for; where a vocabulary calls one special, it must be kept in the text."""

Delta = TextDelta | ReasoningDelta | ToolCall


class OutputParser:
    """One answer: reasoning first, if `reasoning` is not None (True: the prompt opened it), then text and calls."""

    def __init__(self, *, reasoning: bool | None, tools: bool) -> None:
        self._reasoning = None if reasoning is None else _Reasoning(open=reasoning)
        self._calls = _HermesCalls() if tools else None

    @property
    def called(self) -> bool:
        """A tool call has been made."""
        return self._calls is not None and self._calls.called

    def feed(self, text: str) -> list[Delta]:
        """What the text read so far settles."""
        if self._reasoning is None:
            return self._answer(text)
        thought, text = self._reasoning.feed(text)
        deltas: list[Delta] = [ReasoningDelta(thought)] if thought else []
        return deltas + self._answer(text)

    def finish(self) -> list[Delta]:
        """What was held back."""
        deltas: list[Delta] = []
        if self._reasoning is not None:
            thought, text = self._reasoning.finish()
            deltas += [ReasoningDelta(thought)] if thought else []
            deltas += self._answer(text)
        return deltas + (self._calls.finish() if self._calls else [])

    def _answer(self, text: str) -> list[Delta]:
        if not text:
            return []
        return self._calls.feed(text) if self._calls else [TextDelta(text)]


class _Reasoning:
    """<think>…</think> at the head of an answer; the blank lines around it belong to neither part."""

    def __init__(self, *, open: bool) -> None:
        self._state: Literal["head", "opened", "reasoning", "gap", "answer"] = "opened" if open else "head"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, answer)"""
        if self._state == "answer":
            return "", text
        self._held += text
        thought = ""
        if self._state == "head":
            head = self._held.lstrip()
            if head.startswith(_OPEN_THINK):
                self._state, self._held = "opened", head.removeprefix(_OPEN_THINK)
            elif not _OPEN_THINK.startswith(head):
                self._state = "answer"
        if self._state == "opened":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "reasoning"
        if self._state == "reasoning":
            thought, closed, rest = self._held.partition(_CLOSE_THINK)
            if closed:
                self._state, self._held, thought = "gap", rest, thought.rstrip()
            else:
                cut = _settled(self._held, _CLOSE_THINK)
                thought, self._held = self._held[:cut], self._held[cut:]
        if self._state == "gap":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "answer"
        if self._state == "answer":
            answer, self._held = self._held, ""
            return thought, answer
        return thought, ""

    def finish(self) -> tuple[str, str]:
        """(reasoning, answer)"""
        held, self._held = self._held, ""
        return (held, "") if self._state == "reasoning" else ("", held)


class _HermesCalls:
    """<tool_call>{"name": …, "arguments": {…}}</tool_call>, amid text; what cannot be read as a call is text."""

    def __init__(self) -> None:
        self.called = False
        self._in_call = False
        self._held = ""
        self._looked = 0

    def feed(self, text: str) -> list[Delta]:
        self._held += text
        deltas: list[Delta] = []
        while self._step(deltas):
            pass
        return deltas

    def finish(self) -> list[Delta]:
        deltas: list[Delta] = []
        while self._in_call:
            if isinstance(call := _read_call(self._held), ToolCall):
                self._leave(deltas, call, len(self._held))
            else:
                self._give_up(deltas)
                deltas += self.feed("")
        if self._held and (self._held.strip() or not self.called):
            deltas.append(TextDelta(self._held))
        self._held = ""
        return deltas

    def _step(self, deltas: list[Delta]) -> bool:
        """Settle one more piece; false when more text is needed."""
        if not self._in_call:
            start = self._held.find(_OPEN_CALL)
            cut = len(self._held[:start].rstrip()) if start >= 0 else _settled(self._held, _OPEN_CALL)
            if cut:
                deltas.append(TextDelta(self._held[:cut]))
            if start < 0:
                self._held = self._held[cut:]
                return False
            self._in_call, self._held, self._looked = True, self._held[start + len(_OPEN_CALL) :], 0
        end = self._held.find(_CLOSE_CALL, self._looked)
        if end < 0:
            self._looked = max(self._looked, len(self._held) - len(_CLOSE_CALL) + 1)
            return False
        call = _read_call(self._held[:end])
        after = end + len(_CLOSE_CALL)
        if call == "unfinished":
            self._looked = after
        elif call == "broken":
            self._give_up(deltas)
        else:
            self._leave(deltas, call, after)
        return True

    def _leave(self, deltas: list[Delta], call: ToolCall, after: int) -> None:
        deltas.append(call)
        self.called, self._in_call, self._held = True, False, self._held[after:]

    def _give_up(self, deltas: list[Delta]) -> None:
        """What was taken for a call is text up to its first closing tag; calls may follow."""
        end = self._held.find(_CLOSE_CALL)
        after = len(self._held) if end < 0 else end + len(_CLOSE_CALL)
        deltas.append(TextDelta(_OPEN_CALL + self._held[:after]))
        self._in_call, self._held = False, self._held[after:]


def _read_call(text: str) -> ToolCall | Literal["unfinished", "broken"]:
    """`unfinished` is a text that ends within a JSON string: its closing tag was a part of that string."""
    try:
        call: Any = json.loads(text, strict=False)
        arguments = call.get("arguments", {})
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        if not isinstance(arguments, dict) or not isinstance(call["name"], str) or not call["name"]:
            return "broken"
        # JSON can spell lone surrogates, which no one could be sent.
        written = json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace").decode()
    except json.JSONDecodeError as error:
        return "unfinished" if error.msg.startswith("Unterminated string") else "broken"
    except (AttributeError, KeyError, ValueError, RecursionError):
        return "broken"
    return ToolCall(id=f"call_{uuid.uuid4().hex[:24]}", name=call["name"], arguments=written)


def _settled(text: str, tag: str) -> int:
    """How much of `text` can be neither the beginning of `tag` nor the blanks before it."""
    cut = len(text)
    at = text.rfind("<")
    if at >= 0 and tag.startswith(text[at:]):
        cut = at
    return len(text[:cut].rstrip())
