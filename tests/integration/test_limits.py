"""Rate limits over several replicas and processes, quotas, and both without Postgres."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from deployments.contracts.chat import Usage
from deployments.contracts.errors import RateLimited
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.db.database import Database
from serve_app.domain.principals import Asker, Principal
from serve_app.services.limits import Limits
from serve_app.services.usage.meter import Meter
from tests.eventually import well_inside_a_window

pytestmark = pytest.mark.anyio
ANN = Principal(1, "ann@example.com", "Ann", "customer", rate_limit=60, key_id=1)

_ADMIT = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_limits import ANN, admitted
from serve_app.db.database import Database
from serve_app.services.limits import Limits
from serve_app.services.usage.meter import Meter

async def main(url, folder):
    database = Database(url, deadline_s=10)
    print(await admitted(Limits(database, Meter(database, Path(folder))), 100))
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def admitted(limits: Limits, tries: int, principal: Principal = ANN) -> int:
    outcomes = await asyncio.gather(*(limits.admit(principal) for _ in range(tries)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), RateLimited}
    return outcomes.count(None)


@pytest.fixture
async def meter(database: Database, tmp_path: Path) -> AsyncIterator[Meter]:
    meter = Meter(database, tmp_path)
    yield meter
    await meter.close()


@pytest.mark.parametrize("rate_limit", [1, 7, 60, 1000])
async def test_replicas_together_admit_the_limit_exactly(database: Database, meter: Meter, rate_limit: int) -> None:
    await well_inside_a_window(60, spare_s=20)
    principal = replace(ANN, rate_limit=rate_limit)
    replicas = [Limits(database, meter) for _ in range(4)]
    counts = await asyncio.gather(*(admitted(limits, rate_limit, principal) for limits in replicas))
    assert sum(counts) == rate_limit


async def test_processes_together_admit_the_limit_exactly(database_url: str, tmp_path: Path) -> None:
    await well_inside_a_window(60, spare_s=15)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _ADMIT, database_url, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    assert sum(int(output) for output in outputs) == ANN.rate_limit


async def test_users_do_not_share_a_limit(database: Database, meter: Meter) -> None:
    await well_inside_a_window(60, spare_s=20)
    limits = Limits(database, meter)
    assert [await admitted(limits, 70, replace(ANN, user_id=user_id)) for user_id in (1, 2)] == [60, 60]


async def test_the_hot_path_makes_no_trip_and_a_refusal_says_how_long(
    database: Database, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await well_inside_a_window(60, spare_s=20)
    principal = replace(ANN, rate_limit=100)
    limits = Limits(database, meter)
    trips = 0
    begin = Database.transaction

    def counting(database: Database) -> object:
        nonlocal trips
        trips += 1
        return begin(database)

    await limits.admit(principal)
    monkeypatch.setattr(Database, "transaction", counting)
    for _ in range(4):
        await limits.admit(principal)
    assert trips == 0
    assert await admitted(limits, 1000, principal) == 95
    assert trips == 20
    with pytest.raises(RateLimited) as refused:
        await limits.admit(principal)
    assert 0 < (refused.value.retry_after or 0) <= 60
    assert trips == 20


async def test_a_raised_limit_counts_at_once(database: Database, meter: Meter) -> None:
    await well_inside_a_window(60, spare_s=20)
    limits = Limits(database, meter)
    assert await admitted(limits, 10, replace(ANN, rate_limit=5)) == 5
    assert await admitted(limits, 20, replace(ANN, rate_limit=12)) == 7
    assert await admitted(limits, 5, replace(ANN, rate_limit=3)) == 0


async def test_the_next_window_admits_again(database: Database, meter: Meter) -> None:
    await well_inside_a_window(60, spare_s=20)
    now = 0.0
    limits = Limits(database, meter, clock=lambda: now)
    assert await admitted(limits, 70) == 60
    now = 60.0
    async with database.transaction() as session:
        await session.execute(text("UPDATE permits SET window_start = window_start - interval '1 minute'"))
    assert await admitted(limits, 70) == 60


async def test_old_windows_are_removed(database: Database, meter: Meter) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO permits VALUES ('old', now() - interval '2 hours', 1)"))
    await Limits(database, meter).admit(ANN)
    async with database.transaction() as session:
        assert list(await session.scalars(text("SELECT subject FROM permits"))) == ["user:1"]


async def test_without_postgres_each_replica_keeps_the_limit_by_itself(
    database: Database, meter: Meter, postgres: EmbeddedPostgres
) -> None:
    await well_inside_a_window(60, spare_s=20)
    now = 0.0
    limits, other = (Limits(database, meter, clock=lambda: now) for _ in range(2))
    assert await admitted(limits, 10) == 10
    postgres.stop()
    assert await admitted(limits, 100) == 50
    assert await admitted(other, 100) == 60
    now = 61.0
    assert await admitted(limits, 100) == 60
    postgres.start()
    now = 122.0
    assert await admitted(limits, 100) + await admitted(other, 100) <= 60


def _spend(meter: Meter, principal: Principal, tokens: int) -> None:
    reading = meter.open(Asker(principal, "/api/chat", "r"), ability="chat", model="m")
    reading.spent(Usage(prompt_tokens=tokens // 2, completion_tokens=tokens - tokens // 2))
    reading.close("finished")


async def test_a_quota_counts_own_work_at_once_and_that_of_others_from_the_books(
    database: Database, meter: Meter, tmp_path: Path
) -> None:
    now = 0.0
    bound = replace(ANN, token_quota=100)
    limits = Limits(database, meter, clock=lambda: now)
    await limits.quota(ANN)
    await limits.quota(bound)
    _spend(meter, bound, 60)
    await limits.quota(bound)
    await meter.flush()
    now = 6.0
    await limits.quota(bound)
    elsewhere = Meter(database, tmp_path / "elsewhere")
    _spend(elsewhere, bound, 39)
    await elsewhere.close()
    now = 12.0
    await limits.quota(bound)
    _spend(meter, bound, 1)
    with pytest.raises(RateLimited) as refused:
        await limits.quota(bound)
    assert 29 * 86_400 < (refused.value.retry_after or 0) <= 30 * 86_400
    await limits.quota(replace(bound, token_quota=101))
    await limits.quota(ANN)


async def test_a_quota_holds_without_postgres(database: Database, meter: Meter, postgres: EmbeddedPostgres) -> None:
    now = 0.0
    bound = replace(ANN, token_quota=100)
    limits, fresh = (Limits(database, meter, clock=lambda: now) for _ in range(2))
    _spend(meter, bound, 50)
    await meter.flush()
    await limits.quota(bound)
    postgres.stop()
    now = 6.0
    await limits.quota(bound)
    _spend(meter, bound, 50)
    for one in (limits, fresh):
        with pytest.raises(RateLimited):
            await one.quota(bound)
    postgres.start()
