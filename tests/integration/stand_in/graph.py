"""A graph without models, for the supervisor's tests."""

from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve
from ray.serve import Application

_app = FastAPI()


class Arguments(BaseModel):
    broken: bool = False


@serve.deployment(ray_actor_options={"num_cpus": 0.1}, max_constructor_retry_count=1)
@serve.ingress(_app)
class Hello:
    def __init__(self, broken: bool) -> None:
        if broken:
            raise RuntimeError("the weights are spoilt")

    @_app.get("/hello")
    async def hello(self) -> str:
        return "hello"


def build(arguments: Arguments) -> Application:
    return Hello.bind(arguments.broken)
