"""Envelopes, credentials and shapes that boyoAI's features share."""

from typing import Annotated, Any

from fastapi import Depends, Response

from deployments.contracts.errors import AppError
from serve_app.domain.accounts import ApiKey, NewKey, User
from serve_app.domain.principals import Asker
from serve_app.web.dependencies import asker_by, by_bearer_or_session
from serve_app.web.errors import envelope

AskerDep = Annotated[Asker, Depends(asker_by(by_bearer_or_session))]


def render_error(error: AppError) -> Response:
    return envelope(error, {"error": error.message})


def user_body(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "active": user.active,
        "rate_limit": user.rate_limit,
        "token_quota": user.token_quota,
        "created_at": user.created_at,
    }


def key_body(key: ApiKey) -> dict[str, Any]:
    """A key as its owner sees it again: without the secret."""
    return {"id": key.id, "name": key.name, "prefix": key.prefix, "created_at": key.created_at}


def new_key_body(new: NewKey) -> dict[str, Any]:
    return {"id": new.key.id, "key": new.secret, "name": new.key.name}
