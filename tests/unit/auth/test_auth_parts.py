"""The parts of authentication that need no Postgres."""

import asyncio

import pytest

from deployments.contracts.errors import Unavailable
from serve_app.auth import secrets
from serve_app.auth.cache import ExpiringCache
from serve_app.auth.passwords import Passwords
from serve_app.auth.watchers import Watchers
from serve_app.db.notices import Notice
from serve_app.domain.flights import Flights
from serve_app.domain.principals import Principal

pytestmark = pytest.mark.anyio


def _principal(key_id: int | None = None, session_id: int | None = None) -> Principal:
    return Principal(1, "a@b.c", "A", "customer", 60, key_id=key_id, session_id=session_id)


def test_secrets_are_random_marked_and_well_formed() -> None:
    keys = {secrets.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("aigw_") and len(key) >= 37 and secrets.well_formed(key) for key in keys)
    assert secrets.well_formed(secrets.new_session())
    assert all(len(secrets.shown(key)) < 12 for key in keys)


@pytest.mark.parametrize("raw", ["", "aigw_", "aigw_ short", "aigw_" + "a" * 500, "aigw_" + "é" * 40, "b" * 43])
def test_other_words_are_not_well_formed(raw: str) -> None:
    assert not secrets.well_formed(raw)


def test_any_string_has_a_digest() -> None:
    assert len(secrets.digest("\ud800\x00")) == 32


async def test_passwords_match_their_own_hash_only() -> None:
    passwords = Passwords()
    hashed = await passwords.hash("correct horse \ud800")
    assert hashed.startswith("$argon2id$")
    assert await passwords.matches("correct horse \ud800", hashed)
    assert not await passwords.matches("wrong horse", hashed)
    assert not await passwords.matches("correct horse \ud800", None)


def test_the_cache_forgets_the_least_recently_used() -> None:
    cache = ExpiringCache[str](2)
    for word in ("a", "b"):
        cache.put(word.encode(), word, life_s=10)
    assert cache.get(b"a") == "a"
    cache.put(b"c", "c", life_s=10)
    assert [cache.get(key) for key in (b"a", b"b", b"c")] == ["a", None, "c"]
    cache.drop(lambda value: value == "a")
    assert cache.get(b"a") is None


def test_the_cache_lets_values_end() -> None:
    now = 0.0
    cache = ExpiringCache[str](2, clock=lambda: now)
    cache.put(b"a", "a", life_s=10)
    now = 9.9
    assert cache.get(b"a") == "a"
    now = 10.0
    assert cache.get(b"a") is None


async def test_watchers_hear_of_their_own_subject_once() -> None:
    heard: list[str] = []
    watchers = Watchers()
    watchers.add(_principal(key_id=1), lambda: heard.append("key 1"))
    watchers.add(_principal(key_id=1), lambda: heard.append("key 1 again"))
    watchers.add(_principal(key_id=2), lambda: heard.append("key 2"))
    watchers.add(_principal(session_id=1), lambda: heard.append("session 1"))
    watchers.add(_principal(), lambda: heard.append("nobody"))
    leave = watchers.add(_principal(key_id=1), lambda: heard.append("left"))
    watchers.fire(Notice("key", 1))
    watchers.fire(Notice("key", 1))
    leave()
    await asyncio.sleep(0)
    assert heard == ["key 1", "key 1 again"]
    assert watchers.subjects() == [Notice("key", 2), Notice("session", 1)]


async def test_a_watch_that_comes_too_late_is_told() -> None:
    heard: list[str] = []
    watchers = Watchers()
    watchers.fire(Notice("session", 7))
    watchers.add(_principal(session_id=7), lambda: heard.append("gone"))
    await asyncio.sleep(0)
    assert heard == ["gone"]
    assert watchers.subjects() == []


def test_notices_survive_the_wire_and_noise_does_not() -> None:
    assert Notice.parse(str(Notice("key", 12))) == Notice("key", 12)
    assert [Notice.parse(noise) for noise in ("", "key", "key:", "key:x", "model:1", "user:-1")] == [None] * 6


async def test_a_flight_is_shared_and_survives_the_first_asker() -> None:
    asked = 0
    answer = asyncio.Event()

    async def work() -> int:
        nonlocal asked
        asked += 1
        await answer.wait()
        return 42

    flights = Flights[str, int]("test")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(flights.share("key", work))
        others = [group.create_task(flights.share("key", work)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        answer.set()
    assert (asked, [task.result() for task in others], first.cancelled()) == (1, [42] * 3, True)


async def test_a_failed_flight_fails_all_who_share_it_and_none_after() -> None:
    outcomes = iter([Unavailable("away"), None])

    async def work() -> str:
        await asyncio.sleep(0)
        if (error := next(outcomes)) is not None:
            raise error
        return "back"

    flights = Flights[str, str]("test")
    failed = await asyncio.gather(*(flights.share("key", work) for _ in range(2)), return_exceptions=True)
    assert [type(error) for error in failed] == [Unavailable] * 2
    assert await flights.share("key", work) == "back"
