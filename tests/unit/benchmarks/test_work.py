import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest

from benchmarks.client import Client
from benchmarks.work import Ask, Plan, Result


def test_gaps_run_from_token_to_token() -> None:
    result = Result()
    result.add(10.0, [(10.5, 2), (11.0, 1), (12.0, 2)], tokens=5)
    assert result.first_s == [0.5]
    assert result.gaps_s == [0.0, 0.5, 1.0, 0.0]
    assert (result.answers, result.tokens) == (1, 5)


def test_plans_and_results_cross_process_borders() -> None:
    plan = Plan({"port": 1}, streams=2, seconds=0.5)
    result = Result(seconds=1.5, answers=1, first_s=[0.1])
    assert Plan.from_json(plan.to_json()) == plan
    assert Result.from_json(result.to_json()) == result


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncGenerator[int]:
    """The port of a server that answers one request in these pieces, then hangs up."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        done.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await done.wait()


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


@pytest.mark.anyio
async def test_client_counts_tokens_that_a_border_tears() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [chunk(text) for text in (b"data: wo", b"rd \n\ndata: word word", b" \n\n", b"")]
    result = Result()
    async with answering(head, *pieces) as port:
        await Client().one(Plan(asdict(Ask(port, "GET", "/")), 1, 0), result)
    assert (result.answers, result.failures, result.tokens) == (1, 0, 3)
    assert len(result.gaps_s) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", b""])
async def test_client_counts_refusals_and_hangups_as_failures(answer: bytes) -> None:
    result = Result()
    async with answering(answer) as port:
        await Client().one(Plan(asdict(Ask(port, "GET", "/")), 1, 0), result)
    assert (result.answers, result.failures) == (0, 1)
