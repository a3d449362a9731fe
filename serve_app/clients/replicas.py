"""What the Serve controller knows of a deployment's replicas."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import logging
import time
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeStatus

_log = logging.getLogger(__name__)
_FRESH_S = 0.5
_ASK_S = 2.0
_NOT_YET_OR_NO_MORE = ("STARTING", "STOPPED")


class Replicas:
    """Asks the controller; one answer serves all who ask within its freshness."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._status: ServeStatus | None = None
        self._read_at = 0.0

    async def alive(self, handle: DeploymentHandle[Any]) -> bool:
        """Whether a deployment has a replica that works on what it has accepted; a mute controller knows of none."""
        try:
            status = await self._fresh_status()
        except (TimeoutError, RayError, RayServeException):
            _log.warning("the controller does not answer")
            return False
        app = status.applications.get(handle.app_name)
        found = app.deployments.get(handle.deployment_name) if app is not None else None
        states = found.replica_states.items() if found is not None else ()
        return any(count for state, count in states if state not in _NOT_YET_OR_NO_MORE)

    async def _fresh_status(self) -> ServeStatus:
        async with self._lock:
            if self._status is None or time.monotonic() - self._read_at > _FRESH_S:
                self._status = await asyncio.wait_for(asyncio.to_thread(serve.status), _ASK_S)
                self._read_at = time.monotonic()
            return self._status


async def ask_all(handle: DeploymentHandle[Any], method: str) -> list[Any]:
    """What each replica answers to a call without arguments; none where they cannot all be asked in time."""
    try:
        answers = await handle.broadcast(method).results_async(timeout_s=_ASK_S, return_exceptions=True)
    except (TimeoutError, RayError, RayServeException):
        return []
    return [answer for answer in answers if not isinstance(answer, BaseException)]
