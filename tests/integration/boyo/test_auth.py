import pytest

from tests.integration.boyo.conftest import ADMIN, PASSWORD, House

pytestmark = pytest.mark.anyio

LOGIN = {"email": ADMIN, "password": PASSWORD}


async def test_a_session_begins_with_login_and_ends_with_logout(house: House) -> None:
    async with house.client() as client:
        login = await client.post("/auth/login", json={"email": f" {ADMIN.upper()}", "password": PASSWORD})
        user = login.json()["user"]
        assert (user["email"], user["role"]) == (ADMIN, "admin")
        assert "password" not in login.text
        assert (await client.get("/api/me")).json() == user
        session = dict(client.cookies)
        assert (await client.post("/auth/logout")).status_code == 200
        assert not client.cookies
        client.cookies.update(session)
        again = await client.get("/api/me")
        assert (again.status_code, again.json().keys()) == (401, {"error"})


async def test_the_cookie_is_closed_to_scripts_and_to_plain_http_off_the_loopback(house: House) -> None:
    async with house.client() as here, house.client(base_url="https://ai.example.com") as there:
        local = (await here.post("/auth/login", json=LOGIN)).headers["set-cookie"]
        remote = (await there.post("/auth/login", json=LOGIN)).headers["set-cookie"]
    assert "HttpOnly" in local
    assert "SameSite=lax" in local
    assert "Secure" not in local
    assert "Secure" in remote


async def test_login_rotates_the_session(house: House) -> None:
    async with house.client() as client:
        await client.post("/auth/login", json=LOGIN)
        before = dict(client.cookies)
        await client.post("/auth/login", json=LOGIN)
        assert dict(client.cookies) != before
        assert (await client.get("/api/me")).status_code == 200
    async with house.client() as thief:
        thief.cookies.update(before)
        assert (await thief.get("/api/me")).status_code == 401


@pytest.mark.parametrize("email", [ADMIN, "nobody@example.com", "", "no e-mail", "x" * 10_000, "nul\x00@example.com"])
async def test_wrong_credentials_all_look_the_same(house: House, email: str) -> None:
    async with house.client() as client:
        answer = await client.post("/auth/login", json={"email": email, "password": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"error": "wrong e-mail or password"})
    assert "set-cookie" not in answer.headers


async def test_guessing_is_throttled(house: House) -> None:
    async with house.client() as client:
        statuses = [
            (await client.post("/auth/login", json={**LOGIN, "password": f"guess {n}"})).status_code for n in range(30)
        ]
        refused = await client.post("/auth/login", json={**LOGIN, "password": "guess"})
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert int(refused.headers["retry-after"]) >= 1


async def test_other_origins_may_not_write_with_the_cookie(house: House) -> None:
    async with house.admin() as admin:
        evil = {"Origin": "https://evil.example"}
        refused = await admin.post("/api/keys", json={"name": "stolen"}, headers=evil)
        assert (refused.status_code, refused.json().keys()) == (403, {"error"})
        for origin in ("null", "http://[", "http://[x]/", "", "http://localhost.evil.example"):
            assert (await admin.post("/api/keys", json={"name": "x"}, headers={"Origin": origin})).status_code == 403
        assert (await admin.get("/api/keys", headers=evil)).json() == []
        own = await admin.post("/api/keys", json={"name": "own"}, headers={"Origin": "http://localhost"})
        assert own.status_code == 200
        login = await admin.post("/auth/login", json=LOGIN, headers=evil)
        assert login.status_code == 403


async def test_a_key_needs_no_origin(house: House) -> None:
    _, key = await house.user("ann")
    async with house.client(key) as client:
        answer = await client.post("/api/keys", json={"name": "n"}, headers={"Origin": "https://app.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer aigw_unknown", "Bearer \t", "Bearer ü"]
)
async def test_what_is_no_key_is_401(house: House, header: str) -> None:
    async with house.client() as client:
        answer = await client.get("/api/me", headers={"Authorization": header.encode()})
    assert (answer.status_code, answer.json().keys()) == (401, {"error"})
    assert answer.headers["www-authenticate"] == "Bearer"
