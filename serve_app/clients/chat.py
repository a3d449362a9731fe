"""The Chat protocol, spoken over a Serve handle."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.contracts.chat import ChatRequest, EngineEvent, Finish
from deployments.contracts.errors import AppError, ModelFailed, Overloaded, Unavailable
from serve_app.clients.replicas import running

_log = logging.getLogger(__name__)
_PATIENCE_S = 1.0


class ChatClient:
    """Streams from whichever replica Serve picks; a reader who leaves aborts the engine."""

    def __init__(self, model: str, handle: DeploymentHandle[Any]) -> None:
        self._model = model
        self._deployment = handle.deployment_name
        self._app = handle.app_name
        self._handle: Any = handle.options(stream=True, method_name="generate")

    async def generate(self, request: ChatRequest) -> AsyncIterator[EngineEvent]:
        stream = self._handle.remote(request)
        finished = received = False
        try:
            batch = await self._first(stream)
            while True:
                received = True
                for event in batch:
                    finished = isinstance(event, Finish)
                    yield event
                batch = await anext(stream)
        except StopAsyncIteration:
            if not finished:
                raise ModelFailed(f"model {self._model!r} stopped without an end") from None
        except (RayError, RayServeException, grpc.RpcError) as error:
            raise self._translated(error, received=received) from None
        finally:
            # Neither `break` nor `aclose` reaches the replica: only this does.
            if not finished:
                stream.cancel()

    async def _first(self, stream: Any) -> tuple[EngineEvent, ...]:
        """The first batch. Serve would let a request wait for ever where no replica is left to serve it."""
        first = asyncio.ensure_future(anext(stream))  # noqa: TID251 - awaited below, in every case
        try:
            while not first.done():
                await asyncio.wait((first,), timeout=_PATIENCE_S)
                if not first.done() and not await running(self._app, self._deployment):
                    raise Unavailable(f"model {self._model!r} is not running at the moment", retry_after=5)
            return first.result()
        finally:
            first.cancel()

    def _translated(self, error: Exception, *, received: bool) -> AppError:
        cause: object = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(error, AppError):
            # On Ray's own transport the error is our class and Ray's at once, and its text holds a remote traceback.
            return cause if isinstance(cause, AppError) else error
        if isinstance(cause, BackPressureError):
            return Overloaded(
                f"model {self._model!r} has too many requests waiting", retry_after=cause.retry_after_s or 1
            )
        _log.warning("chat replica failed", extra={"model": self._model, "kind": type(cause).__name__})
        if received:
            return ModelFailed(f"model {self._model!r} failed while it answered")
        return Unavailable(f"model {self._model!r} could not take the request", retry_after=1)
