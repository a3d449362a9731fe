"""The operator at this machine: the use-cases of the API, with an authority of its own, straight on the database."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from deployments.contracts.errors import AppError, NotFound
from serve_app.auth.authenticator import Authenticator
from serve_app.auth.passwords import Passwords
from serve_app.cli.environment import inherited
from serve_app.cli.failures import reported
from serve_app.cli.folder import DataFolder
from serve_app.cli.postgres import EmbeddedPostgres
from serve_app.db.database import Database
from serve_app.domain.accounts import NewKey, User
from serve_app.domain.principals import Principal
from serve_app.services.keys import KeyService
from serve_app.services.users import UserService
from serve_app.settings import Settings

T = TypeVar("T")

_TEMPORARY = "polyphony up"
OPERATOR = Principal(user_id=0, email="operator@localhost", name="Operator", role="admin", rate_limit=1)


@dataclass(frozen=True, slots=True)
class Accounts:
    users: UserService
    keys: KeyService


@asynccontextmanager
async def accounts(database_url: str, settings: Settings) -> AsyncGenerator[Accounts]:
    """The account services on a database whose schema has been brought up to date."""
    database = Database(database_url, pool_size=1, deadline_s=10)
    try:
        await database.migrate()
        # Not started: this process tells the replicas of changes, but caches nothing that could grow stale.
        authenticator = Authenticator(database)
        users = UserService(database, authenticator, Passwords(), default_rate_limit=settings.default_rate_limit)
        yield Accounts(users, KeyService(database, authenticator))
    finally:
        await database.close()


async def ensure_admin(database_url: str, settings: Settings) -> tuple[User, str | None]:
    """An active admin, and the password if it has just been made with a random one."""
    given = settings.admin_password
    async with accounts(database_url, settings) as services:
        password = await services.users.ensure_admin(settings.admin_email, given.get_secret_value() if given else None)
        for user in await services.users.list(OPERATOR):
            if user.role == "admin" and user.active:
                return user, password
    raise NotFound("there is no active admin")


@contextmanager
def temporary_key(database_url: str, settings: Settings, owner: User) -> Generator[str]:
    """A fresh API key, deleted afterwards; so is one that an earlier, killed run left."""
    key = asyncio.run(_create_temporary(database_url, settings, owner))
    try:
        yield key.secret
    finally:
        with suppress(AppError):
            asyncio.run(_delete_temporary(database_url, settings))


async def _create_temporary(database_url: str, settings: Settings, owner: User) -> NewKey:
    await _delete_temporary(database_url, settings)
    async with accounts(database_url, settings) as services:
        return await services.keys.create_for(OPERATOR, owner.id, _TEMPORARY)


async def _delete_temporary(database_url: str, settings: Settings) -> None:
    async with accounts(database_url, settings) as services:
        for key in await services.keys.list_all(OPERATOR):
            if key.name == _TEMPORARY:
                await services.keys.delete_any(OPERATOR, key.id)


def perform(work: Callable[[Accounts], Awaitable[T]]) -> T:
    """One use-case on whichever database is in reach; a failure is told and ends the command."""

    async def connected(database_url: str) -> T:
        async with accounts(database_url, settings) as services:
            return await work(services)

    with reported():
        settings = Settings()
        with reachable_database(settings) as url:
            return asyncio.run(connected(url))


@contextmanager
def reachable_database(settings: Settings) -> Generator[str]:
    """The URL of the outside database, of the running stack's, or of an embedded one started for the moment."""
    folder = DataFolder(settings.data_dir)
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
    elif state := folder.state():
        yield state.database_url
    else:
        with folder.hold():
            postgres = EmbeddedPostgres(folder.postgres, inherited(folder.mark))
            try:
                postgres.start()
                yield postgres.url
            finally:
                postgres.stop()
