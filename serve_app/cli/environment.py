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
    """The settings that were given, wherever from, as variables: a child elsewhere finds no `.env`."""
    return {f"POLYPHONY_{name.upper()}": _text(getattr(settings, name)) for name in settings.model_fields_set}


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
