"""Models that live in the test's own process."""

from dataclasses import dataclass, field

from deployments.contracts.chat import Chat
from deployments.contracts.errors import NotFound
from deployments.contracts.models import ModelSpec


@dataclass
class FakeClients:
    """Chat models by id; the first is the default."""

    chats: dict[str, Chat] = field(default_factory=dict)
    healthy: bool = True

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return tuple(ModelSpec(id=id_, ability="chat") for id_ in self.chats)

    def chat(self, model: str | None) -> tuple[str, Chat]:
        id_ = model or next(iter(self.chats), "")
        if id_ not in self.chats:
            raise NotFound(f"there is no chat model {id_!r}", param="model")
        return id_, self.chats[id_]

    async def health(self) -> dict[str, bool]:
        return dict.fromkeys(self.chats, self.healthy)

    async def stats(self) -> dict[str, list[dict[str, float]]]:
        return {id_: [{"running": 0.0}] for id_ in self.chats}
