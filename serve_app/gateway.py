"""The ingress deployment: the app on a Serve replica."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.contracts.models import ModelSpec
from serve_app.app import create_app
from serve_app.clients.catalogue import Catalogue, Entry
from serve_app.clients.replicas import ask_all
from serve_app.logs import configure
from serve_app.services.bootstrap import Services
from serve_app.services.metrics import Family
from serve_app.settings import Settings


class Gateway:
    """Composes the models into one API; `handles` follow the order of `specs`. `graph` makes it an ingress."""

    def __init__(
        self, settings: Settings, specs: Sequence[ModelSpec], handles: Sequence[DeploymentHandle[Any]]
    ) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        rank = serve.get_replica_context().rank.rank
        configure(settings.log_level, settings.data_dir / "logs" / f"gateway-{rank}.jsonl")
        catalogue = Catalogue(Entry(spec, handle) for spec, handle in zip(specs, handles, strict=True))
        self._services = Services.build(settings, catalogue, snapshots=self._all_snapshots)

    async def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._services)

    async def snapshot(self) -> list[Family]:
        """This replica's figures, for its siblings."""
        return self._services.metrics.snapshot()

    async def _all_snapshots(self) -> list[list[Family]]:
        context = serve.get_replica_context()
        siblings = serve.get_deployment_handle(context.deployment, context.app_name)
        return await ask_all(siblings, "snapshot")
