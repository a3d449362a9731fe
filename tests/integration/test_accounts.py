"""Users, keys and logins, as the services offer them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from deployments.contracts.errors import (
    AppError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from serve_app.auth.authenticator import Authenticator
from serve_app.auth.passwords import Passwords
from serve_app.db.database import Database
from serve_app.domain.accounts import User, UserPatch
from serve_app.domain.principals import Principal
from serve_app.services.accounts import AccountService
from serve_app.services.keys import KeyService
from serve_app.services.users import UserService
from tests.eventually import well_inside_a_window
from tests.fakes.passwords import CHEAP

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse"


@dataclass(frozen=True)
class House:
    authenticator: Authenticator
    accounts: AccountService
    users: UserService
    keys: KeyService
    admin: Principal

    async def customer(self, email: str = "ann@example.com", **values: int) -> User:
        return await self.users.create(self.admin, email=email, password=PASSWORD, name="Ann", **values)

    async def login(self, email: str = "ann@example.com", password: str = PASSWORD, address: str = "10.0.0.1") -> str:
        return (await self.accounts.login(email, password, address=address)).session


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    authenticator = Authenticator(database)
    await authenticator.start()
    passwords = Passwords(CHEAP)
    users = UserService(database, authenticator, passwords, default_rate_limit=60)
    accounts = AccountService(database, authenticator, passwords, session_life=timedelta(hours=1))
    await users.ensure_admin("root@example.com", PASSWORD)
    login = await accounts.login("root@example.com", PASSWORD, address="10.0.0.9")
    admin = await authenticator.by_session(login.session)
    yield House(authenticator, accounts, users, KeyService(database, authenticator), admin)
    await authenticator.close()


async def _outcome(work: Awaitable[object]) -> type[AppError] | None:
    try:
        await work
    except AppError as error:
        return type(error)
    return None


async def test_the_first_admin_is_made_once(database: Database) -> None:
    users = [UserService(database, Authenticator(database), Passwords(CHEAP), default_rate_limit=60) for _ in range(4)]
    made = await asyncio.gather(*(one.ensure_admin("Root@Example.com", None) for one in users))
    passwords = [password for password in made if password]
    assert len(passwords) == 1
    accounts = AccountService(database, Authenticator(database), Passwords(CHEAP), session_life=timedelta(hours=1))
    login = await accounts.login("root@example.com", passwords[0], address="10.0.0.1")
    assert login.user.role == "admin"


async def test_login_gives_a_session_and_logout_ends_it(house: House) -> None:
    user = await house.customer(" Ann@Example.COM ")
    login = await house.accounts.login("ANN@example.com", PASSWORD, address="10.0.0.1")
    assert login.user == user
    assert timedelta(minutes=59) < login.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    principal = await house.authenticator.by_session(login.session)
    assert await house.accounts.me(principal) == user
    await house.accounts.logout(login.session)
    await house.accounts.logout(login.session)
    with pytest.raises(Unauthenticated):
        await house.authenticator.by_session(login.session)


async def test_login_ends_the_previous_session(house: House) -> None:
    await house.customer()
    first = await house.login()
    await house.authenticator.by_session(first)
    second = await house.accounts.login("ann@example.com", PASSWORD, address="10.0.0.1", previous=first)
    with pytest.raises(Unauthenticated):
        await house.authenticator.by_session(first)
    assert (await house.authenticator.by_session(second.session)).email == "ann@example.com"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("ann@example.com\x00", PASSWORD),
        ("\ud800@example.com", "\ud800"),
        ("a" * 100_000, PASSWORD),
    ],
)
async def test_a_wrong_login_is_refused_without_a_reason(house: House, email: str, password: str) -> None:
    await house.customer()
    with pytest.raises(Unauthenticated, match="wrong e-mail or password"):
        await house.login(email, password)


async def test_failed_logins_are_throttled_per_pair_address_and_email(house: House) -> None:
    await well_inside_a_window(300, spare_s=20)
    await house.customer()
    tries = [await _outcome(house.login(password="wrong")) for _ in range(11)]
    assert tries == [Unauthenticated] * 10 + [RateLimited]
    with pytest.raises(RateLimited) as refused:
        await house.login()
    assert 0 < (refused.value.retry_after or 0) <= 300
    assert await _outcome(house.login(address="10.0.0.2")) is None
    others = [await _outcome(house.login(f"user{n}@example.com", "wrong")) for n in range(51)]
    assert others == [Unauthenticated] * 50 + [RateLimited]


async def test_one_email_is_throttled_over_many_addresses(house: House) -> None:
    await well_inside_a_window(300, spare_s=20)
    await house.customer()
    outcomes = [await _outcome(house.login(password="wrong", address=f"10.1.0.{n}")) for n in range(101)]
    assert outcomes == [Unauthenticated] * 100 + [RateLimited]


async def test_successful_logins_do_not_count(house: House) -> None:
    await house.customer()
    assert [await _outcome(house.login()) for _ in range(12)] == [None] * 12


async def test_only_admins_manage_users_and_foreign_keys(house: House) -> None:
    user = await house.customer()
    customer = await house.authenticator.by_session(await house.login())
    refused: list[Awaitable[object]] = [
        house.users.list(customer),
        house.users.create(customer, email="b@example.com", password=PASSWORD, name="B"),
        house.users.update(customer, user.id, UserPatch(role="admin")),
        house.users.deactivate(customer, user.id),
        house.keys.list_all(customer),
        house.keys.create_for(customer, user.id, "k"),
        house.keys.delete_any(customer, 1),
    ]
    assert [await _outcome(work) for work in refused] == [Forbidden] * len(refused)


async def test_users_are_listed_changed_and_unique(house: House) -> None:
    user = await house.customer(rate_limit=5)
    assert [one.email for one in await house.users.list(house.admin)] == ["root@example.com", "ann@example.com"]
    assert (user.role, user.active, user.rate_limit, user.token_quota) == ("customer", True, 5, None)
    assert await _outcome(house.customer("ANN@example.com")) is Conflict
    patch = UserPatch(name="Anna", role="admin", rate_limit=9, token_quota=1000)
    changed = await house.users.update(house.admin, user.id, patch)
    assert (changed.name, changed.role, changed.rate_limit, changed.token_quota) == ("Anna", "admin", 9, 1000)
    assert await house.users.update(house.admin, user.id, UserPatch()) == changed
    unbound = await house.users.update(house.admin, user.id, UserPatch(token_quota=None))
    assert unbound.token_quota is None


@pytest.mark.parametrize("user_id", [0, -1, 10**6, 10**30])
async def test_an_unknown_user_is_not_found(house: House, user_id: int) -> None:
    work = (
        house.users.update(house.admin, user_id, UserPatch(name="x")),
        house.users.update(house.admin, user_id, UserPatch()),
        house.users.deactivate(house.admin, user_id),
        house.keys.create_for(house.admin, user_id, "k"),
        house.keys.delete_any(house.admin, user_id),
        house.keys.delete(house.admin, user_id),
    )
    assert [await _outcome(one) for one in work] == [NotFound] * len(work)


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("email", "no-address"),
        ("email", "a@b\x00"),
        ("email", "a" * 250 + "@b.de"),
        ("name", " "),
        ("name", "a\nb"),
        ("name", "\ud800"),
        ("name", "a" * 201),
        ("password", "short"),
        ("password", "a" * 1025),
        ("role", "owner"),
        ("rate_limit", 0),
        ("rate_limit", 2**31),
        ("token_quota", -1),
        ("token_quota", 2**63),
    ],
)
async def test_invalid_values_are_named(house: House, param: str, value: object) -> None:
    values = {"email": "b@example.com", "name": "B", "password": PASSWORD} | {param: value}
    with pytest.raises(InvalidInput) as refused:
        await house.users.create(house.admin, **values)
    assert refused.value.param == param


async def test_keys_belong_to_their_user(house: House) -> None:
    await house.customer()
    ann = await house.authenticator.by_session(await house.login())
    made = await house.keys.create(ann, " My App ")
    assert (made.key.name, made.key.user_email) == ("My App", "ann@example.com")
    assert made.secret.startswith("aigw_")
    assert made.secret.startswith(made.key.prefix)
    assert await house.keys.list(ann) == [made.key]
    assert await house.keys.list(house.admin) == []
    assert await house.keys.list_all(house.admin) == [made.key]
    assert await _outcome(house.keys.delete(house.admin, made.key.id)) is NotFound
    assert (await house.authenticator.by_key(made.secret)).key_id == made.key.id
    await house.keys.delete(ann, made.key.id)
    assert await _outcome(house.authenticator.by_key(made.secret)) is Unauthenticated
    assert await _outcome(house.keys.delete(ann, made.key.id)) is NotFound


async def test_admins_make_and_delete_keys_for_others(house: House) -> None:
    user = await house.customer()
    made = await house.keys.create_for(house.admin, user.id, "k")
    assert (await house.authenticator.by_key(made.secret)).user_id == user.id
    await house.keys.delete_any(house.admin, made.key.id)
    assert await _outcome(house.authenticator.by_key(made.secret)) is Unauthenticated


async def test_a_deactivated_user_loses_everything_for_good(house: House) -> None:
    user = await house.customer()
    session = await house.login()
    principal = await house.authenticator.by_session(session)
    key = await house.keys.create(principal, "k")
    cut: list[str] = []
    house.authenticator.watch(await house.authenticator.by_key(key.secret), lambda: cut.append("key"))
    house.authenticator.watch(principal, lambda: cut.append("session"))
    assert not (await house.users.deactivate(house.admin, user.id)).active
    await asyncio.sleep(0)
    assert sorted(cut) == ["key", "session"]
    refused: list[Awaitable[object]] = [house.login(), house.accounts.me(principal), house.keys.create(principal, "k")]
    assert [await _outcome(work) for work in refused] == [Unauthenticated] * 3
    assert await _outcome(house.keys.create_for(house.admin, user.id, "k")) is NotFound
    for active in (False, True):
        await house.users.update(house.admin, user.id, UserPatch(active=active))
        assert await _outcome(house.authenticator.by_key(key.secret)) is Unauthenticated
        assert await _outcome(house.authenticator.by_session(session)) is Unauthenticated
        assert await house.keys.list_all(house.admin) == []
    assert await _outcome(house.login()) is None


async def test_a_key_made_while_its_user_is_deactivated_does_not_survive(house: House) -> None:
    for turn in range(5):
        user = await house.customer(f"user{turn}@example.com")
        made = asyncio.gather(
            *(_outcome(house.keys.create_for(house.admin, user.id, "k")) for _ in range(4)),
            _outcome(house.users.deactivate(house.admin, user.id)),
        )
        assert set(await made) <= {None, NotFound}
        assert [key for key in await house.keys.list_all(house.admin) if key.user_id == user.id] == []


async def test_a_new_password_ends_sessions_and_keeps_keys(house: House) -> None:
    user = await house.customer()
    session = await house.login()
    key = await house.keys.create(await house.authenticator.by_session(session), "k")
    await house.users.update(house.admin, user.id, UserPatch(password="another horse"))
    assert await _outcome(house.authenticator.by_session(session)) is Unauthenticated
    assert (await house.authenticator.by_key(key.secret)).user_id == user.id
    assert await _outcome(house.login()) is Unauthenticated
    assert await _outcome(house.login(password="another horse")) is None


async def test_the_last_admin_stays(house: House) -> None:
    for patch in (UserPatch(active=False), UserPatch(role="customer")):
        assert await _outcome(house.users.update(house.admin, house.admin.user_id, patch)) is Conflict
    second = await house.users.create(house.admin, email="b@example.com", password=PASSWORD, name="B", role="admin")
    assert await _outcome(house.users.deactivate(house.admin, second.id)) is None


async def test_admins_who_demote_each_other_leave_one(house: House) -> None:
    for turn in range(5):
        second = await house.users.create(
            house.admin, email=f"b{turn}@example.com", password=PASSWORD, name="B", role="admin"
        )
        outcomes = await asyncio.gather(
            _outcome(house.users.update(house.admin, house.admin.user_id, UserPatch(role="customer"))),
            _outcome(house.users.deactivate(house.admin, second.id)),
        )
        assert sorted(str(outcome) for outcome in outcomes) == sorted([str(None), str(Conflict)])
        admins = [user for user in await house.users.list(house.admin) if user.role == "admin" and user.active]
        assert len(admins) == 1
        restored = UserPatch(role="admin", active=True)
        await house.users.update(house.admin, house.admin.user_id, restored)
        for user in admins:
            if user.id != house.admin.user_id:
                await house.users.deactivate(house.admin, user.id)
