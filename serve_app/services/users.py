"""Users, as admins manage them."""

import secrets
from typing import Any

from deployments.contracts.errors import Conflict, NotFound
from serve_app.auth.authenticator import Authenticator, Change
from serve_app.auth.passwords import Passwords
from serve_app.db.database import Database
from serve_app.db.keys import Keys
from serve_app.db.notices import Notice
from serve_app.db.sessions import Sessions
from serve_app.db.users import Users
from serve_app.domain.accounts import KEEP, User, UserPatch
from serve_app.domain.principals import Principal
from serve_app.services import validation
from serve_app.services.permissions import require_admin


class UserService:
    """Every method but `ensure_admin` is Forbidden to all but admins."""

    def __init__(
        self, database: Database, authenticator: Authenticator, passwords: Passwords, *, default_rate_limit: int
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._passwords = passwords
        self._default_rate_limit = default_rate_limit

    async def list(self, asker: Principal) -> list[User]:
        require_admin(asker)
        async with self._database.transaction() as session:
            return await Users(session).all()

    async def create(
        self,
        asker: Principal,
        *,
        email: str,
        password: str,
        name: str | None = None,
        role: str = "customer",
        rate_limit: int | None = None,
        token_quota: int | None = None,
    ) -> User:
        """The default name stands before the `@`. InvalidInput names the field; Conflict when the e-mail is taken."""
        require_admin(asker)
        email, checked_role = validation.email(email), validation.role(role)
        name = validation.name(name or email.partition("@")[0])
        rate_limit = validation.rate_limit(self._default_rate_limit if rate_limit is None else rate_limit)
        token_quota = validation.token_quota(token_quota)
        password_hash = await self._passwords.hash(validation.password(password))
        async with self._database.transaction() as session:
            user = await Users(session).add(
                email=email,
                name=name,
                password_hash=password_hash,
                role=checked_role,
                rate_limit=rate_limit,
                token_quota=token_quota,
            )
        if user is None:
            raise Conflict("a user with this e-mail exists", param="email")
        return user

    async def update(self, asker: Principal, user_id: int, patch: UserPatch) -> User:
        """A user who becomes inactive loses all keys and sessions; one with a new password, all sessions.

        Conflict when no active admin would be left; NotFound.
        """
        require_admin(asker)
        values = await self._values(patch)
        async with self._authenticator.change() as change:
            users = Users(change.session)
            demoted = values.get("role", "admin") != "admin" or values.get("active") is False
            if demoted and await users.hold_admins() == {user_id}:
                raise Conflict("the last active admin must stay one")
            user = None
            if validation.is_id(user_id):
                user = await (users.change(user_id, values) if values else users.get(user_id))
            if user is None:
                raise NotFound("no such user")
            change.announce(Notice("user", user.id))
            if not user.active:
                await _end_keys(change, user.id)
            if not user.active or "password_hash" in values:
                await _end_sessions(change, user.id)
        return user

    async def deactivate(self, asker: Principal, user_id: int) -> User:
        """The user stays on the books and can be made active again, without any of the old keys."""
        return await self.update(asker, user_id, UserPatch(active=False))

    async def ensure_admin(self, email: str, password: str | None) -> str | None:
        """Make the first admin if there is none, and answer its password if it had to be generated.

        Replicas may call it at the same time: one of them makes it.
        """
        generated = None if password else secrets.token_urlsafe(12)
        async with self._database.transaction(deadline_s=30) as session:
            await Users(session).lock_first_admin()
            if await Users(session).hold_admins():
                return None
            added = await Users(session).add(
                email=validation.email(email),
                name="Admin",
                password_hash=await self._passwords.hash(validation.password(password or generated or "")),
                role="admin",
                rate_limit=self._default_rate_limit,
                token_quota=None,
            )
            if added is None:
                raise Conflict("the first admin's e-mail belongs to a user who is no active admin")
        return generated

    async def _values(self, patch: UserPatch) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if patch.name is not None:
            values["name"] = validation.name(patch.name)
        if patch.role is not None:
            values["role"] = validation.role(patch.role)
        if patch.active is not None:
            values["active"] = patch.active
        if patch.rate_limit is not None:
            values["rate_limit"] = validation.rate_limit(patch.rate_limit)
        if patch.token_quota is not KEEP:
            values["token_quota"] = validation.token_quota(patch.token_quota)
        if patch.password is not None:
            values["password_hash"] = await self._passwords.hash(validation.password(patch.password))
        return values


async def _end_keys(change: Change, user_id: int) -> None:
    gone = await Keys(change.session).delete_of(user_id)
    change.announce(*(Notice("key", key_id) for key_id in gone))


async def _end_sessions(change: Change, user_id: int) -> None:
    gone = await Sessions(change.session).delete_of(user_id)
    change.announce(*(Notice("session", session_id) for session_id in gone))
