"""boyoAI: Admin."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from serve_app.dialects.boyo.wire import AskerDep, key_body, new_key_body, user_body
from serve_app.domain.accounts import UserPatch
from serve_app.domain.principals import Role
from serve_app.web.body import JsonRoute
from serve_app.web.dependencies import ServicesDep

router = APIRouter(route_class=JsonRoute, prefix="/admin", tags=["Admin"])


class NewUserBody(BaseModel):
    email: str
    password: str
    name: str | None = None
    role: Role = "customer"
    rate_limit: int | None = None
    token_quota: int | None = None


class UserPatchBody(BaseModel):
    name: str | None = None
    role: Role | None = None
    active: bool | None = None
    rate_limit: int | None = None
    token_quota: int | None = None


class NewUserKeyBody(BaseModel):
    user_id: int
    name: str


@router.get("/users")
async def list_users(asker: AskerDep, services: ServicesDep) -> list[dict[str, Any]]:
    """Every user, deactivated ones included."""
    return [user_body(user) for user in await services.users.list(asker.principal)]


@router.post("/users")
async def create_user(body: NewUserBody, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """A new user; role `customer` unless told, and the default rate limit."""
    return user_body(await services.users.create(asker.principal, **body.model_dump()))


@router.put("/users/{id}")
async def update_user(id: int, body: UserPatchBody, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """Change what the body names; the rest stays."""
    patch = UserPatch(**body.model_dump(exclude_unset=True))
    return user_body(await services.users.update(asker.principal, id, patch))


@router.delete("/users/{id}")
async def deactivate_user(id: int, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """Deactivate a user, whose keys, sessions and running answers end at once."""
    await services.users.deactivate(asker.principal, id)
    return {"deactivated": True, "id": id}


@router.get("/usage")
async def usage(asker: AskerDep, services: ServicesDep, period: str = "24h") -> list[dict[str, Any]]:
    """Metered requests by user and endpoint over the last 24h, 7d or 30d."""
    return [
        {"user_id": line.user_id, "email": line.email, "endpoint": line.endpoint, "count": line.count}
        for line in await services.usage.report(asker.principal, period)
    ]


@router.get("/apikeys")
async def list_all_keys(asker: AskerDep, services: ServicesDep) -> list[dict[str, Any]]:
    """The keys of all users."""
    return [
        {**key_body(key), "user_id": key.user_id, "email": key.user_email}
        for key in await services.keys.list_all(asker.principal)
    ]


@router.post("/apikeys")
async def create_user_key(body: NewUserKeyBody, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """A key for any user; its value is shown this once."""
    return new_key_body(await services.keys.create_for(asker.principal, body.user_id, body.name))


@router.delete("/apikeys/{id}")
async def delete_any_key(id: int, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """Delete any key; it stops working at once."""
    await services.keys.delete_any(asker.principal, id)
    return {"deleted": True, "id": id}
