"""What a user may spend: requests a minute over all replicas, and tokens in any 30 days."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from deployments.contracts.errors import RateLimited, Unavailable
from serve_app.db.database import Database
from serve_app.db.permits import Permits
from serve_app.db.usage import UsageBook
from serve_app.domain.flights import Flights
from serve_app.domain.principals import Principal
from serve_app.services.usage.meter import Meter

_WINDOW_S = 60
_LARGEST_BLOCK = 50
_BLOCKS_A_MINUTE = 20
_TIDY_S = 60
_PERMITS_KEPT_S = 3600
_QUOTA_PERIOD = timedelta(days=30)
_QUOTA_FRESH_S = 5.0


@dataclass(slots=True)
class _Lease:
    """What this replica may still admit for one user in one clock window; `until` is on our own clock."""

    rate_limit: int
    until: float
    left: int
    admitted: int = 0
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class _Sum:
    """Tokens on the books, and how many of ours were among them for sure."""

    booked: int
    own_booked: int
    frees_in_s: float
    read_at: float


class Limits:
    """One per replica. The hot path decides from memory; Postgres is asked once per block of permits.

    Over all replicas no more than `rate_limit` requests are admitted in a clock minute of Postgres. While Postgres
    is away each replica admits up to `rate_limit` a minute by itself: the one case in which they cannot see each other.
    """

    def __init__(self, database: Database, meter: Meter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._meter = meter
        self._clock = clock
        self._leases: dict[int, _Lease] = {}
        self._renewals: Flights[tuple[int, int], None] = Flights("permits")
        self._sums: dict[int, _Sum] = {}
        self._refreshes: Flights[int, _Sum] = Flights("quota")
        self._tidy_at = 0.0

    async def admit(self, principal: Principal) -> None:
        """Spend one request; RateLimited when the minute's are spent."""
        while True:
            now = self._clock()
            lease = self._leases.get(principal.user_id)
            if lease is not None and now < lease.until:
                if lease.left > 0:
                    lease.left -= 1
                    lease.admitted += 1
                    return
                if lease.exhausted and lease.rate_limit == principal.rate_limit:
                    raise RateLimited("too many requests this minute", retry_after=lease.until - now)
            await self._renewals.share((principal.user_id, principal.rate_limit), lambda: self._renew(principal))

    async def quota(self, principal: Principal) -> None:
        """RateLimited when the user's tokens are spent; what this replica has metered counts at once.

        While Postgres is away the last sum that was read holds; where there is none, only what was metered here.
        """
        if principal.token_quota is None:
            return
        known = self._sums.get(principal.user_id)
        if known is None or self._clock() - known.read_at > _QUOTA_FRESH_S:
            known = await self._refreshes.share(principal.user_id, lambda: self._refresh(principal.user_id))
        unbooked = self._meter.tally(principal.user_id).metered - known.own_booked
        if known.booked + unbooked >= principal.token_quota:
            raise RateLimited("the token quota is spent", retry_after=max(1.0, known.frees_in_s))

    async def _renew(self, principal: Principal) -> None:
        """Lease the next block. Our window ends no later than Postgres's: its time left is counted from our asking."""
        now, user_id, rate_limit = self._clock(), principal.user_id, principal.rate_limit
        before = self._leases.get(user_id)
        if before is not None and before.until <= now:
            before = None
        admitted = before.admitted if before else 0
        block = min(max(rate_limit // _BLOCKS_A_MINUTE, 1), _LARGEST_BLOCK)
        try:
            async with self._database.transaction() as session:
                await self._tidy(session, now)
                grant = await Permits(session).take(
                    f"user:{user_id}", wanted=block, limit=rate_limit, window_s=_WINDOW_S
                )
            lease = _Lease(rate_limit, now + grant.left_s, grant.count, admitted, exhausted=grant.count < block)
        except Unavailable:
            until = before.until if before else now + _WINDOW_S
            lease = _Lease(rate_limit, until, max(0, rate_limit - admitted), admitted, exhausted=True)
        self._leases[user_id] = lease

    async def _refresh(self, user_id: int) -> _Sum:
        # Read before the books are: what is booked in between is counted twice for a moment, never left out.
        own_booked, now = self._meter.tally(user_id).booked, self._clock()
        try:
            async with self._database.transaction() as session:
                booked, frees_in_s = await UsageBook(session).tokens(user_id, _QUOTA_PERIOD)
            known = _Sum(booked, own_booked, frees_in_s, now)
        except Unavailable:
            known = replace(self._sums.get(user_id, _Sum(0, 0, 0.0, now)), read_at=now)
        self._sums[user_id] = known
        return known

    async def _tidy(self, session: AsyncSession, now: float) -> None:
        if now < self._tidy_at:
            return
        self._tidy_at = now + _TIDY_S
        self._leases = {user_id: lease for user_id, lease in self._leases.items() if now < lease.until}
        await Permits(session).forget(older_than_s=_PERMITS_KEPT_S)
