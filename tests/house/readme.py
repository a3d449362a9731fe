"""The README's tables, as the code has them. `python -m tests.house.readme` writes them anew."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import SecretStr

from serve_app.app import create_app
from serve_app.services.bootstrap import Services
from serve_app.settings import Settings
from tests.fakes.clients import FakeClients

README = Path(__file__).parents[2] / "README.md"


def bare_app(folder: Path) -> FastAPI:
    """The app as production builds it, with nothing behind it: nothing connects before it starts."""
    settings = Settings(data_dir=folder, database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"))
    return create_app(Services.build(settings, FakeClients()))


def tables(app: FastAPI) -> dict[str, str]:
    """By heading: the whole table."""
    return {
        "Configuration": _table("variable | default | meaning", _settings()),
        "Routes": _table("method | path | section | for", _routes(app)),
    }


def section(readme: str, heading: str) -> str:
    """The table that stands under a heading."""
    match = re.search(rf"^## {heading}\n.*?^(\|.*?\n)(?!\|)", readme, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the README has no table under {heading!r}"
    return match[1]


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = f"`{default}`" if default not in (None, "") else "–"
        yield f"`POLYPHONY_{name.upper()}` | {shown} | {field.description}"


def _routes(app: FastAPI) -> Iterator[str]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            [method] = route.methods
            yield f"{method} | `{route.path}` | {route.tags[0]} | {route.description.splitlines()[0]}"
        elif isinstance(route, APIWebSocketRoute):
            yield f"WS | `{route.path}` | – | {(route.endpoint.__doc__ or '').splitlines()[0]}"
    yield "GET | `/docs` | Operations | This table, to be tried in the browser."
    yield "GET | `/openapi.json` | Operations | The same for machines."


def _table(head: str, rows: Iterator[str]) -> str:
    rule = "|".join("---" for _ in head.split("|"))
    return "".join(f"| {row} |\n" for row in (head,)) + f"|{rule}|\n" + "".join(f"| {row} |\n" for row in rows)


def main() -> None:
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for heading, table in tables(bare_app(Path(folder))).items():
            text = text.replace(section(text, heading), table)
    README.write_text(text)


if __name__ == "__main__":
    main()
