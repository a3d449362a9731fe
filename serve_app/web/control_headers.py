"""What must be settled before Serve reads a request: by headers a client could steer it, or make it stumble."""

import re
import uuid

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "x-request-id"
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_CONTROL = re.compile(
    rb"x-request-disconnect-disabled"  # keeps a request running after its client has left
    rb"|x-request-timeout-seconds"  # overrides the operator's timeout
    rb"|serve[-_]multiplexed[-_]model[-_]id|x-session-id|x-serve-router-.*",  # choose the replica
    re.IGNORECASE,
)


class ControlHeaders:
    """Takes Serve's control headers off, and settles the one request id that the request and its answer bear."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name.lower() == REQUEST_ID.encode()]
        request_id = given[0] if given and _WELL_FORMED.fullmatch(given[0]) else uuid.uuid4().hex.encode()
        kept = [
            (name, value)
            for name, value in scope["headers"]
            if name.lower() != REQUEST_ID.encode() and not _CONTROL.fullmatch(name)
        ]
        scope["headers"] = [*kept, (REQUEST_ID.encode(), request_id)]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Serve adds the header too; there shall be one.
                MutableHeaders(scope=message)[REQUEST_ID] = request_id.decode()
            await send(message)

        await self._app(scope, receive, sending)


def around_serve() -> list[Middleware]:
    """For RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH: the app itself sits behind Serve, too deep for this."""
    return [Middleware(ControlHeaders)]
