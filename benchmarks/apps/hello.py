"""A bare Ray Serve application with one hop: a FastAPI ingress and one deployment behind it."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from ray import serve
from ray.serve.handle import DeploymentHandle

from benchmarks.apps.words import words
from benchmarks.engines import FixedPace
from benchmarks.specs import FIXED_PACE, specs
from benchmarks.work import WORD

api = FastAPI()


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.25})
class Downstream:
    """Says hello, or as many words as it is asked for, at the pace of the benchmarks' engines."""

    def __init__(self) -> None:
        self._engines = {id_: FixedPace(spec) for id_, spec in specs(FIXED_PACE).items()}

    async def hello(self) -> str:
        return WORD * 16

    async def stream(self, model: str, tokens: int) -> AsyncIterator[str]:
        async for word in words(self._engines[model], tokens):
            yield word


@serve.deployment(max_ongoing_requests=2048, ray_actor_options={"num_cpus": 0.25})
@serve.ingress(api)
class Ingress:
    """Passes on what the other says."""

    def __init__(self, downstream: DeploymentHandle[Any]) -> None:
        self._downstream = downstream
        self._streaming = downstream.options(stream=True)

    @api.get("/hello")
    async def hello(self) -> str:
        answer: str = await self._downstream.hello.remote()
        return answer

    @api.get("/stream/{model}/{tokens}")
    async def stream(self, model: str, tokens: int) -> StreamingResponse:
        stream = self._streaming.stream.remote(model, tokens)
        return StreamingResponse((f"data: {word}\n\n" async for word in stream), media_type="text/event-stream")


app = Ingress.bind(Downstream.bind())
