"""What one request cost, for the books."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Outcome = Literal["finished", "failed", "left", "revoked", "lost"]
"""How work ended: `left` = the caller went away, `revoked` = its credential did, `lost` = the replica died."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How much was done so far; every field only grows."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    audio_seconds: float = 0.0
    characters: int = 0
    pages: int = 0

    @property
    def tokens(self) -> int:
        """What a quota counts."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One piece of work, done; `event` makes booking it twice harmless."""

    event: UUID
    user_id: int
    key_id: int | None
    route: str
    model: str
    ability: str
    outcome: Outcome
    measure: Measure
    first_token_ms: int | None
    duration_ms: int
    request_id: str
    started_at: datetime
