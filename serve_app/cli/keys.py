"""`polyphony keys`: the API keys of this installation."""

from typing import Annotated

import typer

from serve_app.cli.operator import OPERATOR, Accounts, perform
from serve_app.cli.tables import show
from serve_app.cli.users import find_user
from serve_app.domain.accounts import ApiKey, NewKey

keys = typer.Typer(no_args_is_help=True, help="The API keys of this installation.")


@keys.command("list")
def list_keys(user: Annotated[str, typer.Option(help="Only this user's: an e-mail.")] = "") -> None:
    """Show the keys, without their secrets."""

    async def work(accounts: Accounts) -> list[ApiKey]:
        found = await accounts.keys.list_all(OPERATOR)
        owner = (await find_user(accounts, user)).id if user else None
        return [key for key in found if owner in (None, key.user_id)]

    rows = [(key.id, key.user_email, key.name, key.prefix, f"{key.created_at:%Y-%m-%d %H:%M}") for key in perform(work)]
    show(("id", "user", "name", "begins with", "made"), rows)


@keys.command()
def create(
    email: Annotated[str, typer.Argument(help="E-mail of the user it belongs to.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "cli",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the secret alone.")] = False,
) -> None:
    """Make a key; this is the only time its secret is shown."""

    async def work(accounts: Accounts) -> NewKey:
        owner = await find_user(accounts, email)
        return await accounts.keys.create_for(OPERATOR, owner.id, name)

    made = perform(work)
    typer.echo(made.secret if quiet else f"key {made.key.id} of {made.key.user_email}, shown only now: {made.secret}")


@keys.command()
def revoke(key_id: Annotated[int, typer.Argument(help="Id of the key.")]) -> None:
    """End a key at once, everywhere."""
    perform(lambda accounts: accounts.keys.delete_any(OPERATOR, key_id))
    typer.echo(f"revoked key {key_id}")
