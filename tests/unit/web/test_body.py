import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from deployments.contracts.errors import AppError
from serve_app.web import errors
from serve_app.web.body import JsonRoute
from serve_app.web.errors import envelope


class Body(BaseModel):
    text: str = ""
    anything: dict[str, object] = {}


@pytest.fixture(scope="module")
def client() -> TestClient:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/echo")
    async def echo(body: Body) -> str:
        return body.text

    def render(_: str, error: AppError) -> object:
        return envelope(error, {"error": error.message})

    app = FastAPI()
    errors.install(app, render)
    app.include_router(router)
    return TestClient(app)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON"),
        (b"", "required"),
        (b"[]", "valid dictionary"),
        (b'{"text": 1}', "text: "),
        (b'{"text": "\\ud800"}', "not valid Unicode"),
        (b'{"anything": {"\\uDFFF": 1}}', "not valid Unicode"),
        (b'{"anything": {"n": NaN}}', "NaN"),
        (b'{"anything": {"n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "nested too deeply"),
        (b'{"text": "\xff"}', "Unicode"),
    ],
)
def test_what_is_no_proper_json_is_refused(client: TestClient, body: bytes, says: str) -> None:
    answer = client.post("/echo", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_surrogate_pairs_are_text(client: TestClient) -> None:
    answer = client.post("/echo", content=b'{"text": "\\ud83d\\ude00"}', headers={"content-type": "application/json"})
    assert answer.json() == "😀"
