"""What operators call; of no dialect."""

import secrets

from fastapi import APIRouter, Request, Response

from deployments.contracts.errors import Unauthenticated
from serve_app.web.dependencies import BearerDep, ServicesDep, client_address
from serve_app.web.proxies import is_loopback

router = APIRouter(tags=["Operations"])


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, services: ServicesDep, bearer: BearerDep) -> Response:
    """Figures for Prometheus, over all replicas, with the operator's token; on a laptop also from the loopback."""
    settings = services.settings
    if not (settings.trust_loopback and is_loopback(client_address(request))):
        expected = settings.operator_token
        given = bearer.credentials if bearer is not None else ""
        if expected is None or not secrets.compare_digest(given.encode(), expected.get_secret_value().encode()):
            raise Unauthenticated("metrics need the operator's token")
    return Response(await services.operations.scrape(), media_type="text/plain; version=0.0.4; charset=utf-8")
