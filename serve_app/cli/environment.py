"""What child processes inherit."""

import os
from typing import cast

from pydantic import SecretStr

from serve_app.cli.processes import MARK
from serve_app.settings import Settings


def inherited(mark: str) -> dict[str, str]:
    """Our own environment, marked, and with no proxy between the parts of the stack."""
    env = {**os.environ, MARK: mark}  # noqa: TID251 - Settings reads what we use; children get all of it.
    direct = ",".join(filter(None, [env.get("no_proxy") or env.get("NO_PROXY"), "127.0.0.1", "localhost", "::1"]))
    return {**env, "no_proxy": direct, "NO_PROXY": direct}


def exported(settings: Settings) -> dict[str, str]:
    """All settings as variables: a child that runs elsewhere finds no `.env`, and other relative paths."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {f"POLYPHONY_{name.upper()}": _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case str():
            return value
        case tuple():
            return ",".join(cast("tuple[str, ...]", value))
        case _:
            return str(value)
