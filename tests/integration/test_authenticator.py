"""Credentials over two replicas, with Postgres there, away and back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from deployments.contracts.errors import Unauthenticated, Unavailable
from serve_app.auth import secrets
from serve_app.auth.authenticator import Authenticator
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.db.database import Database
from serve_app.db.keys import Keys
from serve_app.db.notices import Notice
from serve_app.db.sessions import Sessions
from serve_app.db.users import Users
from serve_app.domain.accounts import User
from serve_app.domain.principals import Principal
from tests.eventually import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[tuple[Authenticator, Authenticator]]:
    async with _replica(database_url) as one, _replica(database_url) as other:
        yield one, other


@asynccontextmanager
async def _replica(url: str) -> AsyncIterator[Authenticator]:
    database = Database(url)
    authenticator = Authenticator(database)
    await authenticator.start()
    yield authenticator
    await authenticator.close()
    await database.close()


async def _user(database: Database, email: str = "ann@example.com") -> User:
    async with database.transaction() as session:
        user = await Users(session).add(
            email=email, name="Ann", password_hash="", role="customer", rate_limit=60, token_quota=None
        )
    assert user is not None
    return user


async def _key(database: Database, owner: User) -> tuple[int, str]:
    raw = secrets.new_key()
    async with database.transaction() as session:
        key = await Keys(session).add(owner, name="k", prefix=secrets.shown(raw), digest=secrets.digest(raw))
    return key.id, raw


async def _session(database: Database, owner: User, life: timedelta = timedelta(hours=1)) -> str:
    raw = secrets.new_session()
    async with database.transaction() as session:
        await Sessions(session).add(owner.id, digest=secrets.digest(raw), life=life)
    return raw


async def _delete_key(authenticator: Authenticator, key_id: int) -> None:
    async with authenticator.change() as change:
        assert await Keys(change.session).delete(key_id)
        change.announce(Notice("key", key_id))


def _refused(authenticator: Authenticator, raw: str) -> Callable[[], object]:
    async def refused() -> bool:
        try:
            await authenticator.by_key(raw)
        except Unauthenticated:
            return True
        return False

    return refused


async def test_a_key_and_a_session_stand_for_their_user(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    user = await _user(database)
    key_id, raw = await _key(database, user)
    principal = await replicas[0].by_key(raw)
    assert principal == Principal(user.id, user.email, user.name, "customer", 60, key_id=key_id)
    by_session = await replicas[0].by_session(await _session(database, user))
    assert (by_session.user_id, by_session.key_id, by_session.session_id) == (user.id, None, 1)


async def test_what_is_not_a_credential_is_refused(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    user = await _user(database)
    _, key = await _key(database, user)
    session = await _session(database, user)
    await replicas[0].by_key(key)
    for raw in (
        "",
        "aigw_",
        key[:-1],
        key + "a",
        key.upper(),
        session,
        secrets.new_key(),
        "aigw_\ud800\x00" + "a" * 40,
    ):
        with pytest.raises(Unauthenticated):
            await replicas[0].by_key(raw)
    with pytest.raises(Unauthenticated):
        await replicas[0].by_session(key)


async def test_a_cached_key_costs_no_trip(
    database: Database, replicas: tuple[Authenticator, Authenticator], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, raw = await _key(database, await _user(database))
    first = await replicas[0].by_key(raw)
    monkeypatch.setattr(Database, "transaction", None)
    assert await replicas[0].by_key(raw) is first


async def test_a_revoked_key_is_refused_everywhere(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    one, other = replicas
    key_id, raw = await _key(database, await _user(database))
    assert await one.by_key(raw) == await other.by_key(raw)
    await _delete_key(one, key_id)
    with pytest.raises(Unauthenticated):
        await one.by_key(raw)
    await eventually(_refused(other, raw))


async def test_a_changed_user_is_seen_everywhere(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    one, other = replicas
    user = await _user(database)
    _, raw = await _key(database, user)
    await other.by_key(raw)
    async with one.change() as change:
        await Users(change.session).change(user.id, {"rate_limit": 7})
        change.announce(Notice("user", user.id))

    async def seen() -> bool:
        return (await other.by_key(raw)).rate_limit == 7

    await eventually(seen)


async def test_an_undone_change_is_not_announced(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    one, _ = replicas
    key_id, raw = await _key(database, await _user(database))
    first = await one.by_key(raw)

    async def fail() -> None:
        async with one.change() as change:
            await Keys(change.session).delete(key_id)
            change.announce(Notice("key", key_id))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await one.by_key(raw) is first


async def test_a_session_ends_in_the_cache_too(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    raw = await _session(database, await _user(database), timedelta(seconds=0.5))
    await replicas[0].by_session(raw)

    async def ended() -> bool:
        try:
            await replicas[0].by_session(raw)
        except Unauthenticated:
            return True
        return False

    await eventually(ended)


async def test_a_look_up_overtaken_by_a_notice_is_not_remembered(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    """The key is deleted after it was read and before the answer is kept."""
    one, other = replicas
    key_id, raw = await _key(database, await _user(database))
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
        looked_up = asyncio.gather(one.by_key(raw))
        await asyncio.sleep(0.1)
        other._apply(Notice("key", key_id))
        one._apply(Notice("key", key_id))
    await looked_up
    async with database.transaction() as session:
        await Keys(session).delete(key_id)
    with pytest.raises(Unauthenticated):
        await one.by_key(raw)


async def test_watchers_are_told_on_every_replica(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    one, other = replicas
    key_id, raw = await _key(database, await _user(database))
    told = asyncio.Event()
    other.watch(await other.by_key(raw), told.set)
    await _delete_key(one, key_id)
    async with asyncio.timeout(30):
        await told.wait()


async def test_cached_keys_outlive_postgres(
    database: Database, replicas: tuple[Authenticator, Authenticator], postgres: EmbeddedPostgres
) -> None:
    one, other = replicas
    user = await _user(database)
    key_id, cached = await _key(database, user)
    _, unseen = await _key(database, user)
    principal = await one.by_key(cached)
    postgres.stop()
    for _ in range(3):
        assert await one.by_key(cached) == principal
        with pytest.raises(Unavailable):
            await one.by_key(unseen)
    postgres.start()
    assert (await one.by_key(unseen)).user_id == user.id
    assert await one.by_key(cached) == principal
    await _delete_key(other, key_id)
    await eventually(_refused(one, cached))


async def test_notices_lost_on_the_way_are_made_up_for(
    database: Database, replicas: tuple[Authenticator, Authenticator]
) -> None:
    one, other = replicas
    user = await _user(database)
    (kept_id, kept), (gone_id, gone) = await _key(database, user), await _key(database, user)
    session = await _session(database, user)
    told: list[str] = []
    one.watch(await one.by_key(kept), lambda: told.append("kept"))
    one.watch(await one.by_key(gone), lambda: told.append("gone"))
    one.watch(await one.by_session(session), lambda: told.append("session"))
    await one.close()
    await _delete_key(other, gone_id)
    async with other.change() as change:
        await Users(change.session).change(user.id, {"rate_limit": 7})
        change.announce(Notice("user", user.id))
    assert (await one.by_key(gone)).key_id == gone_id
    await one.start()
    with pytest.raises(Unauthenticated):
        await one.by_key(gone)
    assert [(await one.by_key(kept)).key_id, (await one.by_key(kept)).rate_limit] == [kept_id, 7]
    await asyncio.sleep(0)
    assert told == ["gone"]


async def test_a_replica_may_start_before_postgres(
    database: Database, database_url: str, postgres: EmbeddedPostgres
) -> None:
    key_id, raw = await _key(database, await _user(database))
    postgres.stop()
    async with _replica(database_url) as early:
        with pytest.raises(Unavailable):
            await early.by_key(raw)
        postgres.start()

        async def welcome() -> bool:
            try:
                return (await early.by_key(raw)).key_id == key_id
            except Unavailable:
                return False

        await eventually(welcome)
