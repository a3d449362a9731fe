"""Login sessions: the digest of each cookie, and when it ends."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import ARRAY, BigInteger, LargeBinary, any_, delete, extract, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from serve_app.db.rows import Row, created, moment, row_id
from serve_app.db.users import UserRow
from serve_app.domain.principals import Principal


class SessionRow(Row, table=True):
    __tablename__: ClassVar[Any] = "sessions"

    id: int = row_id()
    user_id: int = Field(foreign_key="users.id", index=True, sa_type=BigInteger)
    digest: bytes = Field(unique=True, sa_type=LargeBinary)
    expires_at: datetime = moment()
    created_at: datetime = created()


class Sessions:
    """The sessions of one transaction; time is Postgres's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_id: int, *, digest: bytes, life: timedelta) -> datetime:
        """When it ends. Sessions of the user that have ended are removed on the way."""
        await self._session.execute(
            delete(SessionRow).where(col(SessionRow.user_id) == user_id, col(SessionRow.expires_at) < func.now())
        )
        values = insert(SessionRow).values(user_id=user_id, digest=digest, expires_at=func.now() + life)
        return (await self._session.execute(values.returning(col(SessionRow.expires_at)))).scalar_one()

    async def delete(self, digest: bytes) -> int | None:
        """The id of the session that is gone, if there was one."""
        return await self._session.scalar(
            delete(SessionRow).where(col(SessionRow.digest) == digest).returning(col(SessionRow.id))
        )

    async def delete_of(self, user_id: int) -> list[int]:
        """The ids of the sessions that are gone."""
        ids = await self._session.scalars(
            delete(SessionRow).where(col(SessionRow.user_id) == user_id).returning(col(SessionRow.id))
        )
        return list(ids)

    async def principals(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Principal, float]]:
        """Who the sessions stand for and the seconds each has left, by digest; ended ones stand for nobody."""
        left = extract("epoch", col(SessionRow.expires_at) - func.now())
        rows = await self._session.execute(
            select(UserRow, col(SessionRow.id), col(SessionRow.digest), left)
            .join(SessionRow, col(SessionRow.user_id) == col(UserRow.id))
            .where(
                col(SessionRow.digest) == any_(literal(digests, ARRAY(LargeBinary))),
                col(SessionRow.expires_at) > func.now(),
                col(UserRow.active),
            )
        )
        return {
            digest: (user.principal(session_id=session_id), float(seconds))
            for user, session_id, digest, seconds in rows
        }

    async def existing(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that are still sessions."""
        query = select(col(SessionRow.id)).where(col(SessionRow.id) == any_(literal(ids, ARRAY(BigInteger))))
        return set(await self._session.scalars(query))
