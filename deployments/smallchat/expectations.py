"""What an evaluation case expects of an answer, and in which points an answer falls short."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_CURLY = str.maketrans("‘’“”", "''\"\"")
_FRAMING = " \t\n\"'`*.,;:!?…"
"""Around an answer that is otherwise exactly the expected one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote and the calls it made: names with the JSON text of their arguments."""

    text: str
    calls: tuple[tuple[str, str], ...] = ()


def shortfalls(expect: Mapping[str, Any], answer: Answer) -> list[str]:
    """One phrase for each expectation that is not met; none when the answer passes. KeyError for an unknown key."""
    return [said for key, wanted in expect.items() if (said := CHECKS[key](wanted, answer))]


def _says(wanted: Sequence[str | Sequence[str]], answer: Answer) -> str:
    missing = [item for item in wanted if not any(occurs(form, answer.text) for form in _forms(item))]
    return f"does not say {_quoted(missing)}" if missing else ""


def _not_says(unwanted: Sequence[str], answer: Answer) -> str:
    found = [item for item in unwanted if occurs(item, answer.text)]
    return f"says {_quoted(found)}" if found else ""


def _exactly(wanted: Sequence[str], answer: Answer) -> str:
    met = _bare(answer.text).casefold() in {_bare(form).casefold() for form in wanted}
    return "" if met else f"is not {_quoted([list(wanted)])}"


def _verbatim(wanted: Sequence[str], answer: Answer) -> str:
    return "" if _bare(answer.text) in map(_bare, wanted) else f"is not, letter for letter, {_quoted([list(wanted)])}"


def _call(wanted: Mapping[str, Any], answer: Answer) -> str:
    if len(answer.calls) == 1:
        name, arguments = answer.calls[0]
        if name == wanted["name"] and _same_arguments(wanted["arguments"], _parsed(arguments)):
            return ""
    return f"does not make the one call {json.dumps(wanted, ensure_ascii=False)}"


def _no_call(wanted: bool, answer: Answer) -> str:
    return "makes a call" if wanted and answer.calls else ""


def _json(wanted: Mapping[str, Any], answer: Answer) -> str:
    parsed = _parsed(answer.text)
    if not isinstance(parsed, dict):
        return "is not a JSON object"
    wrong = {name: value for name, value in wanted.items() if not _same(value, parsed.get(name), _folded)}
    return f"has not {json.dumps(wrong, ensure_ascii=False)}" if wrong else ""


def _words(bounds: Mapping[str, int], answer: Answer) -> str:
    length = len(answer.text.split())
    if bounds.get("least", 0) <= length <= bounds.get("most", length):
        return ""
    return f"has {length} words, not {bounds.get('least', 0)} to {bounds.get('most', 'any')}"


CHECKS: Mapping[str, Callable[[Any, Answer], str]] = {
    "says": _says,
    "not_says": _not_says,
    "exactly": _exactly,
    "verbatim": _verbatim,
    "call": _call,
    "no_call": _no_call,
    "json": _json,
    "words": _words,
}
"""By the keys that `expect` may have; each says what is amiss, or nothing."""


def occurs(item: str, text: str) -> bool:
    """Whether the words of `item` stand in `text`, without case; 18 does not stand in 1,018 or 18.5."""
    body = re.escape(_folded(item).casefold())
    return re.search(rf"(?<!\w)(?<!\d[.,:]){body}(?!\w)(?!(?<=\d)[.,:]\d)", _folded(text).casefold()) is not None


def _forms(item: str | Sequence[str]) -> Sequence[str]:
    return [item] if isinstance(item, str) else item


def _quoted(items: Sequence[str | Sequence[str]], most: int = 4) -> str:
    """For people: the items, of each at most so many forms."""
    told = [[f'"{form}"' for form in _forms(item)] for item in items]
    return ", ".join(" or ".join(forms if len(forms) <= most else [*forms[:most], "…"]) for forms in told)


def _folded(text: str) -> str:
    return " ".join(text.translate(_CURLY).split())


def _bare(text: str) -> str:
    return _folded(text).strip(_FRAMING)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _same_arguments(wanted: Mapping[str, Any], given: Any) -> bool:
    return isinstance(given, dict) and _same(wanted, given, str.strip)


def _same(wanted: Any, given: Any, text: Callable[[str], str]) -> bool:
    """Equal as JSON, strings after `text`, numbers by value; a null member is one that is absent."""
    match wanted, given:
        case str(), str():
            return text(wanted) == text(given)
        case (bool(), _) | (_, bool()):
            return wanted is given
        case dict(), dict():
            return all(_same(wanted.get(name), given.get(name), text) for name in wanted.keys() | given.keys())
        case list(), list():
            return len(wanted) == len(given) and all(
                _same(ours, theirs, text) for ours, theirs in zip(wanted, given, strict=True)
            )
        case _:
            return bool(wanted == given)
