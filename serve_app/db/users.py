"""Users, as rows and as the house knows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, CheckConstraint, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from serve_app.db.rows import Row, created, row_id
from serve_app.domain.accounts import User
from serve_app.domain.principals import Principal, Role

_FIRST_ADMIN_LOCK = 0x61646D6E


class UserRow(Row, table=True):
    __tablename__: ClassVar[Any] = "users"
    __table_args__: ClassVar[Any] = (CheckConstraint("role IN ('customer', 'admin')", name="role"),)

    id: int = row_id()
    email: str = Field(unique=True)
    name: str
    password_hash: str
    role: str
    active: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    rate_limit: int
    token_quota: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = created()

    def user(self) -> User:
        return User(
            id=self.id,
            email=self.email,
            name=self.name,
            role=cast("Role", self.role),
            active=self.active,
            rate_limit=self.rate_limit,
            token_quota=self.token_quota,
            created_at=self.created_at,
        )

    def principal(self, *, key_id: int | None = None, session_id: int | None = None) -> Principal:
        return Principal(
            user_id=self.id,
            email=self.email,
            name=self.name,
            role=cast("Role", self.role),
            rate_limit=self.rate_limit,
            token_quota=self.token_quota,
            key_id=key_id,
            session_id=session_id,
        )


class Users:
    """The users of one transaction; e-mails come lowercased."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> list[User]:
        rows = await self._session.scalars(select(UserRow).order_by(col(UserRow.id)))
        return [row.user() for row in rows]

    async def get(self, user_id: int) -> User | None:
        row = await self._session.get(UserRow, user_id)
        return row.user() if row else None

    async def by_email(self, email: str, *, hold: bool = False) -> tuple[User, str] | None:
        """The user and the hash of the password; held, neither can change before this transaction ends."""
        query = select(UserRow).where(col(UserRow.email) == email)
        row = await self._session.scalar(query.with_for_update(read=True) if hold else query)
        return (row.user(), row.password_hash) if row else None

    async def add(
        self, *, email: str, name: str, password_hash: str, role: Role, rate_limit: int, token_quota: int | None
    ) -> User | None:
        """None when the e-mail is taken."""
        values = insert(UserRow).values(
            email=email,
            name=name,
            password_hash=password_hash,
            role=role,
            rate_limit=rate_limit,
            token_quota=token_quota,
        )
        row = await self._session.scalar(values.on_conflict_do_nothing().returning(UserRow))
        return row.user() if row else None

    async def change(self, user_id: int, values: Mapping[str, Any]) -> User | None:
        """None when there is no such user."""
        row = await self._session.scalar(
            update(UserRow).where(col(UserRow.id) == user_id).values(**values).returning(UserRow)
        )
        return row.user() if row else None

    async def hold_active(self, user_id: int) -> User | None:
        """The user, who cannot be deactivated before this transaction ends; None when inactive or unknown."""
        row = await self._session.scalar(
            select(UserRow).where(col(UserRow.id) == user_id, col(UserRow.active)).with_for_update(read=True)
        )
        return row.user() if row else None

    async def hold_admins(self) -> set[int]:
        """The active admins, none of whom can change before this transaction ends."""
        ids = await self._session.scalars(
            select(col(UserRow.id))
            .where(col(UserRow.role) == "admin", col(UserRow.active))
            .order_by(col(UserRow.id))
            .with_for_update()
        )
        return set(ids)

    async def lock_first_admin(self) -> None:
        """Replicas that start together take turns."""
        await self._session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FIRST_ADMIN_LOCK})
