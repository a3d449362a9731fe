"""The routes: none owned twice, the README's table true, and the documented ones counted."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute

ROOT = Path(__file__).parents[2]
INVENTORY = ROOT / "tests/contracts/routes.yaml"
MISSING = ROOT / "tests/contracts/missing.txt"

Route = tuple[str, str]


def served(routes: list[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield from ((method, _shape(route.path)) for method in route.methods)
        elif isinstance(route, APIWebSocketRoute):
            yield "WS", _shape(route.path)


def _shape(path: str) -> str:
    """A path with its parameters' names taken away: two routes of one shape would catch the same requests."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _documented() -> Iterator[tuple[str, Route]]:
    inventory: dict[str, Any] = yaml.safe_load(INVENTORY.read_text())
    for dialect, described in inventory.items():
        for route in described["routes"]:
            yield dialect, (route["method"], route["path"])


def test_no_route_has_two_owners(app: FastAPI) -> None:
    owners = Counter(served(app.routes))
    assert [route for route, count in owners.items() if count > 1] == []


def test_the_documented_routes_still_missing_are_the_listed_ones(app: FastAPI) -> None:
    """A route that comes must leave the list; one that is lost fails here."""
    ours = {*served(app.routes), ("GET", "/openapi.json")}
    missing = [
        f"{dialect} {method} {path}" for dialect, (method, path) in _documented() if (method, _shape(path)) not in ours
    ]
    print(f"{len(missing)} of {len(list(_documented()))} documented routes are still missing:", *missing, sep="\n  ")
    assert missing == MISSING.read_text().splitlines()
