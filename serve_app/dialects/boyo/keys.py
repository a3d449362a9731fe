"""boyoAI: API Keys."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from serve_app.dialects.boyo.wire import AskerDep, key_body, new_key_body
from serve_app.web.body import JsonRoute
from serve_app.web.dependencies import ServicesDep

router = APIRouter(route_class=JsonRoute, tags=["API Keys"])


class NewKeyBody(BaseModel):
    name: str


@router.get("/api/keys")
async def list_keys(asker: AskerDep, services: ServicesDep) -> list[dict[str, Any]]:
    """Your own keys."""
    return [key_body(key) for key in await services.keys.list(asker.principal)]


@router.post("/api/keys")
async def create_key(body: NewKeyBody, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """A new key; its value is shown this once."""
    return new_key_body(await services.keys.create(asker.principal, body.name))


@router.delete("/api/keys/{id}")
async def delete_key(id: int, asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """Delete a key of your own; it stops working at once."""
    await services.keys.delete(asker.principal, id)
    return {"deleted": True, "id": id}
