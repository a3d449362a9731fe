"""The trivial model server behind gateways: raw ASGI, OpenAI's shapes, the paces of the benchmarks' engines."""

import json
from typing import Any

from benchmarks.apps.words import words
from benchmarks.engines import FixedPace
from benchmarks.specs import FIXED_PACE, specs
from benchmarks.work import WORD

_ENGINES = {id_: FixedPace(spec) for id_, spec in specs(FIXED_PACE).items()}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """POST of a chat completion, whatever the path."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = json.loads(body)
    if not asked.get("stream"):
        answer = _whole(asked["model"], asked["max_tokens"])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    delta: dict[str, str] = {"role": "assistant"}
    async for word in words(_ENGINES[asked["model"]], asked["max_tokens"]):
        await _send(send, _piece(asked["model"], {**delta, "content": word}, None))
        delta = {}
    await _send(send, _piece(asked["model"], {}, "stop") + b"data: [DONE]\n\n", more=False)


def _whole(model: str, tokens: int) -> bytes:
    message = {"role": "assistant", "content": WORD * tokens}
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({**_head(model, "chat.completion"), "choices": [choice], "usage": usage}).encode()


def _piece(model: str, delta: dict[str, str], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: %s\n\n" % json.dumps({**_head(model, "chat.completion.chunk"), "choices": [choice]}).encode()


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


async def _send(send: Any, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
