"""What the Serve controller knows of a deployment's replicas."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeStatus

_FRESH_S = 0.5
_ASK_S = 2.0


class Replicas:
    """Asks the controller; one answer serves all who ask within its freshness."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._status: ServeStatus | None = None
        self._read_at = 0.0

    async def running(self, handle: DeploymentHandle[Any]) -> int:
        """How many replicas of a deployment are running."""
        async with self._lock:
            if self._status is None or time.monotonic() - self._read_at > _FRESH_S:
                self._status = await asyncio.to_thread(serve.status)
                self._read_at = time.monotonic()
        app = self._status.applications.get(handle.app_name)
        found = app.deployments.get(handle.deployment_name) if app is not None else None
        states = found.replica_states.items() if found is not None else ()
        return sum(count for state, count in states if state == "RUNNING")


async def ask_all(handle: DeploymentHandle[Any], method: str) -> list[Any]:
    """What each replica answers to a call without arguments; those that fail or dawdle are left out."""
    try:
        answers: list[Any] = await handle.broadcast(method).results_async(timeout_s=_ASK_S, return_exceptions=True)
    except TimeoutError:
        return []
    return [answer for answer in answers if not isinstance(answer, BaseException)]
