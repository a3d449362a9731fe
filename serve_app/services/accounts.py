"""Logging in and out."""

from datetime import timedelta

from deployments.contracts.errors import InvalidInput, Unauthenticated
from serve_app.auth.authenticator import Authenticator, Change
from serve_app.auth.passwords import Passwords
from serve_app.auth.secrets import digest, new_session
from serve_app.db.database import Database
from serve_app.db.notices import Notice
from serve_app.db.sessions import Sessions
from serve_app.db.users import Users
from serve_app.domain.accounts import Login, User
from serve_app.domain.principals import Principal
from serve_app.services import throttle, validation


class AccountService:
    """What people do with their own account."""

    def __init__(
        self, database: Database, authenticator: Authenticator, passwords: Passwords, *, session_life: timedelta
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._passwords = passwords
        self._session_life = session_life

    async def login(self, email: str, password: str, *, address: str, previous: str | None = None) -> Login:
        """A session for who knows the password; the `previous` one ends. Unauthenticated, RateLimited."""
        try:
            email = validation.email(email)
        except InvalidInput:
            email = ""
        async with self._database.transaction() as session:
            attempt = await throttle.attempt(session, email=email, address=address)
            found = await Users(session).by_email(email)
        user, hashed = found or (None, None)
        # No connection is held while the hash is computed.
        matches = await self._passwords.matches(password, hashed)
        if user is None or not matches:
            raise _wrong()
        secret = new_session()
        async with self._authenticator.change() as change:
            held = await Users(change.session).by_email(email, hold=True)
            if held is None or not held[0].active or held[1] != hashed:
                raise _wrong()
            await attempt.forgive(change.session)
            if previous is not None:
                await _end(change, previous)
            expires_at = await Sessions(change.session).add(user.id, digest=digest(secret), life=self._session_life)
        return Login(held[0], secret, expires_at)

    async def logout(self, session: str) -> None:
        """End a session; one that is unknown or has ended is no error."""
        async with self._authenticator.change() as change:
            await _end(change, session)

    async def me(self, principal: Principal) -> User:
        """The asker's own profile."""
        async with self._database.transaction() as session:
            user = await Users(session).get(principal.user_id)
        if user is None or not user.active:
            raise Unauthenticated("the user is not active")
        return user


async def _end(change: Change, session: str) -> None:
    session_id = await Sessions(change.session).delete(digest(session))
    if session_id is not None:
        change.announce(Notice("session", session_id))


def _wrong() -> Unauthenticated:
    return Unauthenticated("wrong e-mail or password")
