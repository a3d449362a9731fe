"""One meter for every surface: who had what done, booked once."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import uuid4

from deployments.contracts.errors import Unavailable
from serve_app.db.database import Database
from serve_app.db.usage import UsageBook
from serve_app.domain.principals import Asker
from serve_app.domain.tasks import spawn
from serve_app.domain.usage import Measure, UsageRecord
from serve_app.services.usage.journal import Journal
from serve_app.services.usage.reading import Reading
from serve_app.services.usage.segments import Segment
from serve_app.services.usage.sweep import sweep

_log = logging.getLogger(__name__)
_SYNC_S = 0.2
_BOOK_S = 0.5
_SWEEP_S = 5.0
_BATCH = 200


@dataclass(slots=True)
class Tally:
    """Tokens of one user on this replica since it started: metered, and of those surely on the books."""

    metered: int = 0
    booked: int = 0

    def grow(self, tokens: int) -> None:
        self.metered += tokens


class Meter:
    """One per replica. Readings are journalled as they grow and booked in batches; Postgres may be away for long."""

    def __init__(self, database: Database, folder: Path, *, most_unbooked: int = 10_000) -> None:
        self._database = database
        self._journal = Journal(folder, most_unbooked=most_unbooked)
        self._booking = asyncio.Lock()
        self._sweeping = asyncio.Lock()
        self._tallies: defaultdict[int, Tally] = defaultdict(Tally)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            spawn(_repeat(self._journal.sync, _SYNC_S), name="usage journal sync"),
            spawn(_repeat(self._book_own, _BOOK_S), name="usage booking"),
            spawn(_repeat(self._sweep, _SWEEP_S), name="usage journal sweep"),
        ]

    async def close(self) -> None:
        """Book what can be booked now; the rest stays on the disk for the next replica."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        try:
            with suppress(Unavailable):
                await self._book_own()
        finally:
            self._journal.close()

    def open(self, asker: Asker, *, ability: str, model: str) -> Reading:
        """Call it before the work, and `close` the reading in `finally`. Unavailable when the disk is full."""
        who = asker.principal
        record = UsageRecord(
            event=uuid4(),
            user_id=who.user_id,
            key_id=who.key_id,
            route=asker.route,
            model=model,
            ability=ability,
            outcome="lost",
            measure=Measure(),
            first_token_ms=None,
            duration_ms=0,
            request_id=asker.request_id,
            started_at=datetime.now(UTC),
        )
        segment, number = self._journal.begin(record)
        return Reading(record, segment, number, grew=self._tallies[who.user_id].grow)

    @property
    def unbooked(self) -> int:
        """Closed readings in memory that are not on the books yet."""
        return self._journal.unbooked

    def tally(self, user_id: int) -> Tally:
        """What this replica metered for a user."""
        return self._tallies[user_id]

    async def flush(self) -> None:
        """Book all that this replica has closed so far, and what dead replicas left behind. Unavailable."""
        await self._book_own()
        await self._sweep()

    async def _book_own(self) -> None:
        async with self._booking:
            try:
                for segment in self._journal.segments:
                    await self._book_segment(segment)
            finally:
                self._count_booked(self._journal.spill())

    async def _book_segment(self, segment: Segment) -> None:
        for _ in range(0, len(segment.unbooked), _BATCH):
            batch = list(islice(segment.unbooked, _BATCH))
            await self._book(batch)
            for _ in batch:
                segment.unbooked.popleft()
            self._count_booked(batch)
        self._journal.settle(segment)

    def _count_booked(self, records: Iterable[UsageRecord]) -> None:
        for record in records:
            self._tallies[record.user_id].booked += record.measure.tokens

    async def _sweep(self) -> None:
        async with self._sweeping:
            await sweep(self._journal.folder, self._book_all)

    async def _book_all(self, records: list[UsageRecord]) -> None:
        for start in range(0, len(records), _BATCH):
            await self._book(records[start : start + _BATCH])

    async def _book(self, records: Sequence[UsageRecord]) -> None:
        async with self._database.transaction() as session:
            await UsageBook(session).book(records)


async def _repeat(step: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await step()
        except Unavailable:
            _log.debug("the database is away: usage stays in the journal")
        except Exception:  # noqa: BLE001 - logged whole
            # What is not booked now is booked later; a meter that stops would lose it.
            _log.exception("usage bookkeeping failed and will be tried again")
