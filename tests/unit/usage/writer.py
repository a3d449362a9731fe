"""A process that meters until it is killed: `writer.py FOLDER` acknowledges on stdout what a caller would have got."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from deployments.contracts.chat import Usage
from serve_app.domain.usage import Measure, UsageRecord
from serve_app.services.usage.journal import Journal
from serve_app.services.usage.reading import Reading


def record(user_id: int = 1) -> UsageRecord:
    return UsageRecord(
        event=uuid4(),
        user_id=user_id,
        key_id=None,
        route="/api/chat",
        model="m",
        ability="chat",
        outcome="lost",
        measure=Measure(),
        first_token_ms=None,
        duration_ms=0,
        request_id="r",
        started_at=datetime.now(UTC),
    )


def begin(journal: Journal, begun: UsageRecord) -> Reading:
    segment, number = journal.begin(begun)
    return Reading(begun, segment, number, grew=lambda _: None)


def main(folder: Path) -> None:
    """Streams with one, two, three … tokens; each is acknowledged as it grows and when it is closed."""
    journal = Journal(folder)
    length = 0
    while True:
        length += 1
        begun = record()
        reading = begin(journal, begun)
        for tokens in range(1, length + 1):
            reading.spent(Usage(prompt_tokens=5, completion_tokens=tokens))
            print(begun.event.hex, tokens, "open", flush=True)
        reading.close("finished")
        print(begun.event.hex, length, "closed", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
