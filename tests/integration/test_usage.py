"""Usage on the books: exact under load, over a kill, and over an absent Postgres."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from deployments.contracts.chat import Usage
from deployments.contracts.errors import Forbidden, InvalidInput, Unavailable
from serve_app.auth import secrets
from serve_app.auth.authenticator import Authenticator
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.db.database import Database
from serve_app.db.keys import Keys
from serve_app.db.usage import UsageBook
from serve_app.db.users import Users
from serve_app.domain.accounts import UsageCount
from serve_app.domain.principals import Principal
from serve_app.domain.usage import Measure, UsageRecord
from serve_app.services.limits import Limits
from serve_app.services.usage.meter import Meter
from serve_app.services.usage.report import UsageService
from tests.eventually import eventually
from tests.integration.metering import ANN, asker

pytestmark = pytest.mark.anyio
ADMIN = replace(ANN, user_id=99, role="admin")


@pytest.fixture
async def meter(database: Database, tmp_path: Path) -> AsyncIterator[Meter]:
    meter = Meter(database, tmp_path / "journal")
    await meter.start()
    yield meter
    await meter.close()


def _work(meter: Meter, request_id: str, tokens: int, *, principal: Principal = ANN, route: str = "/api/chat") -> None:
    reading = meter.open(asker(request_id, principal, route), ability="chat", model="m")
    reading.spent(Usage(prompt_tokens=2, completion_tokens=tokens))
    reading.first_output()
    reading.close("finished")


async def _booked(database: Database) -> list[tuple[str, int, str]]:
    async with database.transaction() as session:
        rows = await session.execute(text("SELECT request_id, completion_tokens, outcome FROM usage"))
        return [(row.request_id, row.completion_tokens, row.outcome) for row in rows]


async def test_a_reading_is_booked_whole(database: Database, meter: Meter) -> None:
    reading = meter.open(asker("req\x00\ud800"), ability="chat", model="small")
    reading.spent(Usage(10, 4, 2))
    reading.worked(audio_seconds=1.25, characters=8, pages=3)
    reading.first_output()
    reading.close("left")
    await meter.flush()
    async with database.transaction() as session:
        row = (await session.execute(text("SELECT * FROM usage"))).one()
    assert (row.user_id, row.key_id, row.route, row.model, row.ability) == (1, 7, "/api/chat", "small", "chat")
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (10, 4, 2)
    assert (row.audio_seconds, row.characters, row.pages) == (1.25, 8, 3)
    assert (row.outcome, row.request_id) == ("left", "req?")
    assert 0 <= row.first_token_ms <= row.duration_ms


async def test_readings_are_booked_without_being_asked(database: Database, meter: Meter) -> None:
    _work(meter, "one", 1)

    async def booked() -> bool:
        return await _booked(database) == [("one", 1, "finished")]

    await eventually(booked)


async def test_replicas_under_load_book_each_turn_once(database: Database, tmp_path: Path) -> None:
    meters = [Meter(database, tmp_path / "journal") for _ in range(4)]
    for meter in meters:
        await meter.start()

    async def caller(number: int) -> None:
        for step in range(25):
            _work(meters[(number + step) % 4], f"{number}-{step}", step)
            await asyncio.sleep(0.001 * (number % 5))
            if step % 10 == number % 10:
                await meters[number % 4].flush()

    await asyncio.gather(*(caller(number) for number in range(40)))
    for meter in meters:
        await meter.flush()
    report = await UsageService(database, meters[0]).report(ADMIN, "24h")
    assert report == [UsageCount(1, "", "/api/chat", 1000)]
    async with database.transaction() as session:
        tokens, _ = await UsageBook(session).tokens(1, timedelta(days=30))
    assert tokens == 2000 + 40 * sum(range(25))
    for meter in meters:
        await meter.close()
    assert os.listdir(tmp_path / "journal") == []


async def test_the_report_counts_by_user_route_and_period(database: Database, meter: Meter) -> None:
    async with database.transaction() as session:
        ann = await Users(session).add(
            email="ann@example.com", name="Ann", password_hash="", role="customer", rate_limit=1, token_quota=None
        )
    assert ann is not None
    principals = [replace(ANN, user_id=ann.id), replace(ANN, user_id=ann.id + 1)]
    for age, principal, route in (
        (timedelta(), principals[0], "/api/chat"),
        (timedelta(hours=23, minutes=59), principals[0], "/api/chat"),
        (timedelta(hours=24, minutes=1), principals[0], "/api/chat"),
        (timedelta(days=6), principals[1], "/v1/chat/completions"),
        (timedelta(days=8), principals[0], "/v1/chat/completions"),
        (timedelta(days=31), principals[0], "/api/chat"),
    ):
        record = UsageRecord(
            uuid4(), principal.user_id, None, route, "m", "chat", "finished", Measure(2, 10),
            None, 5, "request", datetime.now(UTC) - age,
        )  # fmt: skip
        async with database.transaction() as session:
            await UsageBook(session).book([record, record])
            await UsageBook(session).book([record])
    usage = UsageService(database, meter)
    chat = UsageCount(ann.id, "ann@example.com", "/api/chat", 2)
    other = UsageCount(ann.id + 1, "", "/v1/chat/completions", 1)
    openai = UsageCount(ann.id, "ann@example.com", "/v1/chat/completions", 1)
    more_chat = replace(chat, count=3)
    assert await usage.report(ADMIN, "24h") == [chat]
    assert await usage.report(ADMIN, "7d") == [more_chat, other]
    assert await usage.report(ADMIN, "30d") == [more_chat, openai, other]


async def test_the_report_is_for_admins_and_known_periods(database: Database, meter: Meter) -> None:
    usage = UsageService(database, meter)
    with pytest.raises(Forbidden):
        await usage.report(ANN, "24h")
    with pytest.raises(InvalidInput) as refused:
        await usage.report(ADMIN, "1y")
    assert refused.value.param == "period"


async def test_killed_replicas_are_booked_exactly_once(database: Database, database_url: str, tmp_path: Path) -> None:
    """Each turn has one row, and it counts at least what its caller got."""
    acknowledged: list[str] = []
    for life in range(4):
        replica = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.metering", database_url, str(tmp_path), f"life{life}",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert replica.stdout is not None
        acknowledged += [(await replica.stdout.readline()).decode() for _ in range(200 + 700 * life)]
        replica.send_signal(signal.SIGKILL)
        acknowledged += [line.decode() async for line in replica.stdout if line.endswith(b"\n")]
        await replica.wait()
    sweepers = [Meter(database, tmp_path) for _ in range(3)]
    await asyncio.gather(*(meter.flush() for meter in sweepers))
    for meter in sweepers:
        await meter.flush()
        await meter.close()
    assert os.listdir(tmp_path) == []

    booked = await _booked(database)
    rows = {request_id: (tokens, outcome) for request_id, tokens, outcome in booked}
    assert len(rows) == len(booked)
    closed = 0
    for line in acknowledged:
        request_id, count, state = line.split()
        assert rows[request_id][0] >= int(count)
        if state == "closed":
            closed += 1
            assert rows[request_id] == (int(count), "finished")
    outcomes = Counter(outcome for _, outcome in rows.values())
    assert outcomes["finished"] >= closed
    assert outcomes["lost"] <= 4 * 8


async def test_a_restart_of_postgres_under_load_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    database = Database(database_url)
    authenticator, meter = Authenticator(database), Meter(database, tmp_path, most_unbooked=50)
    limits = Limits(database, meter)
    await authenticator.start()
    await meter.start()
    raw = secrets.new_key()
    async with database.transaction() as session:
        user = await Users(session).add(
            email="ann@example.com", name="Ann", password_hash="", role="customer", rate_limit=10**6, token_quota=10**9
        )
        assert user is not None
        await Keys(session).add(user, name="k", prefix="", digest=secrets.digest(raw))
    await authenticator.by_key(raw)
    done = 0
    over = asyncio.Event()

    async def caller() -> None:
        nonlocal done
        while not over.is_set():
            principal = await authenticator.by_key(raw)
            await limits.admit(principal)
            await limits.quota(principal)
            _work(meter, f"turn-{done}", 1, principal=principal)
            done += 1
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(caller())
        for _ in range(2):
            await asyncio.sleep(0.3)
            postgres.stop()
            with pytest.raises(Unavailable):
                await UsageService(database, meter).report(ADMIN, "24h")
            spooling_from = done

            async def spooled(start: int = spooling_from) -> bool:
                return done >= start + 300

            await eventually(spooled)
            postgres.start()
        over.set()

    async def flushed() -> bool:
        try:
            await meter.flush()
        except Unavailable:
            return False
        return True

    await eventually(flushed)
    booked = await _booked(database)
    assert len(booked) == len({request_id for request_id, _, _ in booked}) == done
    assert {outcome for _, _, outcome in booked} == {"finished"}
    await meter.close()
    assert os.listdir(tmp_path) == []
    await authenticator.close()
    await database.close()


async def test_what_cannot_be_booked_waits_for_the_next_replica(
    database: Database, tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    first = Meter(database, tmp_path)
    postgres.stop()
    _work(first, "closed", 5)
    first.open(asker("open"), ability="chat", model="m").spent(Usage(2, 3))
    with pytest.raises(Unavailable):
        await first.flush()
    assert first.unbooked == 1
    await first.close()
    postgres.start()
    second = Meter(database, tmp_path)
    await second.flush()
    await second.close()
    assert sorted(await _booked(database)) == [("closed", 5, "finished"), ("open", 3, "lost")]
