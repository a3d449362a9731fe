"""boyoAI: Chat / LLM."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, assert_never

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from deployments.contracts.chat import ReasoningDelta, TextDelta, ToolCall
from serve_app.dialects.boyo.chat_body import ChatBody
from serve_app.dialects.boyo.wire import AskerDep
from serve_app.domain.events import ChatEvent, ToolCallRequested, TurnFailed, TurnFinished, TurnStarted
from serve_app.pipelines.collect import collect
from serve_app.web.body import JsonRoute
from serve_app.web.dependencies import ServicesDep
from serve_app.web.disconnect import unless_left
from serve_app.web.sse import Frame, respond

router = APIRouter(route_class=JsonRoute, tags=["Chat / LLM"])


@router.post("/api/chat", response_model=None)
async def chat(body: ChatBody, request: Request, asker: AskerDep, services: ServicesDep) -> Response:
    """Chat with tools, as Server-Sent Events; `"stream": false` gathers the answer into one JSON object."""
    turn = await services.chat.open(asker, body.to_ask())
    events = services.chat.stream(turn)
    if body.stream:
        return await respond(request, events, render)
    return JSONResponse(answer_body(await unless_left(request, collect(events))))


async def render(events: AsyncIterator[ChatEvent]) -> AsyncGenerator[Frame]:
    """token… tool_call… done, or error."""
    async for event in events:
        match event:
            case TextDelta():
                yield Frame("token", {"content": event.text, "done": False})
            case ToolCallRequested():
                yield Frame("tool_call", {"tool_calls": [call_body(event.call)]})
            case TurnFinished():
                yield Frame("done", {"content": "", "done": True, **_timings(event)})
            case TurnFailed():
                yield Frame("error", {"error": event.error.message})
            case TurnStarted() | ReasoningDelta():
                pass
            case _:
                assert_never(event)


def answer_body(finished: TurnFinished) -> dict[str, Any]:
    calls = {"tool_calls": [call_body(call) for call in finished.calls]} if finished.calls else {}
    return {"content": finished.text, **calls, "done": True, **_timings(finished)}


def call_body(call: ToolCall) -> dict[str, Any]:
    return {"function": {"name": call.name, "arguments": json.loads(call.arguments)}}


def _timings(finished: TurnFinished) -> dict[str, int]:
    """`total_duration` in nanoseconds, `eval_count` in tokens written."""
    return {
        "total_duration": round(finished.timings.total_s * 1e9),
        "eval_count": finished.usage.completion_tokens,
    }
