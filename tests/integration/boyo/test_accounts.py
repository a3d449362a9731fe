"""Keys and administration: who may what, and what of others one can see."""

import pytest

from tests.house.test_routes import served
from tests.integration.boyo.conftest import PASSWORD, House

pytestmark = pytest.mark.anyio

PUBLIC = {"/auth/login", "/docs", "/health", "/metrics"}


async def test_every_route_by_every_role(house: House) -> None:
    """Admin routes deny by default, and nothing but the documented public routes goes without a credential."""
    _, key = await house.user("customer")
    async with house.client() as nobody, house.client(key) as customer:
        for method, path in sorted(served(house.app.routes)):
            target = path.replace("{}", "999999")
            anonymous = await nobody.request(method, target)
            expected = {200, 400} if path in PUBLIC else {401}
            assert anonymous.status_code in expected, (method, path, anonymous.text)
            if path.startswith("/admin"):
                valid = {"email": "x@example.com", "password": PASSWORD, "user_id": 1, "name": "x"}
                denied = await customer.request(method, target, json=valid)
                assert denied.status_code == 403, (method, path, denied.text)
                assert denied.json().keys() == {"error"}


async def test_a_key_is_shown_once_and_works_until_it_is_deleted(house: House) -> None:
    _, first = await house.user("ann")
    async with house.client(first) as client:
        made = (await client.post("/api/keys", json={"name": "Production"})).json()
        assert made.keys() == {"id", "key", "name"}
        assert made["key"].startswith("aigw_")
        listed = (await client.get("/api/keys")).json()
        assert [key["name"] for key in listed] == ["ann's", "Production"]
        assert made["key"] not in str(listed)
        async with house.client(made["key"]) as second:
            assert (await second.get("/api/me")).json()["email"] == "ann@example.com"
            assert (await client.delete(f"/api/keys/{made['id']}")).status_code == 200
            assert (await second.get("/api/me")).status_code == 401
        assert (await client.delete(f"/api/keys/{made['id']}")).status_code == 404


async def test_users_do_not_see_or_touch_each_others_keys(house: House) -> None:
    _, ann = await house.user("ann")
    _, ben = await house.user("ben")
    async with house.client(ann) as hers, house.client(ben) as his:
        [own] = (await hers.get("/api/keys")).json()
        assert own["id"] not in [key["id"] for key in (await his.get("/api/keys")).json()]
        foreign = await his.delete(f"/api/keys/{own['id']}")
        unknown = await his.delete("/api/keys/424242")
        assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
        assert foreign.status_code == 404
        assert (await hers.get("/api/me")).status_code == 200


async def test_the_life_of_a_user(house: House) -> None:
    user_id, key = await house.user("ann", rate_limit=77)
    async with house.admin() as admin, house.client(key) as ann:
        assert (await ann.get("/api/me")).json()["rate_limit"] == 77
        changed = await admin.put(f"/admin/users/{user_id}", json={"name": "Anna", "rate_limit": 88, "unknown": 1})
        assert (changed.json()["name"], changed.json()["rate_limit"], changed.json()["role"]) == (
            "Anna",
            88,
            "customer",
        )
        assert (await ann.get("/api/me")).json()["rate_limit"] == 88
        assert (await admin.delete(f"/admin/users/{user_id}")).status_code == 200
        assert (await ann.get("/api/me")).status_code == 401
        login = await ann.post("/auth/login", json={"email": "ann@example.com", "password": PASSWORD})
        assert login.status_code == 401
        listed = {user["email"]: user["active"] for user in (await admin.get("/admin/users")).json()}
        assert listed["ann@example.com"] is False
        assert (await admin.put(f"/admin/users/{user_id}", json={"active": True})).json()["active"] is True
        assert (await ann.get("/api/me")).status_code == 401


async def test_the_last_admin_stays(house: House) -> None:
    async with house.admin() as admin:
        own = (await admin.get("/api/me")).json()["id"]
        assert (await admin.delete(f"/admin/users/{own}")).status_code == 409
        assert (await admin.put(f"/admin/users/{own}", json={"role": "customer"})).status_code == 409
        assert (await admin.put(f"/admin/users/{own}", json={"active": False})).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/admin/users", {"email": "admin@example.com", "password": PASSWORD}, 409),
        ("POST", "/admin/users", {"email": "no e-mail", "password": PASSWORD}, 400),
        ("POST", "/admin/users", {"email": "a@example.com", "password": "short"}, 400),
        ("POST", "/admin/users", {"email": "a@example.com"}, 400),
        ("POST", "/admin/users", {"email": "a@example.com", "password": PASSWORD, "role": "king"}, 400),
        ("POST", "/admin/users", {"email": "a@example.com", "password": PASSWORD, "rate_limit": 0}, 400),
        ("POST", "/admin/users", {"email": "a@example.com", "password": PASSWORD, "rate_limit": 2**80}, 400),
        ("POST", "/admin/users", {"email": "a@example.com", "password": PASSWORD, "name": "nul\x00"}, 400),
        ("PUT", "/admin/users/424242", {"name": "x"}, 404),
        ("PUT", "/admin/users/0", {"name": "x"}, 404),
        ("PUT", "/admin/users/ann", {"name": "x"}, 400),
        ("PUT", f"/admin/users/{2**70}", {"name": "x"}, 404),
        ("PUT", "/admin/users/-1", {"name": "x"}, 404),
        ("DELETE", "/admin/users/424242", None, 404),
        ("POST", "/admin/apikeys", {"user_id": 424242, "name": "x"}, 404),
        ("POST", "/admin/apikeys", {"user_id": 2**70, "name": "x"}, 404),
        ("POST", "/api/keys", {"name": ""}, 400),
        ("POST", "/api/keys", {"name": "x" * 5000}, 400),
        ("POST", "/api/keys", {"name": "nul\x00"}, 400),
        ("DELETE", f"/admin/apikeys/{2**70}", None, 404),
        ("GET", "/admin/usage?period=5y", None, 400),
    ],
)
async def test_bad_input_is_refused(house: House, method: str, path: str, body: object, status: int) -> None:
    async with house.admin() as admin:
        answer = await admin.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
