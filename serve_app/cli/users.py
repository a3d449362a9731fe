"""`polyphony users`: who may use this installation."""

import sys
from typing import Annotated, cast

import typer

from deployments.contracts.errors import NotFound
from serve_app.cli.operator import OPERATOR, Accounts, perform
from serve_app.cli.tables import show
from serve_app.domain.accounts import User, UserPatch

users = typer.Typer(no_args_is_help=True, help="The users of this installation.")

Email = Annotated[str, typer.Argument(help="E-mail of the user.")]


@users.command("list")
def list_users() -> None:
    """Show all users."""
    rows = [
        (
            user.id,
            user.email,
            user.name,
            user.role,
            "yes" if user.active else "no",
            user.rate_limit,
            "no bound" if user.token_quota is None else user.token_quota,
        )
        for user in perform(lambda accounts: accounts.users.list(OPERATOR))
    ]
    show(("id", "e-mail", "name", "role", "active", "requests/min", "tokens/30 d"), rows)


@users.command()
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="Shown to admins; the e-mail when left out.")] = "",
    role: Annotated[str, typer.Option(help="customer or admin.")] = "customer",
    rate_limit: Annotated[int | None, typer.Option(help="Requests a minute.")] = None,
    token_quota: Annotated[
        int | None, typer.Option(help="Chat tokens in any 30 days; without bound when left out.")
    ] = None,
) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    password = _password()

    async def work(accounts: Accounts) -> User:
        return await accounts.users.create(
            OPERATOR,
            email=email,
            password=password,
            name=name or email,
            role=role,
            rate_limit=rate_limit,
            token_quota=token_quota,
        )

    typer.echo(f"added {perform(work).email}")


@users.command()
def deactivate(email: Email) -> None:
    """End all keys and sessions of a user at once, and accept no new login."""
    typer.echo(f"deactivated {_change(email, UserPatch(active=False)).email}")


@users.command()
def password(email: Email) -> None:
    """Set a new password, which is asked for or read from standard input; the user's sessions end."""
    typer.echo(f"the password of {_change(email, UserPatch(password=_password())).email} is set")


async def find_user(accounts: Accounts, email: str) -> User:
    """NotFound when nobody has this e-mail."""
    for user in await accounts.users.list(OPERATOR):
        if user.email == email.strip().lower():
            return user
    raise NotFound(f"nobody has the e-mail {email}")


def _change(email: str, patch: UserPatch) -> User:
    async def work(accounts: Accounts) -> User:
        user = await find_user(accounts, email)
        return await accounts.users.update(OPERATOR, user.id, patch)

    return perform(work)


def _password() -> str:
    if sys.stdin.isatty():
        return cast("str", typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
