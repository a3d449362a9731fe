"""What a config file may say in the `options` of a chat model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]


class ReplicaOptions(BaseModel):
    """`options` of any chat model, whatever its engine; the engine sees the others."""

    model_config = ConfigDict(frozen=True)

    coalesce_ms: Annotated[float, Field(ge=0, le=1000)] = 15
    """Tokens of one answer that come within this time of each other travel together; the first never waits."""


class ChatOptions(BaseModel):
    """`options` of the vLLM engine; None leaves a value to vLLM or to the checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_model_len: Positive | None = None
    """Tokens of prompt and answer together; by default what the checkpoint was made for."""
    default_max_tokens: Positive = 1024
    """Length of an answer when the request names none."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    enforce_eager: bool | None = None
    """False compiles the model at start: faster answers, a longer start. By default so on GPUs, but not on a CPU."""
    max_num_seqs: Positive = 16
    """Requests that are generated at a time; further ones wait in the engine."""
    tensor_parallel_size: Positive = 1
    """GPUs that share one copy of the model."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of each GPU's memory that this replica may fill."""
    kv_cache_gib: Annotated[float, Field(gt=0)] | None = None
    """Size of the KV cache; by default 0.5 GiB on a CPU and what is free on a GPU."""
    prefix_cache: bool = True
    tool_parser: Literal["hermes"] | None = "hermes"
    """How the model writes tool calls; None refuses requests with tools."""
    reasoning_parser: Literal["qwen3", "deepseek_r1"] | None = None
    """How the model marks its reasoning; both known ways use <think> tags."""
    seed: int = 0
    """Seed of the engine, for requests that bring none."""
