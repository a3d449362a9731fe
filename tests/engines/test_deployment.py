"""The chat deployment over scripted engines: batches, figures, failures."""

import logging
from typing import Any

import pytest
from pydantic import ValidationError

from deployments.chat.deployment import ChatDeployment
from deployments.chat.engine import load
from deployments.contracts.chat import ChatRequest, EngineEvent, Finish, Reply, Spent, TextDelta, Usage
from deployments.contracts.errors import AppError, InvalidInput, ModelFailed, Overloaded
from deployments.contracts.models import ModelSpec
from tests.engines.asking import ask, text_of
from tests.fakes.chat import ScriptedChat, Step, said

pytestmark = pytest.mark.anyio

SECRET = "the user's words"


class Scripted(ScriptedChat):
    """Takes its script from the config, as an engine must."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec.options["script"])


def deployed(*script: Step) -> ChatDeployment:
    options = {"script": script, "coalesce_ms": 0}
    engine = f"{__name__}:Scripted"
    return ChatDeployment(
        ModelSpec(id="scripted", ability="chat", engine=engine, options=options, description="Plays.")
    )


async def replies(deployment: ChatDeployment, request: ChatRequest | None = None) -> list[Reply]:
    return [reply async for reply in deployment.generate(request or ask())]


async def told(deployment: ChatDeployment, request: ChatRequest | None = None) -> list[EngineEvent]:
    found = await replies(deployment, request)
    return [event for reply in found if not isinstance(reply, AppError) for event in reply]


async def test_an_answer_comes_in_batches_and_is_counted() -> None:
    deployment = deployed(Spent(Usage(7, 1, 4)), TextDelta("Hi"), Spent(Usage(7, 2, 4)), Finish("stop", Usage(7, 2, 4)))
    for _ in range(2):
        assert text_of(await told(deployment)) == "Hi"
    stats = await deployment.stats()
    assert stats == {
        "running": 0.0,
        "requests_total": 2.0,
        "failures_total": 0.0,
        "prompt_tokens_total": 14.0,
        "completion_tokens_total": 4.0,
        "cached_tokens_total": 8.0,
    }


async def test_tokens_of_an_answer_that_was_left_are_counted() -> None:
    deployment = deployed(Spent(Usage(7, 1)), TextDelta("Hi"), 60.0)
    stream = deployment.generate(ask())
    await anext(stream)
    assert (await deployment.stats())["running"] == 1
    await stream.aclose()
    stats = await deployment.stats()
    assert (stats["running"], stats["prompt_tokens_total"], stats["completion_tokens_total"]) == (0, 7, 1)


@pytest.mark.parametrize("error", [InvalidInput("no", param="messages"), Overloaded("later", retry_after=2)])
async def test_refusals_pass_as_they_are(error: Exception) -> None:
    deployment = deployed(error)
    assert await replies(deployment) == [error]
    assert (await deployment.stats())["failures_total"] == 0


async def test_any_other_failure_is_a_model_failure_without_the_users_words(caplog: pytest.LogCaptureFixture) -> None:
    deployment = deployed(*said("Hi")[:2], ValueError(SECRET))
    with caplog.at_level(logging.DEBUG):
        *_, failed = await replies(deployment)
    assert isinstance(failed, ModelFailed)
    assert SECRET not in failed.message
    assert SECRET not in caplog.text
    assert "ValueError" in caplog.text
    assert (await deployment.stats())["failures_total"] == 1


async def test_it_describes_its_model() -> None:
    card = await deployed(*said("Hi")).describe()
    assert card == {"id": "scripted", "description": "Plays.", "context_length": 4096, "tools": True, "reasoning": True}


async def test_health_is_the_engines() -> None:
    class Dead(ScriptedChat):
        async def check_health(self) -> None:
            raise ModelFailed("dead")

    deployment = deployed(*said("Hi"))
    await deployment.check_health()
    deployment._engine = Dead()
    with pytest.raises(ModelFailed):
        await deployment.check_health()


@pytest.mark.parametrize("engine", ["nonsense", "vllm2"])
def test_an_unknown_engine_is_refused(engine: str) -> None:
    with pytest.raises(ValueError, match=engine):
        load(ModelSpec(id="m", ability="chat", engine=engine))


@pytest.mark.parametrize(
    "options", [{"no_such_option": 1}, {"max_model_len": 0}, {"coalesce_ms": -1}, {"tool_parser": "unheard of"}]
)
def test_options_are_checked_before_anything_is_loaded(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatDeployment(ModelSpec(id="m", ability="chat", weights="nowhere", options=options))


async def test_the_fixed_pace_engine_can_be_named_by_a_config() -> None:
    spec = ModelSpec(
        id="paced", ability="chat", engine="benchmarks.engines:FixedPace", options={"tokens": 5, "text": "a"}
    )
    events = await told(ChatDeployment(spec))
    assert text_of(events) == "aaaaa"
    assert events[-1] == Finish("stop", Usage(1, 5))
