"""From a credential to who it stands for, from memory whenever possible."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from deployments.contracts.errors import Unauthenticated
from serve_app.auth.cache import ExpiringCache
from serve_app.auth.revocation import RevocationListener
from serve_app.auth.secrets import KEY_MARK, SESSION_MARK, digest, well_formed
from serve_app.auth.watchers import Watchers
from serve_app.db.database import Database
from serve_app.db.keys import Keys
from serve_app.db.notices import Notice, notify
from serve_app.db.sessions import Sessions
from serve_app.domain.flights import Flights
from serve_app.domain.principals import Principal

_UNKNOWN_S = 2.0
_CATCH_UP_S = 5.0
Found = dict[bytes, tuple[Principal, float]]
"""By digest: who it stands for, and for how many seconds."""
Find = Callable[[AsyncSession, Sequence[bytes]], Awaitable[Found]]


class Change:
    """A transaction that alters credentials, and what the replicas will hear of it."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.notices: list[Notice] = []

    def announce(self, *notices: Notice) -> None:
        self.notices += notices


class Authenticator:
    """One per replica. A notice from Postgres drops what it remembers; without Postgres what it remembers holds."""

    def __init__(self, database: Database, *, capacity: int = 10_000) -> None:
        self._database = database
        self._known: ExpiringCache[Principal] = ExpiringCache(capacity)
        self._unknown: ExpiringCache[bool] = ExpiringCache(capacity)
        self._flights: Flights[bytes, Principal] = Flights("credential look-up")
        self._watchers = Watchers()
        self._epoch = 0
        self._listener = RevocationListener(database.dsn, heard=self._apply, caught_up=self._catch_up)

    async def start(self) -> None:
        """Begin to listen; a Postgres that is away does not hinder it."""
        await self._listener.start()

    async def close(self) -> None:
        await self._listener.close()

    async def by_key(self, raw: str) -> Principal:
        """Who the API key stands for; else Unauthenticated."""
        return await self._principal(raw, KEY_MARK, _find_key)

    async def by_session(self, raw: str) -> Principal:
        """Who the session stands for; else Unauthenticated."""
        return await self._principal(raw, SESSION_MARK, _find_session)

    def watch(self, principal: Principal, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called in the loop when the principal's key or session is gone, or its user deactivated.

        Answers the function that ends the watch.
        """
        return self._watchers.add(principal, callback)

    @asynccontextmanager
    async def change(self) -> AsyncGenerator[Change]:
        """A transaction whose notices every replica hears when it commits; this one does not wait for the echo."""
        async with self._database.transaction() as session:
            change = Change(session)
            yield change
            await notify(session, change.notices)
        for notice in change.notices:
            self._apply(notice)

    async def _principal(self, raw: str, mark: str, find: Find) -> Principal:
        if not raw.startswith(mark):
            raise _unauthenticated()
        hashed = digest(raw)
        if (known := self._known.get(hashed)) is not None:
            return known
        if self._unknown.get(hashed) or not well_formed(raw):
            raise _unauthenticated()
        return await self._flights.share(hashed, lambda: self._look_up(hashed, find))

    async def _look_up(self, hashed: bytes, find: Find) -> Principal:
        epoch = self._epoch
        async with self._database.transaction() as session:
            found = await find(session, [hashed])
        if not found:
            self._unknown.put(hashed, True, life_s=_UNKNOWN_S)
            raise _unauthenticated()
        principal, life_s = found[hashed]
        # A notice that came while we asked may have been about this very credential.
        if epoch == self._epoch:
            self._known.put(hashed, principal, life_s=life_s)
        return principal

    def _apply(self, notice: Notice) -> None:
        self._epoch += 1
        self._known.drop(lambda principal: _concerns(notice, principal))
        if notice.kind != "user":
            self._watchers.fire(notice)

    async def _catch_up(self) -> None:
        """Notices may have been lost: read again all that is remembered, and who is watched."""
        self._epoch += 1
        epoch, digests, watched = self._epoch, self._known.keys(), self._watchers.subjects()
        async with self._database.transaction(deadline_s=_CATCH_UP_S) as session:
            found = await _find_key(session, digests) | await _find_session(session, digests)
            keys = await Keys(session).existing([subject.id for subject in watched if subject.kind == "key"])
            sessions = await Sessions(session).existing([one.id for one in watched if one.kind == "session"])
        for hashed in digests:
            if hashed in found and epoch == self._epoch:
                principal, life_s = found[hashed]
                self._known.put(hashed, principal, life_s=life_s)
            else:
                self._known.discard(hashed)
        for subject in watched:
            if subject.id not in (keys if subject.kind == "key" else sessions):
                self._apply(subject)


async def _find_key(session: AsyncSession, digests: Sequence[bytes]) -> Found:
    principals = await Keys(session).principals(digests)
    return {hashed: (principal, math.inf) for hashed, principal in principals.items()}


async def _find_session(session: AsyncSession, digests: Sequence[bytes]) -> Found:
    return await Sessions(session).principals(digests)


def _concerns(notice: Notice, principal: Principal) -> bool:
    match notice.kind:
        case "user":
            return principal.user_id == notice.id
        case "key":
            return principal.key_id == notice.id
        case "session":
            return principal.session_id == notice.id


def _unauthenticated() -> Unauthenticated:
    return Unauthenticated("the credential is unknown, revoked or has ended")
