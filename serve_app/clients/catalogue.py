"""Which models there are, and how to reach them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.contracts.chat import Chat
from deployments.contracts.errors import NotFound
from deployments.contracts.models import Ability, ModelSpec
from serve_app.clients.chat import ChatClient
from serve_app.clients.replicas import Replicas, ask_all


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the config, and the handle of its deployment."""

    spec: ModelSpec
    handle: DeploymentHandle[Any]


class Catalogue:
    """Resolves a model id, or an ability's default, to a client."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: Mapping[str, Entry] = {entry.spec.id: entry for entry in entries}
        self._replicas = Replicas()
        self._chat = {id_: ChatClient(id_, entry.handle, self._replicas) for id_, entry in self._entries.items()}

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return tuple(entry.spec for entry in self._entries.values())

    def chat(self, model: str | None) -> tuple[str, Chat]:
        """The id and client of a chat model; NotFound for an unknown id."""
        id_ = model or self._default("chat")
        if id_ not in self._chat:
            raise NotFound(f"there is no chat model {id_!r}", param="model")
        return id_, self._chat[id_]

    async def health(self) -> dict[str, bool]:
        """By model id: whether a replica is running."""
        return {id_: await self._replicas.alive(entry.handle) for id_, entry in self._entries.items()}

    async def stats(self) -> dict[str, list[dict[str, float]]]:
        """By model id: each replica's own figures."""
        return {id_: await ask_all(entry.handle, "stats") for id_, entry in self._entries.items()}

    def _default(self, ability: Ability) -> str:
        able = [spec for spec in self.specs if spec.ability == ability]
        marked = [spec for spec in able if spec.default] or able
        if not marked:
            raise NotFound(f"no model of this installation can do {ability}", param="model")
        return marked[0].id
