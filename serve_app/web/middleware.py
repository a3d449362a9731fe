"""Pure ASGI middleware around every dialect: ids, edge headers, body caps, logs and figures."""

import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.contracts.errors import AppError, TooLarge
from serve_app.services.metrics import Metrics
from serve_app.web.control_headers import REQUEST_ID
from serve_app.web.proxies import Proxies

_log = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

RenderError = Callable[[str, AppError], Response]
"""An error, in the envelope of the dialect that owns the path."""


class Edge:
    """Knows the request's id and its client's address, logs and counts the answer."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, proxies: Proxies, render_error: RenderError) -> None:
        self._app = app
        self._metrics = metrics
        self._proxies = proxies
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers[REQUEST_ID]
        scope.setdefault("state", {})["request_id"] = request_id
        scope["client"], scope["scheme"] = self._proxies.client(scope, headers)
        began = time.monotonic()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            pass
        except Exception:  # noqa: BLE001 - the outermost place: nothing above would answer
            _log.exception("request broke", extra={"request_id": request_id})
            if not status:
                error = AppError("something went wrong here; the request id helps to find out what")
                await self._render_error(scope["path"], error)(scope, receive, sending)
        finally:
            if scope["type"] == "http":
                self._note(scope, request_id, status or 499, time.monotonic() - began)

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.request(route, method, status, seconds)
        _log.info(
            "request",
            extra={
                "request_id": request_id, "method": method, "route": route, "status": status,
                "ms": round(seconds * 1000, 1),
            },
        )  # fmt: skip


class BodyCap:
    """Refuses a body larger than `limit` bytes, by its length if it tells, else while it is read."""

    def __init__(self, app: ASGIApp, *, limit: int, render_error: RenderError) -> None:
        self._app = app
        self._limit = limit
        self._render_error = render_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > self._limit:
            await self._render_error(scope["path"], self._too_large())(scope, receive, send)
            return
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._limit:
                    raise self._too_large()
            return message

        await self._app(scope, counting, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body may be at most {self._limit} bytes")
