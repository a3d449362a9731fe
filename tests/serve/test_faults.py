"""Replicas and Postgres are taken away under load; what was promised holds."""

import asyncio
import time
from typing import Any

import httpx
import psutil
import pytest

from tests.eventually import eventually
from tests.serve.stack import Stack, events, hello

pytestmark = pytest.mark.anyio


async def test_a_model_replica_killed_mid_stream_ends_in_an_error_event_and_comes_back(stack: Stack) -> None:
    user_id, key = await stack.user("bereft")
    seen: list[tuple[str, dict[str, Any]]] = []
    async with stack.client(key) as client:
        async with client.stream("POST", "/api/chat", json=hello("slow")) as answer:
            async for event in events(answer):
                seen.append(event)
                if len(seen) == 5:
                    [replica] = stack.replicas("slow")
                    replica.kill()
        assert seen[-1][0] == "error"
        assert "slow" in seen[-1][1]["error"]
        received = sum(data["content"].count("word") for name, data in seen if name == "token")

        statuses: list[int] = []

        async def answers() -> bool:
            assert (await client.get("/metrics")).status_code == 200
            assert (await client.get("/health")).status_code == 200
            again = await client.post("/api/chat", json=hello("slow", stream=False, max_tokens=2))
            statuses.append(again.status_code)
            assert again.status_code in (200, 503)
            assert again.status_code == 200 or int(again.headers["retry-after"]) >= 1
            return again.status_code == 200

        await eventually(answers, within_s=60)
    assert 503 in statuses
    await eventually(lambda: _booked(stack, user_id, 1 + len(statuses)))
    failed, *refused, finished = await stack.rows(user_id)
    assert (failed["outcome"], finished["outcome"]) == ("failed", "finished")
    assert received <= failed["completion_tokens"] <= received + 2
    assert {(row["outcome"], row["completion_tokens"]) for row in refused} == {("failed", 0)}


async def test_with_a_second_replica_the_next_call_is_answered(stack: Stack) -> None:
    _, key = await stack.user("survivor")
    victim, _ = stack.replicas("twins")
    victim.kill()
    async with stack.client(key) as client:

        async def answers() -> bool:
            again = await client.post("/api/chat", json=hello("twins", stream=False, max_tokens=2))
            return again.status_code == 200

        await eventually(answers, within_s=5)
    await eventually(lambda: _replicas(stack, "twins", 2), within_s=60)


async def test_a_revoked_key_stops_at_once_on_every_ingress_replica(stack: Stack) -> None:
    _, key = await stack.user("revoked")
    async with stack.admin() as admin:
        keys = (await admin.get("/admin/apikeys")).json()
        [key_id] = [found["id"] for found in keys if found["email"] == "revoked@example.com"]
        assert {await _me(stack, key) for _ in range(20)} == {200}
        async with stack.client(key) as client, client.stream("POST", "/api/chat", json=hello("slow")) as answer:
            seen = []
            async for event in events(answer):
                seen.append(event)
                if len(seen) == 3:
                    assert (await admin.delete(f"/admin/apikeys/{key_id}")).status_code == 200
                    await asyncio.sleep(1)
                    assert {await _me(stack, key) for _ in range(20)} == {401}
    assert seen[-1] == ("error", {"error": "this credential was revoked"})


async def test_usage_is_exact_under_concurrent_load(stack: Stack) -> None:
    user_id, key = await stack.user("counted")
    async with stack.client(key) as client:
        written = await _load(client, requests=150, at_once=16)
    await eventually(lambda: _booked(stack, user_id, 150))
    rows = await stack.rows(user_id)
    assert sum(row["completion_tokens"] for row in rows) == sum(written)
    assert {row["outcome"] for row in rows} == {"finished"}
    async with stack.admin() as admin:
        report = (await admin.get("/admin/usage", params={"period": "24h"})).json()
    line = {"user_id": user_id, "email": "counted@example.com", "endpoint": "/api/chat", "count": 150}
    assert [found for found in report if found["user_id"] == user_id] == [line]


async def test_the_rate_limit_holds_over_both_ingress_replicas(stack: Stack) -> None:
    _, key = await stack.user("limited", rate_limit=30)
    first = int(time.time() // 60)
    answers = await asyncio.gather(*(_me_response(stack, key) for _ in range(90)))
    windows = int(time.time() // 60) - first + 1
    admitted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(admitted) + len(refused) == 90
    assert 30 <= len(admitted) <= 30 * windows
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)


async def test_postgres_restarts_under_load_and_nothing_is_lost(stack: Stack) -> None:
    user_id, key = await stack.user("steadfast")
    async with stack.client(key) as client:
        # Every ingress replica must know the key before Postgres goes.
        before = await _load(client, requests=40, at_once=8)
        during = asyncio.create_task(_load(client, requests=400, at_once=8))
        await asyncio.sleep(0.5)
        assert not during.done()
        stack.postgres.stop()
        try:
            unknown = await _me_response(stack, "aigw_" + "x" * 43)
            assert unknown.status_code == 503
            assert int(unknown.headers["retry-after"]) >= 1
            assert not during.done()
        finally:
            stack.postgres.start()
        written = before + await during
    await eventually(lambda: _booked(stack, user_id, 440), within_s=60)
    rows = await stack.rows(user_id)
    assert len(rows) == 440
    assert sum(row["completion_tokens"] for row in rows) == sum(written)


async def test_an_ingress_replica_killed_under_load_loses_no_usage(stack: Stack) -> None:
    user_id, key = await stack.user("orphaned")
    got: list[int] = []

    async def ask() -> None:
        tokens = 0
        try:
            async with stack.client(key) as client, client.stream("POST", "/api/chat", json=hello("slow")) as answer:
                async for name, data in events(answer):
                    tokens += data["content"].count("word") if name == "token" else 0
        except httpx.HTTPError:
            pass
        got.append(tokens)

    asking = [asyncio.create_task(ask()) for _ in range(8)]
    await asyncio.sleep(3)
    victim = stack.replicas("Gateway")[0]
    victim.kill()
    # What a dying process accepts is in flight, and no new call.
    await eventually(lambda: _gone(victim))
    statuses = [(await _me_response(stack, key)).status_code for _ in range(40)]
    assert max(statuses) < 500
    await asyncio.gather(*asking)
    await eventually(lambda: _booked(stack, user_id, 8), within_s=60)
    rows = await stack.rows(user_id)
    assert {row["outcome"] for row in rows} == {"finished", "lost"}
    booked, received = sorted(row["completion_tokens"] for row in rows), sorted(got)
    assert all(mine >= theirs for mine, theirs in zip(booked, received, strict=True))
    assert all(mine <= 200 for mine in booked)
    await eventually(lambda: _replicas(stack, "Gateway", 2), within_s=60)
    await asyncio.sleep(3)
    assert len(await stack.rows(user_id)) == 8


async def _load(client: httpx.AsyncClient, *, requests: int, at_once: int) -> list[int]:
    """Tokens that each answer said it wrote; every request must succeed."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> int:
        async with gate:
            body = hello("brisk", stream=bool(number % 2), max_tokens=1 + number % 20)
            if not number % 2:
                answer = await client.post("/api/chat", json=body)
                assert answer.status_code == 200, answer.text
                return answer.json()["eval_count"]
            async with client.stream("POST", "/api/chat", json=body) as answer:
                assert answer.status_code == 200, await answer.aread()
                found = [event async for event in events(answer)]
            assert found[-1][0] == "done"
            return found[-1][1]["eval_count"]

    return await asyncio.gather(*(one(number) for number in range(requests)))


async def _me_response(stack: Stack, key: str) -> httpx.Response:
    """On a connection of its own, so that either ingress replica may get it."""
    async with stack.client(key) as client:
        return await client.get("/api/me")


async def _me(stack: Stack, key: str) -> int:
    return (await _me_response(stack, key)).status_code


async def _booked(stack: Stack, user_id: int, count: int) -> bool:
    return len(await stack.rows(user_id)) >= count


async def _gone(process: psutil.Process) -> bool:
    # A zombie's threads may still hold its sockets.
    return not process.is_running()


async def _replicas(stack: Stack, deployment: str, count: int) -> bool:
    return (
        len(stack.replicas(deployment)) == count and await stack.metric("polyphony_model_replicas", model="slow") == 1
    )
