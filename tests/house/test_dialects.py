"""Every dialect says every kind of error in its own envelope, also where no route of its own was reached."""

import json

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deployments.contracts.errors import KINDS, AppError
from serve_app.app import DIALECTS
from serve_app.web.dialect import Dialect


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_error_has_a_rendering(dialect: Dialect, kind: type[AppError]) -> None:
    response = dialect.render_error(kind("what happened", retry_after=1.2))
    assert response.status_code == kind.status
    assert "what happened" in bytes(response.body).decode()
    assert response.headers["retry-after"] == "2"
    assert ("www-authenticate" in response.headers) == (kind.status == 401)
    json.loads(bytes(response.body))


def test_the_last_dialect_owns_every_path() -> None:
    assert DIALECTS[-1].owns("/nothing/of/the/kind")


def test_paths_and_methods_that_nobody_owns_are_answered_in_an_envelope(app: FastAPI) -> None:
    client = TestClient(app)
    nowhere = client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()) == (404, {"error": "there is nothing at this path"})
    wrong = client.put("/api/chat", json={})
    assert (wrong.status_code, wrong.json()) == (405, {"error": "this path does not take that method"})
    assert wrong.headers["allow"] == "POST"


def test_bodies_over_the_cap_are_refused_told_or_not(app: FastAPI) -> None:
    client = TestClient(app)
    big = b'{"messages": "' + b"x" * (9 * 2**20) + b'"}'
    told = client.post("/api/chat", content=big, headers={"content-type": "application/json"})
    untold = client.post("/api/chat", content=iter([big]), headers={"content-type": "application/json"})
    assert [told.status_code, untold.status_code] == [413, 413]
    assert told.json() == untold.json() == {"error": "the body may be at most 8388608 bytes"}


def test_request_ids_go_in_and_out_if_they_are_sane(app: FastAPI) -> None:
    client = TestClient(app)
    assert client.get("/nowhere", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/nowhere", headers={"x-request-id": "a\tb" * 100}).headers["x-request-id"]
    assert len(made) == 32
