"""One list of events per thing a turn can do; every dialect must render them all."""

from deployments.contracts.chat import Message, ReasoningDelta, TextDelta, ToolCall, Usage
from deployments.contracts.errors import ModelFailed
from serve_app.domain.events import ChatEvent, Timings, ToolCallRequested, TurnFailed, TurnFinished, TurnStarted
from serve_app.domain.principals import Asker, Principal
from serve_app.domain.turns import ChatAsk, Turn

_ASKER = Asker(Principal(7, "ann@example.com", "Ann", "customer", 60), "/api/chat", "req-1")
_STARTED = TurnStarted(Turn(_ASKER, ChatAsk((Message("user", "Hello!"),)), "smallchat"))
_CALL = ToolCall("call_1", "get_weather", '{"city": "Paris", "days": [1, 2], "note": "déjà \\"vu\\""}')


def _finished(text: str, *calls: ToolCall, reasoning: str = "") -> TurnFinished:
    reason = "tool_calls" if calls else "stop"
    return TurnFinished(text, reasoning, calls, reason, Usage(12, 42, 4), Timings(1.234567891, 0.25))


STREAMS: dict[str, list[ChatEvent]] = {
    "text": [_STARTED, TextDelta("Hi"), TextDelta(" there!\nüñí 🎉"), _finished("Hi there!\nüñí 🎉")],
    "tool_call": [_STARTED, TextDelta("Let me look."), ToolCallRequested(_CALL), _finished("Let me look.", _CALL)],
    "reasoning": [_STARTED, ReasoningDelta("hm"), TextDelta("Yes."), _finished("Yes.", reasoning="hm")],
    "failure": [_STARTED, TextDelta("Hi"), TurnFailed(ModelFailed("model 'smallchat' failed while it answered"))],
}
