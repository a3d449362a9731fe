"""The books: one row per piece of work, booked once."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Double, Index, extract, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from serve_app.db.rows import Row, moment, row_id
from serve_app.db.users import UserRow
from serve_app.domain.accounts import UsageCount
from serve_app.domain.usage import UsageRecord


class UsageRow(Row, table=True):
    __tablename__: ClassVar[Any] = "usage"
    __table_args__: ClassVar[Any] = (
        Index(None, "user_id", "started_at", postgresql_include=["prompt_tokens", "completion_tokens"]),
    )

    id: int = row_id()
    event: UUID = Field(unique=True)
    user_id: int = Field(sa_type=BigInteger)
    key_id: int | None = Field(default=None, sa_type=BigInteger)
    route: str
    model: str
    ability: str
    outcome: str
    prompt_tokens: int = Field(sa_type=BigInteger)
    completion_tokens: int = Field(sa_type=BigInteger)
    cached_tokens: int = Field(sa_type=BigInteger)
    audio_seconds: float = Field(sa_type=Double)
    characters: int = Field(sa_type=BigInteger)
    pages: int = Field(sa_type=BigInteger)
    first_token_ms: int | None = Field(default=None, sa_type=BigInteger)
    duration_ms: int = Field(sa_type=BigInteger)
    request_id: str
    started_at: datetime = moment(index=True)


class UsageBook:
    """The books, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def book(self, records: Sequence[UsageRecord]) -> None:
        """Those that are on the books already are passed over."""
        if records:
            values = insert(UsageRow).on_conflict_do_nothing(index_elements=["event"])
            await (await self._session.connection()).execute(values, [_values(record) for record in records])

    async def count(self, period: timedelta) -> list[UsageCount]:
        """Requests and tokens per user and route, of work that began within `period`."""
        rows = await self._session.execute(
            select(
                col(UsageRow.user_id),
                func.coalesce(col(UserRow.email), ""),
                col(UsageRow.route),
                func.count(),
                func.sum(col(UsageRow.prompt_tokens)),
                func.sum(col(UsageRow.completion_tokens)),
            )
            .outerjoin(UserRow, col(UserRow.id) == col(UsageRow.user_id))
            .where(col(UsageRow.started_at) > func.now() - period)
            .group_by(col(UsageRow.user_id), col(UserRow.email), col(UsageRow.route))
            .order_by(col(UsageRow.user_id), col(UsageRow.route))
        )
        return [
            UsageCount(user_id, email, route, count, int(prompt), int(completion))
            for user_id, email, route, count, prompt, completion in rows
        ]

    async def tokens(self, user_id: int, period: timedelta) -> tuple[int, float]:
        """Tokens of a user within `period`, and the seconds until the oldest of them are older than that."""
        total = func.sum(col(UsageRow.prompt_tokens) + col(UsageRow.completion_tokens))
        left = extract("epoch", func.min(col(UsageRow.started_at)) + period - func.now())
        found = await self._session.execute(
            select(func.coalesce(total, 0), func.coalesce(left, 0)).where(
                col(UsageRow.user_id) == user_id, col(UsageRow.started_at) > func.now() - period
            )
        )
        tokens, seconds = found.one()
        return int(tokens), float(seconds)


def _values(record: UsageRecord) -> dict[str, Any]:
    values = asdict(record)
    values |= values.pop("measure")
    return {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}


def _storable(value: str) -> str:
    """Postgres takes neither NUL nor lone surrogates, and one refused record would hold up all."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
