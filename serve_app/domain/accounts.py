"""Users, their keys and logins."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

from serve_app.domain.principals import Role

Period = Literal["24h", "7d", "30d"]


class Keep(Enum):
    """Leaves a field as it is where None is a value of its own."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, slots=True)
class User:
    """`rate_limit` is requests a minute; `token_quota` is tokens in any 30 days, None sets no bound."""

    id: int
    email: str
    name: str
    role: Role
    active: bool
    rate_limit: int
    token_quota: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; `prefix` is enough of it to be recognised."""

    id: int
    user_id: int
    user_email: str
    name: str
    prefix: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewKey:
    """The only moment at which the secret is known."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class Login:
    """`session` is the secret that the cookie carries."""

    user: User
    session: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UserPatch:
    """What changes; None leaves a field as it is."""

    name: str | None = None
    role: str | None = None
    active: bool | None = None
    rate_limit: int | None = None
    token_quota: int | Keep | None = KEEP
    password: str | None = None


@dataclass(frozen=True, slots=True)
class UsageCount:
    """Requests of one user on one route."""

    user_id: int
    email: str
    endpoint: str
    count: int
