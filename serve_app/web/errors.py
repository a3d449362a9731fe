"""Every failure leaves as an AppError, in the envelope of the dialect that owns the path."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException  # noqa: TID251 - raised by the router itself, for paths and methods
from starlette.responses import JSONResponse, Response

from deployments.contracts.errors import AppError, InvalidInput, NotFound
from serve_app.web.middleware import RenderError


def install(app: FastAPI, render_error: RenderError) -> None:
    """Handle what the framework and the use-cases raise."""

    async def app_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)
        return render_error(request.url.path, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return render_error(request.url.path, _first(error.errors()))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = render_error(request.url.path, _from_router(error))
        response.status_code = error.status_code if not isinstance(error.__cause__, AppError) else response.status_code
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(AppError, app_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)


def envelope(error: AppError, body: Any) -> Response:
    """A dialect's error body, with the status and headers that belong to the kind."""
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return JSONResponse(body, status_code=error.status, headers=headers)


def _first(errors: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Names the first field that is wrong; the value itself is the user's text and is not repeated."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    if first["type"] == "json_invalid":
        return InvalidInput("the body is not valid JSON")
    message = f"{where}: {first['msg']}" if where else f"the body: {first['msg']}"
    return InvalidInput(message, param=where or None)


def _from_router(error: HTTPException) -> AppError:
    # FastAPI wraps whatever breaks the reading of a body: a cap of ours, or nesting beyond what json takes.
    if isinstance(error.__cause__, AppError):
        return error.__cause__
    if error.status_code == 404:
        return NotFound("there is nothing at this path")
    if error.status_code == 405:
        return InvalidInput("this path does not take that method")
    if error.status_code == 400:
        return InvalidInput("the body could not be read")
    return AppError(str(error.detail))
