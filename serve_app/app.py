"""The app: dialects over services, behind one edge. Knows no Ray."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.responses import Response

from deployments.contracts.errors import AppError
from serve_app.dialects import boyo
from serve_app.services.bootstrap import Services
from serve_app.web import docs, errors, operations
from serve_app.web.control_headers import ControlHeaders
from serve_app.web.dialect import Dialect
from serve_app.web.middleware import BodyCap, Edge
from serve_app.web.proxies import Proxies

DIALECTS: Sequence[Dialect] = (boyo.DIALECT,)
"""In the order in which they claim paths; the last claims every path."""


def create_app(services: Services) -> FastAPI:
    """The ASGI app; its lifespan starts and closes the services."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await services.start()
        try:
            yield
        finally:
            await services.close()

    settings = services.settings
    app = FastAPI(
        title="Polyphony",
        description="A self-hosted API for every kind of model.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(ControlHeaders),
            Middleware(
                Edge, metrics=services.metrics, proxies=Proxies(settings.trusted_proxies), render_error=render_error
            ),
            Middleware(BodyCap, limit=settings.max_body_mb * 2**20, render_error=render_error),
        ],
    )
    app.state.services = services
    errors.install(app, render_error)
    docs.install(app)
    app.include_router(operations.router)
    for dialect in DIALECTS:
        app.include_router(dialect.router)
    return app


def render_error(path: str, error: AppError) -> Response:
    """An error in the envelope of the dialect that owns the path."""
    owner = next(dialect for dialect in DIALECTS if dialect.owns(path))
    return owner.render_error(error)
