"""Concurrent askers of one question share one answer."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from deployments.contracts.errors import AppError
from serve_app.domain.tasks import spawn

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Work under way, by key. A caller who leaves does not end it for the others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[K, asyncio.Task[V | AppError]] = {}

    async def share(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer of the flight under way for `key`, or of one that starts here. Its AppError is everyone's."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = spawn(self._fly(key, work), name=self._name)
        answer = await asyncio.shield(task)
        if isinstance(answer, AppError):
            raise answer
        return answer

    async def _fly(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V | AppError:
        try:
            return await work()
        except AppError as error:
            return error
        finally:
            # Before the task is done: to await one that is done yields to nobody, and who retries would spin.
            del self._tasks[key]
