import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from serve_app.web.control_headers import ControlHeaders


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says which headers reached it, and answers with a request id of its own, as Serve does."""
    seen = {name: value for name, value in Request(scope).headers.items() if name.startswith(("x-", "serve"))}
    response: Response = JSONResponse(seen)
    response.raw_headers += [(b"x-request-id", b"another"), (b"x-request-id", b"and another")]
    await response(scope, receive, send)


def ask(headers: dict[str, bytes]) -> tuple[dict[str, str], list[str]]:
    answer = TestClient(ControlHeaders(app)).get("/", headers=headers)
    return answer.json(), answer.headers.get_list("x-request-id")


def test_a_well_formed_request_id_goes_through_and_comes_back_once() -> None:
    assert ask({"X-Request-ID": b"abc-1:2"}) == ({"x-request-id": "abc-1:2"}, ["abc-1:2"])


@pytest.mark.parametrize("given", [b"", b"a b", b"<script>", b"\xff", b"x" * 129])
def test_any_other_is_replaced(given: bytes) -> None:
    seen, [answered] = ask({"X-Request-ID": given})
    assert seen == {"x-request-id": answered}
    assert len(answered) == 32


@pytest.mark.parametrize(
    "name",
    [
        "x-request-disconnect-disabled", "X-Request-Timeout-Seconds", "serve_multiplexed_model_id",
        "Serve-Multiplexed-Model-Id", "x-session-id", "x-serve-router-anything",
    ],
)  # fmt: skip
def test_what_steers_serve_is_taken_off(name: str) -> None:
    seen, _ = ask({name: b"\xe9", "x-kept": b"1"})
    assert seen.keys() == {"x-request-id", "x-kept"}
