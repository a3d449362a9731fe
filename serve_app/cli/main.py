"""The command `polyphony`."""

import typer

from serve_app.cli.doctor import doctor
from serve_app.cli.keys import keys
from serve_app.cli.up import up
from serve_app.cli.users import users

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Polyphony: one API for every kind of model.")
app.command()(up)
app.command()(doctor)
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
