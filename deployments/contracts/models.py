"""How a config file describes a model; each description becomes one Serve deployment."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Ability = Literal["chat"]


class Autoscaling(BaseModel):
    """Bounds and target of Serve's own autoscaler."""

    model_config = ConfigDict(extra="forbid")

    min_replicas: Annotated[int, Field(ge=0)] = 1
    max_replicas: Annotated[int, Field(ge=1)] = 1
    target_ongoing_requests: Annotated[float, Field(gt=0)] = 8


class ModelSpec(BaseModel):
    """One model: what it can do, the engine that runs it, its weights and its share of the machine."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
    ability: Ability
    engine: str = "vllm"
    """A name from the ability's own list of engines, or `module:Class`."""
    weights: str = ""
    """A folder, relative to the repository's root unless absolute, or whatever else the engine can load."""
    default: bool = False
    """The model that answers for its ability when none is named; without a mark, the first listed does."""
    num_gpus: Annotated[float, Field(ge=0)] = 0
    num_cpus: Annotated[float, Field(ge=0)] = 0.5
    replicas: Annotated[int, Field(ge=1)] | None = None
    autoscaling: Autoscaling | None = None
    max_ongoing_requests: Annotated[int, Field(ge=1)] = 16
    max_queued_requests: Annotated[int, Field(ge=-1)] = 64
    """Requests that may wait per ingress replica before it answers 429; -1 sets no bound."""
    description: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to the engine, which validates them."""

    @model_validator(mode="after")
    def _one_way_to_scale(self) -> "ModelSpec":
        if self.replicas is not None and self.autoscaling is not None:
            raise ValueError(f"model {self.id!r}: give either replicas or autoscaling")
        return self
