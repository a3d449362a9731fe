"""The composition root: `serve run configs/laptop.yaml` imports `serve_app.graph:build`."""
# Ray is typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve.config import BackpressureConfig

from deployments.chat.deployment import ChatDeployment
from deployments.contracts.models import Ability, ModelSpec
from serve_app.gateway import Gateway
from serve_app.settings import Settings

DEPLOYMENTS: dict[Ability, type] = {"chat": ChatDeployment}
"""The deployment class of each ability."""


_BACKPRESSURE = BackpressureConfig(status_code=429, retry_after_s=1)


class GatewayArgs(BaseModel):
    """The ingress's own share of the machine."""

    model_config = ConfigDict(extra="forbid")

    replicas: Annotated[int, Field(ge=1)] = 1
    num_cpus: Annotated[float, Field(ge=0)] = 0.25
    max_ongoing_requests: Annotated[int, Field(ge=1)] = 2048
    max_queued_requests: Annotated[int, Field(ge=-1)] = 1024


class GraphArgs(BaseModel):
    """The `args:` of the application in a Serve config."""

    model_config = ConfigDict(extra="forbid")

    gateway: GatewayArgs = GatewayArgs()
    models: Annotated[list[ModelSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_and_defaults_are_unique(self) -> "GraphArgs":
        ids = [model.id for model in self.models]
        if repeated := {id_ for id_ in ids if ids.count(id_) > 1}:
            raise ValueError(f"model ids are given twice: {sorted(repeated)}")
        defaults = [model.ability for model in self.models if model.default]
        if repeated := {ability for ability in defaults if defaults.count(ability) > 1}:
            raise ValueError(f"abilities have two defaults: {sorted(repeated)}")
        return self


def build(args: GraphArgs) -> serve.Application:
    """One deployment per model, and the ingress over them."""
    gateway = serve.deployment(
        name="Gateway",
        num_replicas=args.gateway.replicas,
        max_ongoing_requests=args.gateway.max_ongoing_requests,
        max_queued_requests=args.gateway.max_queued_requests,
        backpressure_config=_BACKPRESSURE,
        ray_actor_options={"num_cpus": args.gateway.num_cpus},
        health_check_period_s=5,
    )(serve.ingress()(Gateway))
    return gateway.bind(Settings(), args.models, [_model(spec) for spec in args.models])


def _model(spec: ModelSpec) -> serve.Application:
    model = serve.deployment(
        # Serve allows no slash in a name, and model ids often have one.
        name=spec.id.replace("/", "--"),
        num_replicas=spec.replicas or (None if spec.autoscaling else 1),
        autoscaling_config=spec.autoscaling.model_dump() if spec.autoscaling else None,
        max_ongoing_requests=spec.max_ongoing_requests,
        max_queued_requests=spec.max_queued_requests,
        backpressure_config=_BACKPRESSURE,
        ray_actor_options={"num_cpus": spec.num_cpus, "num_gpus": spec.num_gpus},
        # A dead replica must be known as such before its callers lose patience.
        health_check_period_s=1,
    )(DEPLOYMENTS[spec.ability])
    return model.bind(spec)
