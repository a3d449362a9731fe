"""The books: one row per piece of work, booked once."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Double, Index, extract, func, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, col

from serve_app.db.rows import Row, moment, row_id
from serve_app.db.users import UserRow
from serve_app.domain.accounts import UsageCount
from serve_app.domain.usage import UsageRecord

_COLUMNS = (
    "event uuid, user_id bigint, key_id bigint, route text, model text, ability text, outcome text, "
    "prompt_tokens bigint, completion_tokens bigint, cached_tokens bigint, audio_seconds float8, characters bigint, "
    "pages bigint, first_token_ms bigint, duration_ms bigint, request_id text, started_at timestamptz"
)
_NAMES = ", ".join(column.split()[0] for column in _COLUMNS.split(", "))
# Sums are taken in one order everywhere, or two replicas that book for the same users would lock each other out.
_BOOK = text(f"""
    WITH booked AS (
        INSERT INTO usage ({_NAMES})
        SELECT {_NAMES} FROM jsonb_to_recordset(CAST(:records AS jsonb)) AS given ({_COLUMNS})
        ON CONFLICT (event) DO NOTHING
        RETURNING user_id, date_trunc('hour', started_at, 'UTC') AS hour, route,
            prompt_tokens + completion_tokens AS tokens
    )
    INSERT INTO usage_hours AS held (user_id, hour, route, count, tokens)
    SELECT user_id, hour, route, count(*), sum(tokens) FROM booked GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (user_id, hour, route)
    DO UPDATE SET count = held.count + excluded.count, tokens = held.tokens + excluded.tokens
""")


class UsageRow(Row, table=True):
    __tablename__: ClassVar[Any] = "usage"
    __table_args__: ClassVar[Any] = (Index(None, "user_id", "started_at"),)

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


class UsageHourRow(Row, table=True):
    """Sums of `usage` by the hour, kept in the transactions that book, so that no question reads a month of rows."""

    __tablename__: ClassVar[Any] = "usage_hours"

    user_id: int = Field(sa_type=BigInteger, primary_key=True)
    hour: datetime = moment(primary_key=True, index=True)
    route: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)
    tokens: int = Field(sa_type=BigInteger)


class UsageBook:
    """The books, as one transaction sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def book(self, records: Sequence[UsageRecord]) -> None:
        """Those that are on the books already are passed over."""
        if records:
            await self._session.execute(_BOOK, {"records": json.dumps([_values(record) for record in records])})

    async def count(self, period: timedelta) -> list[UsageCount]:
        """Requests per user and route, of work that began within `period`: whole hours, and the rows of the first."""
        begin = func.now() - period
        first_whole = func.date_trunc("hour", begin, "UTC") + timedelta(hours=1)
        started = col(UsageRow.started_at)
        parts = union_all(
            select(col(UsageRow.user_id), col(UsageRow.route), func.count().label("count"))
            .where(started > begin, started < first_whole)
            .group_by(col(UsageRow.user_id), col(UsageRow.route)),
            select(col(UsageHourRow.user_id), col(UsageHourRow.route), col(UsageHourRow.count)).where(
                col(UsageHourRow.hour) >= first_whole
            ),
        ).subquery()
        of = parts.c
        rows = await self._session.execute(
            select(of.user_id, func.coalesce(col(UserRow.email), ""), of.route, func.sum(of["count"]))
            .outerjoin(UserRow, col(UserRow.id) == of.user_id)
            .group_by(of.user_id, col(UserRow.email), of.route)
            .order_by(of.user_id, of.route)
        )
        return [UsageCount(user_id, email, route, int(count)) for user_id, email, route, count in rows]

    async def tokens(self, user_id: int, period: timedelta) -> tuple[int, float]:
        """Tokens of a user within `period`, to the hour, and the seconds until the oldest of them leave it."""
        hour = col(UsageHourRow.hour)
        left = extract("epoch", func.min(hour) + period - func.now())
        found = await self._session.execute(
            select(func.coalesce(func.sum(col(UsageHourRow.tokens)), 0), func.coalesce(left, 0)).where(
                col(UsageHourRow.user_id) == user_id, hour > func.now() - period
            )
        )
        tokens, seconds = found.one()
        return int(tokens), float(seconds)


def _values(record: UsageRecord) -> dict[str, Any]:
    # By hand: `asdict` copies deeply, and this runs for every request.
    measure = record.measure
    return {
        "event": str(record.event),
        "user_id": record.user_id,
        "key_id": record.key_id,
        "route": record.route,
        "model": _storable(record.model),
        "ability": record.ability,
        "outcome": record.outcome,
        "prompt_tokens": measure.prompt_tokens,
        "completion_tokens": measure.completion_tokens,
        "cached_tokens": measure.cached_tokens,
        "audio_seconds": measure.audio_seconds,
        "characters": measure.characters,
        "pages": measure.pages,
        "first_token_ms": record.first_token_ms,
        "duration_ms": record.duration_ms,
        "request_id": _storable(record.request_id),
        "started_at": record.started_at.isoformat(),
    }


def _storable(value: str) -> str:
    """Postgres takes neither NUL nor lone surrogates, and one refused record would hold up all."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
