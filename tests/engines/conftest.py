"""One small checkpoint and one vLLM engine for the whole run, in one event loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.engines import FixedPace
from deployments.chat.engine import Engine
from deployments.chat.vllm import VllmEngine
from deployments.contracts.models import ModelSpec
from deployments.smallchat import checkpoint
from tests.fakes.chat import ScriptedChat, said


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smallchat") / "weights"
    assert checkpoint.ensure(out)
    return out


@pytest.fixture(scope="session")
def spec(weights: Path) -> ModelSpec:
    options = {"max_model_len": 4096, "reasoning_parser": "qwen3", "default_max_tokens": 32, "kv_cache_gib": 0.1}
    return ModelSpec(id="small", ability="chat", weights=str(weights), options=options)


@pytest.fixture(scope="session")
async def vllm(spec: ModelSpec) -> AsyncIterator[VllmEngine]:
    engine = VllmEngine(spec)
    await engine.check_health()
    yield engine
    engine.close()


@pytest.fixture(params=["scripted", "fixed pace", "vllm"])
def chat(request: pytest.FixtureRequest, vllm: VllmEngine) -> Engine:
    """Every engine in turn; each has many tokens to tell."""
    match request.param:
        case "scripted":
            return ScriptedChat(said(*"abcdefgh" * 100, pause_s=0.001))
        case "fixed pace":
            pace = {"tokens": 1000, "tokens_per_second": 500}
            return FixedPace(ModelSpec(id="paced", ability="chat", engine="benchmarks.engines:FixedPace", options=pace))
        case _:
            return vllm
