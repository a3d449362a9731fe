"""Counters that no replica can overdraw: so much per subject and clock window, in an unlogged table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from serve_app.db.rows import Row

# One statement, so that windows and waiting times are Postgres's own. The last block may count beyond the limit,
# which tells how much of it was still to be had.
_TAKE = text("""
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS at, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / :window) * :window) AS start
), taken AS (
    INSERT INTO permits AS p (subject, window_start, used)
    SELECT :subject, start, :wanted FROM clock WHERE :limit > 0
    ON CONFLICT (subject, window_start) DO UPDATE SET used = p.used + :wanted WHERE p.used < :limit
    RETURNING used
)
SELECT (SELECT used FROM taken), start, extract(epoch FROM start - at)::float8 + :window FROM clock
""")  # noqa: E501
_GIVE_BACK = text(
    "UPDATE permits SET used = greatest(used - 1, 0) WHERE subject = :subject AND window_start = :window_start"
)
# Callers who tidy together share the work instead of waiting for each other.
_FORGET = text("""
DELETE FROM permits WHERE (subject, window_start) IN (
    SELECT subject, window_start FROM permits WHERE window_start < now() - make_interval(secs => :age)
    LIMIT 1000 FOR UPDATE SKIP LOCKED
)
""")


class PermitRow(Row, table=True):
    __tablename__: ClassVar[Any] = "permits"
    __table_args__: ClassVar[Any] = {"prefixes": ["UNLOGGED"]}

    subject: str = Field(primary_key=True)
    window_start: datetime = Field(primary_key=True, index=True, sa_type=DateTime(timezone=True))
    used: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Grant:
    """How many permits were had, in which window, and the seconds it has left."""

    count: int
    window_start: datetime
    left_s: float


class Permits:
    """The permits of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def take(self, subject: str, *, wanted: int, limit: int, window_s: int) -> Grant:
        """Up to `wanted` of the `limit` permits that a subject has per clock window; none when they are used up."""
        found = await self._session.execute(
            _TAKE, {"subject": subject, "wanted": wanted, "limit": limit, "window": window_s}
        )
        used, start, left_s = found.one()
        beyond = 0 if used is None else max(0, used - limit)
        return Grant(0 if used is None else max(0, wanted - beyond), start, left_s)

    async def give_back(self, subject: str, grant: Grant) -> None:
        """Return one permit of a grant."""
        await self._session.execute(_GIVE_BACK, {"subject": subject, "window_start": grant.window_start})

    async def forget(self, *, older_than_s: int) -> None:
        """Remove some of the windows that are over."""
        await self._session.execute(_FORGET, {"age": older_than_s})
