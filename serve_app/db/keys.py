"""API keys: the digest of each, never the secret."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ARRAY, BigInteger, LargeBinary, any_, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from serve_app.db.rows import Row, created, row_id
from serve_app.db.users import UserRow
from serve_app.domain.accounts import ApiKey, User
from serve_app.domain.principals import Principal


class KeyRow(Row, table=True):
    __tablename__: ClassVar[Any] = "api_keys"

    id: int = row_id()
    user_id: int = Field(foreign_key="users.id", index=True, sa_type=BigInteger)
    name: str
    prefix: str
    digest: bytes = Field(unique=True, sa_type=LargeBinary)
    created_at: datetime = created()

    def key(self, email: str) -> ApiKey:
        return ApiKey(self.id, self.user_id, email, self.name, self.prefix, self.created_at)


class Keys:
    """The keys of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, user_id: int | None = None) -> list[ApiKey]:
        """One user's keys, or everyone's."""
        query = select(KeyRow, col(UserRow.email)).join(UserRow, col(UserRow.id) == col(KeyRow.user_id))
        if user_id is not None:
            query = query.where(col(KeyRow.user_id) == user_id)
        rows = await self._session.execute(query.order_by(col(KeyRow.id)))
        return [row.key(email) for row, email in rows]

    async def add(self, owner: User, *, name: str, prefix: str, digest: bytes) -> ApiKey:
        row = KeyRow(user_id=owner.id, name=name, prefix=prefix, digest=digest)
        self._session.add(row)
        await self._session.flush()
        await self._session.refresh(row)
        return row.key(owner.email)

    async def delete(self, key_id: int, user_id: int | None = None) -> bool:
        """Whether there was such a key, of that user if one is named."""
        query = delete(KeyRow).where(col(KeyRow.id) == key_id)
        if user_id is not None:
            query = query.where(col(KeyRow.user_id) == user_id)
        return await self._session.scalar(query.returning(col(KeyRow.id))) is not None

    async def delete_of(self, user_id: int) -> list[int]:
        """The ids of the keys that are gone."""
        ids = await self._session.scalars(
            delete(KeyRow).where(col(KeyRow.user_id) == user_id).returning(col(KeyRow.id))
        )
        return list(ids)

    async def principals(self, digests: Sequence[bytes]) -> dict[bytes, Principal]:
        """Who the keys stand for, by digest; those of inactive users stand for nobody."""
        rows = await self._session.execute(
            select(UserRow, col(KeyRow.id), col(KeyRow.digest))
            .join(KeyRow, col(KeyRow.user_id) == col(UserRow.id))
            .where(col(KeyRow.digest) == any_(literal(digests, ARRAY(LargeBinary))), col(UserRow.active))
        )
        return {digest: user.principal(key_id=key_id) for user, key_id, digest in rows}

    async def existing(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that are still keys."""
        query = select(col(KeyRow.id)).where(col(KeyRow.id) == any_(literal(ids, ARRAY(BigInteger))))
        return set(await self._session.scalars(query))
