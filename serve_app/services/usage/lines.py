"""The journal's lines: `open` before the work, `spent` before the caller has what it covers, `close` at the end.

Each is one JSON object and begins with its line break, so that a torn line spoils none that follow.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from serve_app.domain.usage import Measure, Outcome, UsageRecord

_OUTCOMES = get_args(Outcome)


def opened(number: int, record: UsageRecord) -> bytes:
    return _line(
        {
            "open": number,
            "event": record.event.hex,
            "user": record.user_id,
            "key": record.key_id,
            "route": record.route,
            "model": record.model,
            "ability": record.ability,
            "request": record.request_id,
            "started": record.started_at.isoformat(),
        }
    )


def spent(number: int, duration_ms: int, done: Measure) -> bytes:
    """Written for every piece of output, so it is formatted by hand: 1 µs."""
    return b'\n{"spent":%d,"ms":%d,"done":[%d,%d,%d,%r,%d,%d]}' % (
        number,
        duration_ms,
        done.prompt_tokens,
        done.completion_tokens,
        done.cached_tokens,
        float(done.audio_seconds),
        done.characters,
        done.pages,
    )


def closed(number: int, record: UsageRecord) -> bytes:
    done = record.measure
    return _line(
        {
            "close": number,
            "ms": record.duration_ms,
            "first": record.first_token_ms,
            "outcome": record.outcome,
            "done": [
                done.prompt_tokens,
                done.completion_tokens,
                done.cached_tokens,
                done.audio_seconds,
                done.characters,
                done.pages,
            ],
        }
    )


def records(journal: Iterable[bytes]) -> list[UsageRecord]:
    """What the lines tell, in the order the work began; what was never closed is `lost`. Torn lines are passed over."""
    found: dict[int, UsageRecord] = {}
    for line in journal:
        try:
            entry = json.loads(line)
            match entry:
                case {"open": number}:
                    found[number] = _begun(entry)
                case {"spent": number}:
                    found[number] = _grown(found[number], entry)
                case {"close": number, "outcome": outcome} if outcome in _OUTCOMES:
                    done = _grown(found[number], entry)
                    found[number] = replace(done, outcome=outcome, first_token_ms=entry["first"])
                case _:
                    pass
        except (ValueError, KeyError, TypeError):
            continue
    return list(found.values())


def _begun(entry: dict[str, Any]) -> UsageRecord:
    return UsageRecord(
        event=UUID(entry["event"]),
        user_id=entry["user"],
        key_id=entry["key"],
        route=entry["route"],
        model=entry["model"],
        ability=entry["ability"],
        outcome="lost",
        measure=Measure(),
        first_token_ms=None,
        duration_ms=0,
        request_id=entry["request"],
        started_at=datetime.fromisoformat(entry["started"]),
    )


def _grown(record: UsageRecord, entry: dict[str, Any]) -> UsageRecord:
    return replace(record, duration_ms=entry["ms"], measure=Measure(*entry["done"]))


def _line(entry: dict[str, Any]) -> bytes:
    return b"\n" + json.dumps(entry, separators=(",", ":")).encode()
