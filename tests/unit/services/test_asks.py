import math

import pytest

from deployments.contracts.chat import Message, NamedTool, Sampling, Tool, ToolCall
from deployments.contracts.errors import InvalidInput
from serve_app.domain.turns import ChatAsk
from serve_app.services.asks import check

HELLO = (Message("user", "Hello!"),)


def test_sensible_asks_pass() -> None:
    check(ChatAsk(HELLO))
    check(ChatAsk((*HELLO, Message("assistant", "", (ToolCall("1", "f", "{}"),)), Message("tool", "", (), "1"))))
    check(ChatAsk(HELLO, tools=(Tool("f"),), tool_choice=NamedTool("f"), sampling=Sampling(temperature=0, seed=-1)))


@pytest.mark.parametrize(
    ("ask", "param"),
    [
        (ChatAsk(()), "messages"),
        (ChatAsk(HELLO * 3000), "messages"),
        (ChatAsk((Message("user", " \n"),)), "messages[0]"),
        (ChatAsk((Message("user", "x", (ToolCall("1", "f", "{}"),)),)), "messages[0]"),
        (ChatAsk(HELLO, tools=(Tool(""),)), "tools"),
        (ChatAsk(HELLO, tools=(Tool("a b"),)), "tools"),
        (ChatAsk(HELLO, tools=(Tool("f"), Tool("f"))), "tools"),
        (ChatAsk(HELLO, tools=tuple(Tool(f"f{n}") for n in range(200))), "tools"),
        (ChatAsk(HELLO, tool_choice="required"), "tool_choice"),
        (ChatAsk(HELLO, tools=(Tool("f"),), tool_choice=NamedTool("g")), "tool_choice"),
        (ChatAsk(HELLO, sampling=Sampling(max_tokens=0)), "max_tokens"),
        (ChatAsk(HELLO, sampling=Sampling(temperature=-0.1)), "temperature"),
        (ChatAsk(HELLO, sampling=Sampling(top_p=math.nan)), "top_p"),
        (ChatAsk(HELLO, sampling=Sampling(seed=2**64)), "seed"),
        (ChatAsk(HELLO, sampling=Sampling(stop=("",))), "stop"),
    ],
)
def test_what_no_engine_could_answer_is_refused_by_field(ask: ChatAsk, param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(ask)
    assert caught.value.param == param
