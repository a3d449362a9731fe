import asyncio
import json

import pytest

from deployments.contracts.chat import Finish, Message, Spent, TextDelta, ToolCall, Usage
from deployments.contracts.errors import InvalidInput, ModelFailed, Overloaded
from tests.eventually import eventually
from tests.fakes.chat import ScriptedChat, Step, said
from tests.integration.boyo.conftest import House

pytestmark = pytest.mark.anyio

HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}


def script(house: House, *steps: Step) -> ScriptedChat:
    chat = house.chats["scripted"]
    chat.__init__(steps)
    return chat


def frames(text: str) -> list[tuple[str, dict[str, object]]]:
    return [
        (frame.split("\n")[0].removeprefix("event: "), json.loads(frame.split("\ndata: ")[1]))
        for frame in text.strip().split("\n\n")
    ]


async def usage(house: House) -> list[tuple[str, int]]:
    await house.services.meter.flush()
    async with house.admin() as admin:
        return [(line["endpoint"], line["count"]) for line in (await admin.get("/admin/usage")).json()]


async def test_the_documented_stream(house: House) -> None:
    script(house, *said("Hi", " there!"))
    _, key = await house.user("ann")
    async with house.client(key) as client:
        answer = await client.post("/api/chat", json=HELLO, headers={"x-request-id": "mine"})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-request-id"] == "mine"
    first, second, (name, done) = frames(answer.text)
    assert first == ("token", {"content": "Hi", "done": False})
    assert second == ("token", {"content": " there!", "done": False})
    assert name == "done"
    assert done.keys() == {"content", "done", "total_duration", "eval_count"}
    assert (done["content"], done["done"], done["eval_count"]) == ("", True, 2)
    assert await usage(house) == [("/api/chat", 1)]


async def test_tools_reach_the_model_and_their_calls_the_client(house: House) -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Paris"}')
    chat = script(house, Spent(Usage(9, 7)), call, Finish("tool_calls", Usage(9, 7)))
    _, key = await house.user("ann")
    body = {**HELLO, "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"a": [1]}}}]}
    async with house.client(key) as client:
        answer = await client.post("/api/chat", json=body)
        whole = (await client.post("/api/chat", json={**body, "stream": False})).json()
    expected = [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]
    assert [name for name, _ in frames(answer.text)] == ["tool_call", "done"]
    assert frames(answer.text)[0][1] == {"tool_calls": expected}
    assert whole["tool_calls"] == expected
    assert chat.requests[0].tools[0].parameters == {"a": [1]}


async def test_the_history_reaches_the_model(house: House) -> None:
    chat = script(house, *said("ok"))
    _, key = await house.user("ann")
    nested: dict[str, object] = {"text": "x" * 1000}
    for _ in range(100):
        nested = {"deeper": nested, "text": "x" * 1000}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": nested}}]},
        {"role": "tool", "content": "found"},
    ]
    async with house.client(key) as client:
        answer = await client.post("/api/chat", json={"messages": messages})
    assert answer.status_code == 200
    [request] = chat.requests
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "tool"]
    assert json.loads(request.messages[2].tool_calls[0].arguments) == nested
    assert request.messages[3] == Message("tool", "found", (), "call_2_0")


async def test_tenants_do_not_share_cached_prefixes(house: House) -> None:
    chat = script(house, *said("ok"))
    for name in ("ann", "ben"):
        _, key = await house.user(name)
        async with house.client(key) as client:
            await client.post("/api/chat", json=HELLO)
    ann, ben = (request.cache_salt for request in chat.requests)
    assert ann != ben
    assert ann
    assert ben


@pytest.mark.parametrize(
    ("error", "status"),
    [(InvalidInput("too long"), 400), (Overloaded("full", retry_after=3), 429), (ModelFailed("broke"), 502)],
)
async def test_a_failure_before_the_first_event_is_a_status(house: House, error: Exception, status: int) -> None:
    script(house, error)
    _, key = await house.user("ann")
    async with house.client(key) as client:
        for stream in (True, False):
            answer = await client.post("/api/chat", json={**HELLO, "stream": stream})
            assert (answer.status_code, answer.json()) == (status, {"error": str(error)})
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)


async def test_a_failure_after_it_is_an_event(house: House) -> None:
    script(house, Spent(Usage(3, 1)), TextDelta("Hi"), ValueError("what the engine knows is nobody's business"))
    _, key = await house.user("ann")
    async with house.client(key) as client:
        answer = await client.post("/api/chat", json=HELLO)
        whole = await client.post("/api/chat", json={**HELLO, "stream": False})
    assert answer.status_code == 200
    assert frames(answer.text)[-1] == ("error", {"error": "model 'scripted' failed"})
    assert (whole.status_code, whole.json()) == (502, {"error": "model 'scripted' failed"})
    assert await usage(house) == [("/api/chat", 2)]


async def test_a_revoked_key_ends_a_turn_that_waits_for_its_first_word(house: House) -> None:
    chat = script(house, 3600.0)
    user_id, key = await house.user("ann")
    async with house.client(key) as client, house.admin() as admin:
        asking = [
            asyncio.create_task(client.post("/api/chat", json={**HELLO, "stream": stream})) for stream in (True, False)
        ]

        async def both_wait() -> bool:
            return chat.running == 2

        await eventually(both_wait)
        assert (await admin.delete(f"/admin/users/{user_id}")).status_code == 200
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*asking)
    refusal = {"error": "this credential was revoked"}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(401, refusal)] * 2
    assert (chat.running, chat.aborted) == (0, 2)


async def test_a_million_wrong_elements_cost_no_more_than_one(house: House) -> None:
    _, key = await house.user("ann")
    zeros = b"[" + b"0," * 3_000_000 + b"0]"
    bodies = [
        b'{"messages": ' + zeros + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "stop": ' + zeros + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "tools": ' + zeros + b"}",
        b'{"messages": [{"role": "assistant", "tool_calls": ' + zeros + b"}]}",
    ]
    async with house.client(key) as client:
        for body in bodies:
            answer = await client.post("/api/chat", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400
            assert len(answer.text) < 200


async def test_a_model_is_chosen_by_name(house: House) -> None:
    _, key = await house.user("ann")
    async with house.client(key) as client:
        await client.post("/api/chat", json={**HELLO, "model": "second"})
        unknown = await client.post("/api/chat", json={**HELLO, "model": "third"})
    assert len(house.chats["second"].requests) == 1
    assert unknown.status_code == 404


async def test_a_spent_quota_refuses_the_next_turn_and_not_others(house: House) -> None:
    script(house, *said(*["word"] * 50, read=60))
    user_id, key = await house.user("ann", token_quota=100)
    _, other = await house.user("ben")
    async with house.client(key) as client, house.client(other) as ben:
        assert (await client.post("/api/chat", json=HELLO)).status_code == 200
        refused = await client.post("/api/chat", json=HELLO)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await ben.post("/api/chat", json=HELLO)).status_code == 200
        async with house.admin() as admin:
            await admin.put(f"/admin/users/{user_id}", json={"token_quota": None})
        assert (await client.post("/api/chat", json=HELLO)).status_code == 200


async def test_the_rate_limit_is_said_with_when_to_return(house: House) -> None:
    _, key = await house.user("ann", rate_limit=3)
    async with house.client(key) as client:
        answers = [await client.get("/api/me") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 2 <= len(refused) <= 5
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"messages": []}',
        b'{"messages": {}}',
        b'{"messages": [[]]}',
        b'{"messages": [{"role": "user"}]}',
        b'{"messages": [{"role": "user", "content": ""}]}',
        b'{"messages": [{"role": "robot", "content": "x"}]}',
        b'{"messages": [{"role": "user", "content": ["x"]}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 1e99}',
        b'{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function", "function": {"name": ""}}]}',
        b'{"messages": ' + b"[" * 200_000,
        b'{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "no"}}]}]}',
        b"\xff\xfe",
    ],
)
async def test_hostile_bodies_are_refused_in_the_envelope(house: House, body: bytes) -> None:
    _, key = await house.user("ann")
    async with house.client(key) as client:
        answer = await client.post("/api/chat", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json().keys() == {"error"}
    assert house.chats["scripted"].requests == []
