"""A vLLM engine that hangs, and one that dies: noticed, and told to those who wait."""

import psutil
import pytest

from deployments.chat import vllm as engines
from deployments.chat.vllm import VllmEngine
from deployments.contracts.errors import ModelFailed
from deployments.contracts.models import ModelSpec
from tests.engines.asking import ask, events

pytestmark = pytest.mark.anyio


def _processes() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


async def test_an_engine_that_hangs_or_dies_is_noticed(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    others = _processes()
    engine = VllmEngine(spec)
    (process,) = (child for child in _processes() - others if "EngineCore" in child.name())
    await engine.check_health()

    monkeypatch.setattr(engines, "_PROBE_S", 1.0)
    process.suspend()
    with pytest.raises(ModelFailed, match="hangs"):
        await engine.check_health()
    process.resume()
    await engine.check_health()

    stream = engine.generate(ask(max_tokens=3000))
    await anext(stream)
    process.kill()
    with pytest.raises(ModelFailed):
        async for _ in stream:
            pass
    with pytest.raises(ModelFailed):
        await engine.check_health()
    with pytest.raises(ModelFailed):
        await events(engine, ask())
    engine.close()
