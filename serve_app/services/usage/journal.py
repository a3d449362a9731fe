"""This replica's part of the journal: a growing file, and older ones with work that is still open or unbooked."""

import asyncio
from pathlib import Path

from deployments.contracts.errors import Unavailable
from serve_app.domain.usage import UsageRecord
from serve_app.services.usage import lines
from serve_app.services.usage.segments import Segment

_SEGMENT_BYTES = 4 * 1024 * 1024
_SEGMENT_READINGS = 2_000


class Journal:
    """Used by one event loop. `most_unbooked` records are kept in memory; older ones wait on the disk alone."""

    def __init__(self, folder: Path, *, most_unbooked: int = 10_000) -> None:
        self.folder = folder
        self._most_unbooked = most_unbooked
        self._segments: list[Segment] = []

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Oldest first; the last one grows."""
        return tuple(self._segments)

    @property
    def unbooked(self) -> int:
        return sum(len(segment.unbooked) for segment in self._segments)

    def begin(self, record: UsageRecord) -> tuple[Segment, int]:
        """Note that work begins; the segment and the number it has there. Unavailable when the disk refuses."""
        try:
            segment = self._current()
            number = segment.begun
            segment.append(lines.opened(number, record))
        except OSError as error:
            raise Unavailable("the usage journal cannot be written", retry_after=5) from error
        segment.begun += 1
        segment.open += 1
        return segment, number

    async def sync(self) -> None:
        """Bring what was appended to the disk, off the loop. OSError."""
        for segment in self.segments:
            await asyncio.to_thread(segment.sync)

    def settle(self, segment: Segment) -> None:
        """Remove what is on the books from the disk, once all of a segment is."""
        if not segment.idle:
            return
        if segment is self._segments[-1]:
            segment.empty()
        else:
            self._segments.remove(segment)
            segment.delete()

    def spill(self) -> list[UsageRecord]:
        """Bound the memory while Postgres is away: full segments with nothing open are left to the sweep.

        Answers the records that are forgotten here.
        """
        spilled: list[UsageRecord] = []
        for segment in self.segments[:-1]:
            if self.unbooked > self._most_unbooked and segment.open == 0 and segment.whole:
                self._segments.remove(segment)
                segment.release()
                spilled += segment.unbooked
        return spilled

    def close(self) -> None:
        """What is not on the books stays on the disk, for whoever sweeps."""
        for segment in self._segments:
            if segment.idle:
                segment.delete()
            else:
                segment.release()
        self._segments.clear()

    def _current(self) -> Segment:
        last = self._segments[-1] if self._segments else None
        if last is None or last.size >= _SEGMENT_BYTES or last.begun >= _SEGMENT_READINGS:
            last = Segment.create(self.folder)
            self._segments.append(last)
        return last
