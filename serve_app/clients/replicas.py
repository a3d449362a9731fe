"""What the Serve controller knows of a deployment's replicas."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeStatus

_FRESH_S = 0.5
_ASK_S = 2.0


@dataclass
class _Cache:
    """One answer of the controller serves all who ask within its freshness."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    status: ServeStatus | None = None
    read_at: float = 0.0


_cache = _Cache()


async def running(app: str, deployment: str) -> int:
    """How many replicas of a deployment are running."""
    async with _cache.lock:
        if _cache.status is None or time.monotonic() - _cache.read_at > _FRESH_S:
            _cache.status = await asyncio.to_thread(serve.status)
            _cache.read_at = time.monotonic()
    found = _cache.status.applications.get(app)
    if found is None or deployment not in found.deployments:
        return 0
    return found.deployments[deployment].replica_states.get("RUNNING", 0)


async def ask_all(handle: DeploymentHandle[Any], method: str) -> list[Any]:
    """What each replica answers to a call without arguments; those that fail or dawdle are left out."""
    try:
        answers: list[Any] = await handle.broadcast(method).results_async(timeout_s=_ASK_S, return_exceptions=True)
    except TimeoutError:
        return []
    return [answer for answer in answers if not isinstance(answer, BaseException)]
