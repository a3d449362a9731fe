"""boyoAI: Authentication."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from serve_app.dialects.boyo.wire import AskerDep, user_body
from serve_app.web.body import JsonRoute
from serve_app.web.dependencies import (
    SESSION_COOKIE,
    ServicesDep,
    check_origin,
    client_address,
    secure_cookies,
)

router = APIRouter(route_class=JsonRoute, tags=["Authentication"])


class LoginBody(BaseModel):
    email: str
    password: str


@router.post("/auth/login")
async def login(body: LoginBody, request: Request, response: Response, services: ServicesDep) -> dict[str, Any]:
    """Authenticate and receive a session cookie."""
    check_origin(request)
    login = await services.accounts.login(
        body.email, body.password, address=client_address(request), previous=request.cookies.get(SESSION_COOKIE)
    )
    response.set_cookie(
        SESSION_COOKIE, login.session, expires=login.expires_at,
        httponly=True, samesite="lax", secure=secure_cookies(request),
    )  # fmt: skip
    return {"user": user_body(login.user)}


@router.post("/auth/logout")
async def logout(request: Request, response: Response, _: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """End the session and clear its cookie."""
    if (session := request.cookies.get(SESSION_COOKIE)) is not None:
        await services.accounts.logout(session)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=secure_cookies(request))
    return {"ok": True}


@router.get("/api/me")
async def me(asker: AskerDep, services: ServicesDep) -> dict[str, Any]:
    """The authenticated user's profile."""
    return user_body(await services.accounts.me(asker.principal))
