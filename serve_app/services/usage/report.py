"""What was used, for admins."""

from datetime import timedelta
from typing import get_args

from deployments.contracts.errors import InvalidInput
from serve_app.db.database import Database
from serve_app.db.usage import UsageBook
from serve_app.domain.accounts import Period, UsageCount
from serve_app.domain.principals import Principal
from serve_app.services.permissions import require_admin
from serve_app.services.usage.meter import Meter

_PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class UsageService:
    """Counts from the books."""

    def __init__(self, database: Database, meter: Meter) -> None:
        self._database = database
        self._meter = meter

    async def report(self, admin: Principal, period: str) -> list[UsageCount]:
        """Per user and route, all that began within the period and has ended. Forbidden, InvalidInput."""
        require_admin(admin)
        if period not in _PERIODS:
            raise InvalidInput(f"period must be one of {', '.join(get_args(Period))}", param="period")
        await self._meter.flush()
        async with self._database.transaction() as session:
            return await UsageBook(session).count(_PERIODS[period])
