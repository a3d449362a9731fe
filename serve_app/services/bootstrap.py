"""The one place where the use-cases are wired."""

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self

from deployments.contracts.errors import Unavailable
from serve_app.auth.authenticator import Authenticator
from serve_app.auth.passwords import Passwords
from serve_app.db.database import Database
from serve_app.services.accounts import AccountService
from serve_app.services.chat import ChatModels, ChatService
from serve_app.services.keys import KeyService
from serve_app.services.limits import Limits
from serve_app.services.metrics import Family, Metrics
from serve_app.services.operations import Models, OperationsService, Snapshots
from serve_app.services.usage.meter import Meter
from serve_app.services.usage.report import UsageService
from serve_app.services.users import UserService
from serve_app.settings import Settings

_log = logging.getLogger(__name__)


class Clients(ChatModels, Models, Protocol):
    """Everything the services ask of the models."""


@dataclass(frozen=True)
class Services:
    """All use-cases over one database and one set of models; built by the gateway and by tests alike."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    meter: Meter
    metrics: Metrics
    limits: Limits
    accounts: AccountService
    users: UserService
    keys: KeyService
    usage: UsageService
    chat: ChatService
    operations: OperationsService

    @classmethod
    def build(
        cls,
        settings: Settings,
        clients: Clients,
        *,
        snapshots: Snapshots | None = None,
        passwords: Passwords | None = None,
    ) -> Self:
        if settings.database_url is None:
            raise Unavailable("POLYPHONY_DATABASE_URL is not set; `polyphony up` starts a Postgres of its own")
        database = Database(settings.database_url.get_secret_value(), deadline_s=settings.database_timeout_s)
        authenticator = Authenticator(database)
        passwords = passwords or Passwords()
        meter = Meter(database, settings.data_dir / "journal")
        limits = Limits(database, meter)
        metrics = Metrics(unbooked=lambda: meter.unbooked)

        async def own() -> list[list[Family]]:
            return [metrics.snapshot()]

        return cls(
            settings=settings,
            database=database,
            authenticator=authenticator,
            meter=meter,
            metrics=metrics,
            limits=limits,
            accounts=AccountService(
                database, authenticator, passwords, session_life=timedelta(hours=settings.session_hours)
            ),
            users=UserService(database, authenticator, passwords, default_rate_limit=settings.default_rate_limit),
            keys=KeyService(database, authenticator),
            usage=UsageService(database, meter),
            chat=ChatService(clients, limits, meter, metrics, authenticator),
            operations=OperationsService(clients, metrics, database, snapshots or own),
        )

    async def start(self) -> None:
        """Bring the schema up, see to a first admin, and start what runs beside the requests."""
        await self.database.migrate()
        await self._ensure_admin()
        await self.authenticator.start()
        await self.meter.start()

    async def close(self) -> None:
        """Book what is left, then let go of everything."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.authenticator.close)
            stack.push_async_callback(self.meter.close)

    async def _ensure_admin(self) -> None:
        """`polyphony up` has made one and shown its password; where it has not run, the password waits in a file."""
        given = self.settings.admin_password
        made = await self.users.ensure_admin(self.settings.admin_email, given.get_secret_value() if given else None)
        if made is not None:
            note = self.settings.data_dir / "admin-password"
            note.touch(mode=0o600)
            note.write_text(made)
            _log.warning("made the first admin", extra={"email": self.settings.admin_email, "password_file": str(note)})
