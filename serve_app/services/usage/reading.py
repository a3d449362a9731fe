"""The meter's reading of one piece of work."""

import time
from collections.abc import Callable
from dataclasses import replace

from deployments.contracts.chat import Usage
from serve_app.domain.usage import Measure, Outcome, UsageRecord
from serve_app.services.usage import lines
from serve_app.services.usage.segments import Segment


class Reading:
    """Write first, pass on afterwards: what a caller has is in the journal, even if this process is killed."""

    def __init__(self, record: UsageRecord, segment: Segment, number: int, *, grew: Callable[[int], None]) -> None:
        self._record = record
        self._segment = segment
        self._number = number
        self._grew = grew
        self._began = time.monotonic()
        self._done = Measure()
        self._first_ms: int | None = None
        self._closed = False

    def spent(self, usage: Usage) -> None:
        """Tokens so far, this call's included."""
        self._note(
            replace(
                self._done,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
            )
        )

    def worked(self, *, audio_seconds: float = 0.0, characters: int = 0, pages: int = 0) -> None:
        """Work other than tokens so far, this call's included."""
        self._note(replace(self._done, audio_seconds=audio_seconds, characters=characters, pages=pages))

    def first_output(self) -> None:
        """The caller gets something now; only the first call counts."""
        if self._first_ms is None:
            self._first_ms = self._elapsed_ms()

    def close(self, outcome: Outcome) -> None:
        """The work is over; only the first call counts."""
        if self._closed:
            return
        self._closed = True
        record = replace(
            self._record,
            outcome=outcome,
            measure=self._done,
            first_token_ms=self._first_ms,
            duration_ms=self._elapsed_ms(),
        )
        self._write(lines.closed(self._number, record))
        self._segment.open -= 1
        self._segment.unbooked.append(record)

    def _note(self, done: Measure) -> None:
        if self._closed or done == self._done:
            return
        grown = done.tokens - self._done.tokens
        self._done = done
        self._write(lines.spent(self._number, self._elapsed_ms(), done))
        self._grew(grown)

    def _write(self, line: bytes) -> None:
        # Work that has begun is not broken off by a full disk: memory knows better, and is booked.
        try:
            self._segment.append(line)
        except OSError:
            self._segment.whole = False

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._began) * 1000)
