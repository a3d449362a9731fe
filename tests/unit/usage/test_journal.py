"""The journal alone: what it tells after a crash, a full disk and a long outage."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.contracts.chat import Usage
from deployments.contracts.errors import Unavailable
from serve_app.domain.usage import Measure, UsageRecord
from serve_app.services.usage import lines
from serve_app.services.usage.journal import Journal
from serve_app.services.usage.segments import PATTERN, Segment, claimed
from serve_app.services.usage.sweep import sweep
from tests.unit.usage.writer import begin, record

_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from deployments.contracts.chat import Usage
from deployments.contracts.errors import Unavailable
from serve_app.services.usage.journal import Journal
from tests.unit.usage.writer import begin, record

journal = Journal(Path(sys.argv[1]))
reading = begin(journal, record(user_id=1))
size = journal.segments[0].size
for room in range(60):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
    reading.spent(Usage(completion_tokens=room + 1))
    try:
        begin(journal, record(user_id=2))
    except Unavailable:
        continue
    sys.exit("the disk was not full")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
begin(journal, record(user_id=3)).close("finished")
reading.close("failed")
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal", most_unbooked=5)
    yield journal
    journal.close()


def _told(folder: Path) -> list[UsageRecord]:
    return [told for path in sorted(folder.glob(PATTERN)) for told in lines.records(path.read_bytes().splitlines())]


def _book(journal: Journal, segment: Segment) -> None:
    segment.unbooked.clear()
    journal.settle(segment)


def test_the_file_tells_what_memory_knows(journal: Journal) -> None:
    finished, lost, untouched = record(1), record(2), record(3)
    reading = begin(journal, finished)
    reading.spent(Usage(10, 1, 4))
    reading.first_output()
    other = begin(journal, lost)
    other.worked(audio_seconds=1.5, characters=7, pages=2)
    begin(journal, untouched)
    reading.spent(Usage(10, 2, 4))
    reading.close("finished")
    reading.close("failed")
    reading.spent(Usage(99, 99, 99))
    told = _told(journal.folder)
    assert told[0] == journal.segments[0].unbooked[0]
    assert (told[0].outcome, told[0].measure, told[0].event) == ("finished", Measure(10, 2, 4), finished.event)
    assert told[0].first_token_ms is not None
    assert (told[1].outcome, told[1].measure) == ("lost", Measure(audio_seconds=1.5, characters=7, pages=2))
    assert told[2] == untouched


def test_torn_and_foreign_lines_are_passed_over(journal: Journal) -> None:
    begin(journal, record(1)).close("finished")
    path = journal.segments[0].path
    whole = path.read_bytes()
    noise = b'\n{"spent":99,"ms":1,"done":[1]}\n{"close":0}\n[]\n\xff\xfe\nnull\n{"open":{}}\n{"open":1,"event":"x"}'
    for cut in range(len(whole)):
        told = lines.records((whole[:cut] + noise + whole).splitlines())
        assert [(one.user_id, one.outcome) for one in told] == [(1, "finished")]


def test_a_killed_process_leaves_what_its_callers_had(tmp_path: Path) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        command = [sys.executable, "-m", "tests.unit.usage.writer", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = [writer.stdout.readline() for _ in range(50 + 37 * turn)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [line for line in writer.stdout if line.endswith("\n")]
        told = {one.event.hex: one for one in _told(folder)}
        for line in acknowledged:
            event, tokens, state = line.split()
            assert told[event].measure.completion_tokens >= int(tokens)
            assert state == "open" or told[event].outcome == "finished"
        begun = len({line.split()[0] for line in acknowledged})
        assert begun <= len(told) <= begun + 1


def test_a_full_disk_refuses_work_before_it_begins_and_spoils_no_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [(one.user_id, one.outcome) for one in _told(tmp_path)] == [(1, "failed"), (3, "finished")]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        begin(Journal(tmp_path / "file" / "journal"), record())


def test_what_is_booked_leaves_the_disk(journal: Journal) -> None:
    reading = begin(journal, record())
    (segment,) = journal.segments
    _book(journal, segment)
    assert segment.size > 0
    reading.close("finished")
    _book(journal, segment)
    assert (segment.size, segment.path.stat().st_size) == (0, 0)
    begin(journal, record()).close("finished")
    assert len(_told(journal.folder)) == 1
    _book(journal, segment)
    journal.close()
    assert list(journal.folder.iterdir()) == []


def test_a_full_segment_gives_way_and_goes_when_its_last_reading_is_booked(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.services.usage.journal._SEGMENT_READINGS", 2)
    readings = [begin(journal, record(number)) for number in range(5)]
    assert len(journal.segments) == 3
    first = journal.segments[0]
    readings[0].close("finished")
    _book(journal, first)
    assert first.path.exists()
    readings[1].close("finished")
    _book(journal, first)
    assert not first.path.exists()
    assert [one.user_id for one in _told(journal.folder)] == [2, 3, 4]


def test_memory_is_bounded_by_leaving_whole_segments_to_the_disk(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.services.usage.journal._SEGMENT_READINGS", 2)
    still_open = begin(journal, record(0))
    for number in range(1, 12):
        begin(journal, record(number)).close("finished")
    spilled = journal.spill()
    assert journal.unbooked <= 5
    assert [one.user_id for one in spilled] == [2, 3, 4, 5, 6, 7]
    assert len(_told(journal.folder)) == 12
    still_open.close("finished")


def test_a_segment_that_missed_a_line_is_kept_in_memory(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.services.usage.journal._SEGMENT_READINGS", 10)
    reading = begin(journal, record(1))
    first = journal.segments[0]
    monkeypatch.setattr(os, "write", _no_space)
    reading.spent(Usage(1, 1))
    reading.close("finished")
    monkeypatch.undo()
    monkeypatch.setattr("serve_app.services.usage.journal._SEGMENT_READINGS", 1)
    for number in range(2, 9):
        begin(journal, record(number)).close("finished")
    journal.spill()
    assert first in journal.segments
    assert first.unbooked[0].measure == Measure(1, 1)


def test_a_journal_belongs_to_one_process_at_a_time(journal: Journal) -> None:
    begin(journal, record())
    (segment,) = journal.segments
    with claimed(segment.path) as ours:
        assert not ours
    segment.release()
    with claimed(segment.path) as ours, claimed(segment.path) as twice:
        assert (ours, twice) == (True, False)
    with claimed(journal.folder / "gone.jsonl") as ours:
        assert not ours


@pytest.mark.anyio
async def test_the_sweep_books_and_deletes_what_has_no_owner(journal: Journal, tmp_path: Path) -> None:
    dead = Journal(journal.folder)
    begin(dead, record(1)).close("finished")
    begin(dead, record(2))
    dead.close()
    begin(journal, record(3)).close("finished")
    booked: list[UsageRecord] = []

    async def away(_: list[UsageRecord]) -> None:
        raise Unavailable("away")

    async def book(records: list[UsageRecord]) -> None:
        booked.extend(records)

    with pytest.raises(Unavailable):
        await sweep(journal.folder, away)
    await sweep(journal.folder, book)
    await sweep(journal.folder, book)
    assert [(one.user_id, one.outcome) for one in booked] == [(1, "finished"), (2, "lost")]
    assert list(journal.folder.glob(PATTERN)) == [journal.segments[0].path]


def _no_space(*_: object) -> int:
    raise OSError(28, os.strerror(28))


def test_records_survive_the_journal_with_every_kind_of_text(journal: Journal) -> None:
    odd = replace(record(), model="ünïcode\n\x00\ud800", request_id='"}\n{')
    begin(journal, odd)
    assert _told(journal.folder) == [odd]
