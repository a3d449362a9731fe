"""How often anyone may try to log in."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from deployments.contracts.errors import RateLimited
from serve_app.db.permits import Grant, Permits

_WINDOW_S = 300
_PER_PAIR = 10
_PER_ADDRESS = 60
# Looser than the others: whoever tries from many addresses must not lock the owner out at once.
_PER_EMAIL = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way: what it took of which permits."""

    grants: tuple[tuple[str, Grant], ...]

    async def forgive(self, session: AsyncSession) -> None:
        """Only failures count."""
        for subject, grant in self.grants:
            await Permits(session).give_back(subject, grant)


async def attempt(session: AsyncSession, *, email: str, address: str) -> Attempt:
    """RateLimited when the pair, the address or the e-mail has failed too often in this five-minute window."""
    limits = {
        f"login:{email}@{address}": _PER_PAIR,
        f"login-from:{address}": _PER_ADDRESS,
        f"login-as:{email}": _PER_EMAIL,
    }
    grants: list[tuple[str, Grant]] = []
    for subject, limit in limits.items():
        grant = await Permits(session).take(subject, wanted=1, limit=limit, window_s=_WINDOW_S)
        if grant.count == 0:
            raise RateLimited("too many failed logins", retry_after=grant.left_s)
        grants.append((subject, grant))
    return Attempt(tuple(grants))
