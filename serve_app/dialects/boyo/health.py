"""boyoAI: service health."""

from typing import Any

from fastapi import APIRouter

from serve_app.web.body import JsonRoute
from serve_app.web.dependencies import ServicesDep

router = APIRouter(route_class=JsonRoute, tags=["Authentication"])


@router.get("/health")
async def health(services: ServicesDep) -> dict[str, Any]:
    """Whether the database and each model answer; public."""
    found = await services.operations.health()
    return {"status": "ok" if found.ok else "degraded", "services": {"database": found.database, **found.models}}
