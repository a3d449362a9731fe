"""A vLLM engine that hangs, and one that dies: noticed, and told to those who wait."""

import subprocess
import sys

import psutil
import pytest

from deployments.chat import vllm as engines
from deployments.chat.vllm import VllmEngine
from deployments.contracts.errors import ModelFailed
from deployments.contracts.models import ModelSpec
from tests.engines.asking import ask, events

pytestmark = pytest.mark.anyio


REPLICA = """
import sys, time
from deployments.chat.vllm import VllmEngine
from deployments.contracts.models import ModelSpec
if __name__ == "__main__":
    engine = VllmEngine(ModelSpec.model_validate_json(sys.argv[1]))
    print("ready", flush=True)
    time.sleep(600)
"""


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


def test_a_killed_replica_leaves_no_engine_behind(spec: ModelSpec) -> None:
    command = [sys.executable, "-c", REPLICA, spec.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as replica:
        assert replica.stdout is not None
        assert any(line == "ready\n" for line in replica.stdout)
        left = psutil.Process(replica.pid).children(recursive=True)
        assert any("EngineCore" in process.name() for process in left)
        replica.kill()
    psutil.wait_procs(left, timeout=30)
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
