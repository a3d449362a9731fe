"""What routes ask for: the services, and who is asking."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from deployments.contracts.errors import Forbidden, Unauthenticated
from serve_app.domain.principals import Asker, Principal
from serve_app.services.bootstrap import Services
from serve_app.web.proxies import is_loopback

SESSION_COOKIE = "polyphony_session"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


async def services(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


ServicesDep = Annotated[Services, Depends(services)]


BearerDep = Annotated[
    HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, description="An API key, `aigw_…`"))
]


async def by_bearer_or_session(request: Request, found: ServicesDep, bearer: BearerDep) -> Principal:
    """An API key in the Authorization header or, failing that, the session cookie."""
    if bearer is not None:
        return await found.authenticator.by_key(bearer.credentials)
    if (session := request.cookies.get(SESSION_COOKIE)) is not None:
        check_origin(request)
        return await found.authenticator.by_session(session)
    raise Unauthenticated("a credential is required: Authorization: Bearer <API key>")


def asker_by(principal_of: Callable[..., Awaitable[Principal]]) -> Callable[..., Awaitable[Asker]]:
    """A dependency: the asker whom the dialect's own credential proves, within the rate limit."""

    async def asker(
        request: Request, found: ServicesDep, principal: Annotated[Principal, Depends(principal_of)]
    ) -> Asker:
        await found.limits.admit(principal)
        return Asker(principal, request.scope["route"].path, request.state.request_id)

    return asker


def check_origin(request: Request) -> None:
    """A browser sends cookies along with what other sites make it write: those must come from our own pages."""
    origin = request.headers.get("origin")
    if request.method in _READING or origin is None:
        return
    if _host_of(origin) != request.headers.get("host"):
        raise Forbidden("this origin may not use the session")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def secure_cookies(request: Request) -> bool:
    """Whether cookies need TLS: everywhere but on the loopback."""
    return not is_loopback(request.url.hostname or "")


def client_address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"
