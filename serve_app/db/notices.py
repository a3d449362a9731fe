"""What replicas tell each other about credentials, in the transaction that changes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from sqlalchemy import ARRAY, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL = "polyphony_credentials"
Kind = Literal["user", "key", "session"]
_KINDS: tuple[Kind, ...] = ("user", "key", "session")
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', payload) FROM unnest(:payloads) AS payload").bindparams(
    bindparam("payloads", type_=ARRAY(String))
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A user has changed, or a key or session is gone."""

    kind: Kind
    id: int

    @classmethod
    def parse(cls, payload: str) -> Self | None:
        kind, _, digits = payload.partition(":")
        return cls(kind, int(digits)) if kind in _KINDS and digits.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


async def notify(session: AsyncSession, notices: Iterable[Notice]) -> None:
    """Heard by every listener once the transaction commits."""
    if payloads := [str(notice) for notice in notices]:
        await session.execute(_NOTIFY, {"payloads": payloads})
