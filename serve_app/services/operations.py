"""What operators watch: health and figures, over all replicas."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import text

from deployments.contracts.errors import AppError
from deployments.contracts.models import ModelSpec
from serve_app.db.database import Database
from serve_app.services.metrics import Family, Metrics, exposition, gauges

Snapshots = Callable[[], Awaitable[list[list[Family]]]]

_DATABASE_S = 2.0


class Models(Protocol):
    """The models of this installation, and how they do."""

    @property
    def specs(self) -> tuple[ModelSpec, ...]: ...

    async def health(self) -> dict[str, bool]: ...

    async def stats(self) -> dict[str, list[dict[str, float]]]: ...


@dataclass(frozen=True, slots=True)
class Health:
    """Which services answer; `models` by id."""

    database: bool
    models: dict[str, bool]

    @property
    def ok(self) -> bool:
        return self.database and all(self.models.values())


@dataclass(frozen=True)
class OperationsService:
    models: Models
    metrics: Metrics
    database: Database
    snapshots: Snapshots
    """The figures of every ingress replica, this one included."""

    async def health(self) -> Health:
        database, models = await asyncio.gather(self._database_answers(), self.models.health())
        return Health(database, models)

    async def scrape(self) -> bytes:
        """All figures in Prometheus's text format, summed over the replicas."""
        snapshots, stats = await asyncio.gather(self.snapshots(), self.models.stats())
        return exposition([*snapshots, _engine_families(stats)])

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(_DATABASE_S):
                await _ping(self.database)
        except (AppError, TimeoutError):
            return False
        return True


async def _ping(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))


def _engine_families(stats: dict[str, list[dict[str, float]]]) -> Sequence[Family]:
    names = sorted({name for replicas in stats.values() for replica in replicas for name in replica})
    families = [
        gauges(
            f"polyphony_engine_{name}",
            f"Engine figure {name!r}, summed over the replicas.",
            [
                ((("model", model),), sum(replica.get(name, 0.0) for replica in replicas))
                for model, replicas in stats.items()
            ],
        )
        for name in names
    ]
    replicas = [((("model", model),), float(len(found))) for model, found in stats.items()]
    return [*families, gauges("polyphony_model_replicas", "Replicas that answer.", replicas)]
