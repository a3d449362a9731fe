"""Background tasks that are kept, and whose failures are heard."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Run `work` beside the caller. The loop keeps only weak references to tasks, so we hold one."""
    task = asyncio.create_task(work, name=name)  # noqa: TID251 - the one place that may
    _running.add(task)
    task.add_done_callback(_done)
    return task


def _done(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("background task %s failed", task.get_name(), exc_info=error)
