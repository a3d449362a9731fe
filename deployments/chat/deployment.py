"""The chat deployment: one engine, its answers in batches, its figures and its health."""

import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from deployments.chat import engine
from deployments.chat.coalesce import coalesced
from deployments.chat.options import ReplicaOptions
from deployments.contracts.chat import ChatRequest, Reply, Spent, Usage
from deployments.contracts.errors import AppError, ModelFailed
from deployments.contracts.models import ModelSpec

_log = logging.getLogger(__name__)


class ChatDeployment:
    """A replica of one chat model.

    Serve calls `check_health` before it lets requests in, and the engine's first check is a generation.
    """

    def __init__(self, spec: ModelSpec) -> None:
        ours = ReplicaOptions.model_validate(spec.options)
        theirs = {name: value for name, value in spec.options.items() if name not in ReplicaOptions.model_fields}
        self._spec = spec
        self._coalesce_s = ours.coalesce_ms / 1000
        self._engine = engine.load(spec.model_copy(update={"options": theirs}))
        self._totals = dict.fromkeys(("requests", "failures", "prompt_tokens", "completion_tokens", "cached_tokens"), 0)

    async def generate(self, request: ChatRequest) -> AsyncIterator[Reply]:
        """The engine's answer in batches, a failure as the last; leaving the iterator aborts it in the engine."""
        self._totals["requests"] += 1
        counted = Usage()
        try:
            async with aclosing(coalesced(self._engine.generate(request), every_s=self._coalesce_s)) as batches:
                async for batch in batches:
                    if isinstance(spent := batch[0], Spent):
                        self._count(counted, spent.usage)
                        counted = spent.usage
                    yield batch
        except AppError as error:
            self._totals["failures"] += error.status >= 500
            yield error
        except Exception as error:  # noqa: BLE001 - whatever an engine raises
            self._totals["failures"] += 1
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{at.filename}:{at.lineno}"
            _log.error("request %s: engine failed: %s at %s", request.request_id, type(error).__name__, where)
            yield ModelFailed("the model failed while it answered")

    async def check_health(self) -> None:
        """Raises when the engine is dead or hangs, upon which Serve replaces the replica."""
        await self._engine.check_health()

    async def describe(self) -> dict[str, Any]:
        """The model's card: its id, and what the engine knows of it."""
        return {"id": self._spec.id, "description": self._spec.description, **self._engine.describe()}

    async def stats(self) -> dict[str, float]:
        """Gauges of this moment, and totals since the replica started (`…_total`), as plain numbers."""
        return {**self._engine.stats(), **{f"{name}_total": float(total) for name, total in self._totals.items()}}

    def _count(self, before: Usage, after: Usage) -> None:
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
            self._totals[name] += getattr(after, name) - getattr(before, name)
