"""Clients could steer Serve by headers that are meant for its operators; these go before Serve reads them."""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

_CONTROL = frozenset(
    {
        # Keeps a request running after its client has left.
        b"x-request-disconnect-disabled",
        # Overrides the operator's timeout.
        b"x-request-timeout-seconds",
        # Routes to a replica that has a certain model loaded.
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
    }
)


class ControlHeaders:
    """Takes Serve's control headers off every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name.lower() not in _CONTROL]
        await self._app(scope, receive, send)


def around_serve() -> list[Middleware]:
    """For RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH: the app itself sits behind Serve, too deep for this."""
    return [Middleware(ControlHeaders)]
