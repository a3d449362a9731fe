"""The Chat protocol, spoken over a Serve handle."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.contracts.chat import ChatRequest, EngineEvent, Finish, Reply
from deployments.contracts.errors import AppError, ModelFailed, Overloaded, Unavailable
from serve_app.clients.replicas import Replicas

_log = logging.getLogger(__name__)
_PATIENCE_S = 1.0


class ChatClient:
    """Streams from whichever replica Serve picks; a reader who leaves aborts the engine."""

    def __init__(self, model: str, handle: DeploymentHandle[Any], replicas: Replicas) -> None:
        self._model = model
        self._replicas = replicas
        self._handle: Any = handle.options(stream=True, method_name="generate")

    async def generate(self, request: ChatRequest) -> AsyncGenerator[EngineEvent]:
        stream = self._handle.remote(request)
        ended = received = False
        try:
            batch = await self._first(stream)
            while True:
                if isinstance(batch, AppError):
                    raise batch
                received = True
                for event in batch:
                    ended = isinstance(event, Finish)
                    yield event
                batch = await anext(stream)
        except StopAsyncIteration:
            if not ended:
                ended = True
                raise ModelFailed(f"model {self._model!r} stopped without an end") from None
        except AppError:
            raise
        except Exception as error:  # noqa: BLE001 - what a replica's end raises differs by transport
            ended = True
            raise self._translated(error, request.request_id, received=received) from None
        finally:
            # Neither `break` nor `aclose` reaches the replica: only this does.
            if not ended:
                stream.cancel()

    async def _first(self, stream: Any) -> Reply:
        """The first batch. Serve would let a request wait for ever where no replica is left to serve it."""
        first: asyncio.Future[Reply] = asyncio.ensure_future(anext(stream))  # noqa: TID251 - ends with this call
        try:
            while not first.done():
                await asyncio.wait((first,), timeout=_PATIENCE_S)
                if not first.done() and not await self._replicas.alive(self._handle):
                    raise Unavailable(f"model {self._model!r} is not running at the moment", retry_after=5)
            return first.result()
        finally:
            first.cancel()

    def _translated(self, error: Exception, request_id: str, *, received: bool) -> AppError:
        """What Serve and Ray raise on the way, as kinds of ours."""
        cause: object = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, BackPressureError):
            message = f"model {self._model!r} has too many requests waiting"
            return Overloaded(message, retry_after=cause.retry_after_s or 1)
        fields = {"model": self._model, "kind": type(cause).__name__, "request_id": request_id}
        _log.warning("chat replica failed", extra=fields)
        if not received and isinstance(error, RayError | RayServeException) and not isinstance(error, RayTaskError):
            return Unavailable(f"model {self._model!r} could not take the request", retry_after=1)
        return ModelFailed(f"model {self._model!r} failed while it answered")
