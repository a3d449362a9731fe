"""What the chat deployment asks of whatever generates its answers."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from deployments.contracts.chat import Chat
from deployments.contracts.models import ModelSpec


class Engine(Chat, Protocol):
    """A chat model at work. It is made with its ModelSpec, on the replica and within its event loop."""

    async def check_health(self) -> None:
        """Raises when the engine is dead or hangs; the first call returns once it has really answered."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What a catalogue says of the model, `context_length` in tokens among it."""
        ...

    def stats(self) -> Mapping[str, float]:
        """Gauges of this moment, by name; every engine has `running`."""
        ...


ENGINES = {"vllm": "deployments.chat.vllm:VllmEngine"}


def load(spec: ModelSpec) -> Engine:
    """The engine that `spec.engine` names: one of ours, or `module:Class`."""
    module, _, name = ENGINES.get(spec.engine, spec.engine).partition(":")
    if not name:
        raise ValueError(f"model {spec.id!r}: there is no chat engine {spec.engine!r}")
    engine: Engine = getattr(import_module(module), name)(spec)
    return engine
