"""The composition root: `serve run configs/laptop.yaml` imports `serve_app.graph:build`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve.config import BackpressureConfig

from deployments.chat.deployment import ChatDeployment
from deployments.contracts.models import Ability, ModelSpec
from serve_app.gateway import Gateway
from serve_app.settings import Settings

DEPLOYMENTS: dict[Ability, type] = {"chat": ChatDeployment}
"""The deployment class of each ability."""


class GatewayArgs(BaseModel):
    """The ingress's own share of the machine."""

    model_config = ConfigDict(extra="forbid")

    replicas: Annotated[int, Field(ge=1)] = 1
    num_cpus: Annotated[float, Field(ge=0)] = 0.25
    max_ongoing_requests: Annotated[int, Field(ge=1)] = 2048


class GraphArgs(BaseModel):
    """The `args:` of the application in a Serve config."""

    model_config = ConfigDict(extra="forbid")

    gateway: GatewayArgs = GatewayArgs()
    models: Annotated[list[ModelSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "GraphArgs":
        ids = [model.id for model in self.models]
        if repeated := {id_ for id_ in ids if ids.count(id_) > 1}:
            raise ValueError(f"model ids are given twice: {sorted(repeated)}")
        return self


def build(args: GraphArgs) -> serve.Application:
    """One deployment per model, and the ingress over them."""
    gateway = serve.deployment(Gateway).options(
        name="Gateway",
        num_replicas=args.gateway.replicas,
        max_ongoing_requests=args.gateway.max_ongoing_requests,
        ray_actor_options={"num_cpus": args.gateway.num_cpus},
        health_check_period_s=5,
    )
    models = [_deployment(spec) for spec in args.models]
    return gateway.bind(Settings(), args.models, models)


def _deployment(spec: ModelSpec) -> Any:
    scale: dict[str, Any] = (
        {"autoscaling_config": spec.autoscaling.model_dump()}
        if spec.autoscaling is not None
        else {"num_replicas": spec.replicas or 1}
    )
    deployment = serve.deployment(DEPLOYMENTS[spec.ability]).options(
        # Serve allows no slash in a name, and model ids often have one.
        name=spec.id.replace("/", "--"),
        max_ongoing_requests=spec.max_ongoing_requests,
        max_queued_requests=spec.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        ray_actor_options={"num_cpus": spec.num_cpus, "num_gpus": spec.num_gpus},
        # A dead replica must be known as such before its callers lose patience.
        health_check_period_s=1,
        graceful_shutdown_timeout_s=20,
        **scale,
    )
    return deployment.bind(spec)
