"""What a client sees of a stream, through the whole graph."""

import asyncio

import pytest

from tests.eventually import eventually
from tests.serve.stack import Stack, events, hello

pytestmark = pytest.mark.anyio

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}


async def test_tokens_come_while_the_engine_still_writes(stack: Stack) -> None:
    _, key = await stack.user("streamer")
    seen: list[str] = []
    text = ""
    async with (
        stack.client(key) as client,
        client.stream("POST", "/api/chat", json=hello("slow", max_tokens=30)) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for name, data in events(answer):
            seen.append(name)
            text += data["content"]
            if len(seen) == 3:
                assert await stack.metric("polyphony_engine_running", model="slow") >= 1
    assert seen[-1] == "done"
    assert set(seen[:-1]) == {"token"}
    assert len(seen) > 10
    assert text == "word " * 30
    assert data["eval_count"] == 30
    assert data["total_duration"] > 1_000_000_000


async def test_the_real_engine_calls_a_tool_and_takes_its_result(stack: Stack) -> None:
    _, key = await stack.user("toolmaker")
    body = hello("smallchat", tools=[WEATHER], tool_choice="required", max_tokens=200)
    async with stack.client(key) as client:
        async with client.stream("POST", "/api/chat", json=body) as answer:
            found = [event async for event in events(answer)]
        [call] = [data["tool_calls"][0]["function"] for name, data in found if name == "tool_call"]
        assert call["name"] == "get_weather"
        assert call["arguments"]["city"] in ("Paris", "Rome")
        assert found[-1][0] == "done"
        turn = [
            {"role": "user", "content": "What is the weather?"},
            {"role": "assistant", "content": None, "tool_calls": [{"function": call}]},
            {"role": "tool", "content": "18 degrees"},
        ]
        told = await client.post(
            "/api/chat", json={"messages": turn, "tools": [WEATHER], "stream": False, "max_tokens": 8}
        )
        assert told.status_code == 200
        assert told.json()["done"] is True
        assert 0 < told.json()["eval_count"] <= 8


async def test_the_same_seed_says_the_same_streamed_or_not(stack: Stack) -> None:
    _, key = await stack.user("seeder")
    body = hello("smallchat", seed=11, max_tokens=24)
    async with stack.client(key) as client:
        whole = (await client.post("/api/chat", json={**body, "stream": False})).json()
        async with client.stream("POST", "/api/chat", json=body) as answer:
            streamed = [data["content"] async for name, data in events(answer) if name == "token"]
    assert "".join(streamed) == whole["content"]


async def test_refusals_of_the_engine_arrive_as_a_status(stack: Stack) -> None:
    _, key = await stack.user("talker")
    long = {"messages": [{"role": "user", "content": "word " * 9000}]}
    async with stack.client(key) as client:
        refused = await client.post("/api/chat", json=long)
        schema = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
        unmakeable = await client.post("/api/chat", json=hello("smallchat", response_format=schema))
        unknown = await client.post("/api/chat", json=hello("no-such-model"))
    assert refused.status_code == 400
    assert "tokens" in refused.json()["error"]
    assert "Traceback" not in refused.text
    assert unmakeable.status_code == 400
    assert unknown.status_code == 404


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("headers", [{}, {"x-request-disconnect-disabled": "?1"}], ids=["plain", "steering"])
async def test_a_client_who_leaves_stops_the_engine_and_is_billed(
    stack: Stack, streamed: bool, headers: dict[str, str]
) -> None:
    user_id, key = await stack.user(f"leaver{streamed}{len(headers)}")

    async def ask() -> None:
        async with stack.client(key) as client:
            await client.post("/api/chat", json=hello("slow", stream=streamed), headers=headers)

    asking = asyncio.create_task(ask())
    await eventually(lambda: _running(stack, 1))
    await asyncio.sleep(0.5)
    asking.cancel()
    await eventually(lambda: _running(stack, 0), within_s=5)
    await eventually(lambda: _booked(stack, user_id, 1))
    [row] = await stack.rows(user_id)
    assert row["outcome"] == "left"
    assert 0 < row["completion_tokens"] < 150


async def test_a_full_queue_is_said_with_429_and_when_to_return(stack: Stack) -> None:
    _, key = await stack.user("crowd")
    async with stack.client(key) as client:
        body = hello("narrow", stream=False)
        answers = await asyncio.gather(*(client.post("/api/chat", json=body) for _ in range(12)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all("error" in answer.json() for answer in refused)


async def _running(stack: Stack, count: int) -> bool:
    return await stack.metric("polyphony_engine_running", model="slow") == count


async def _booked(stack: Stack, user_id: int, count: int) -> bool:
    return len(await stack.rows(user_id)) == count
