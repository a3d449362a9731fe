"""API keys: one's own, and everyone's for admins."""

from deployments.contracts.errors import NotFound, Unauthenticated
from serve_app.auth.authenticator import Authenticator
from serve_app.auth.secrets import digest, new_key, shown
from serve_app.db.database import Database
from serve_app.db.keys import Keys
from serve_app.db.notices import Notice
from serve_app.db.users import Users
from serve_app.domain.accounts import ApiKey, NewKey
from serve_app.domain.principals import Principal
from serve_app.services import validation
from serve_app.services.permissions import require_admin


class KeyService:
    """A key that is deleted stops working at once, on every replica."""

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    async def create(self, principal: Principal, name: str) -> NewKey:
        """InvalidInput; Unauthenticated when the asker was deactivated meanwhile."""
        key = await self._create(principal.user_id, name)
        if key is None:
            raise Unauthenticated("the user is not active")
        return key

    async def delete(self, principal: Principal, key_id: int) -> None:
        """NotFound when it is not the asker's."""
        await self._delete(key_id, principal.user_id)

    async def list_all(self, admin: Principal) -> list[ApiKey]:
        """Everyone's keys; Forbidden."""
        require_admin(admin)
        async with self._database.transaction() as session:
            return await Keys(session).all()

    async def create_for(self, admin: Principal, user_id: int, name: str) -> NewKey:
        """Forbidden, InvalidInput, NotFound when there is no such active user."""
        require_admin(admin)
        key = await self._create(user_id, name)
        if key is None:
            raise NotFound("no such active user", param="user_id")
        return key

    async def delete_any(self, admin: Principal, key_id: int) -> None:
        """Forbidden, NotFound."""
        require_admin(admin)
        await self._delete(key_id, None)

    async def list(self, principal: Principal) -> list[ApiKey]:
        async with self._database.transaction() as session:
            return await Keys(session).all(principal.user_id)

    async def _create(self, user_id: int, name: str) -> NewKey | None:
        name = validation.name(name)
        if not validation.is_id(user_id):
            return None
        secret = new_key()
        async with self._database.transaction() as session:
            owner = await Users(session).hold_active(user_id)
            if owner is None:
                return None
            key = await Keys(session).add(owner, name=name, prefix=shown(secret), digest=digest(secret))
        return NewKey(key, secret)

    async def _delete(self, key_id: int, user_id: int | None) -> None:
        if not validation.is_id(key_id):
            raise NotFound("no such key")
        async with self._authenticator.change() as change:
            if not await Keys(change.session).delete(key_id, user_id):
                raise NotFound("no such key")
            change.announce(Notice("key", key_id))
