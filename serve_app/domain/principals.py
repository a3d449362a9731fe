"""Who asks."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["customer", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, and the key or session that proved it."""

    user_id: int
    email: str
    name: str
    role: Role
    rate_limit: int
    """Requests a minute, over all replicas."""
    token_quota: int | None = None
    """Chat tokens in any 30 days; None sets no bound."""
    key_id: int | None = None
    session_id: int | None = None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


@dataclass(frozen=True, slots=True)
class Asker:
    """A principal at work: on which documented route, under which request id."""

    principal: Principal
    route: str
    request_id: str
