"""Work ends when the one who asked for it has left."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

T = TypeVar("T")


async def left(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client leaves; ClientDisconnect is raised then."""
    results: list[T] = []
    failures: list[Exception] = []

    async def run(scope: anyio.CancelScope) -> None:
        try:
            results.append(await work)
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            failures.append(error)
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run, group.cancel_scope)
        await left(request.receive)
        group.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if not results:
        raise ClientDisconnect
    return results[0]
