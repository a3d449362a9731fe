"""How an AsyncLLM is set up on the platform it finds, and the gauges it reports."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.chat.options import ChatOptions
from deployments.contracts.models import ModelSpec

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

_GIB = 2**30
_CPU_KV_CACHE_GIB = 0.5
_QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "true",
    # One thread a replica: with more, concurrent requests fight over the cores.
    "OMP_NUM_THREADS": "1",
}


def start(spec: ModelSpec, options: ChatOptions) -> "AsyncLLM":
    """Load the model and start its engine process; takes seconds to minutes."""
    weights = _weights(spec)
    # vLLM and torch read these when they are imported; what the operator has set stands.
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)  # noqa: TID251 - addressed to libraries, not settings of ours
    if Path(weights).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # noqa: TID251

    from vllm.config import StructuredOutputsConfig
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    from deployments.chat.executors import OneProcess, ProcessPerDevice

    on_cpu = current_platform.is_cpu()
    kv_cache_gib = options.kv_cache_gib or (_CPU_KV_CACHE_GIB if on_cpu else None)
    args = AsyncEngineArgs(
        model=weights,
        served_model_name=spec.id,
        max_model_len=options.max_model_len,
        dtype=options.dtype,
        enforce_eager=on_cpu if options.enforce_eager is None else options.enforce_eager,
        max_num_seqs=options.max_num_seqs,
        tensor_parallel_size=options.tensor_parallel_size,
        distributed_executor_backend=OneProcess if options.tensor_parallel_size == 1 else ProcessPerDevice,
        gpu_memory_utilization=options.gpu_memory_utilization,
        kv_cache_memory_bytes=None if kv_cache_gib is None else int(kv_cache_gib * _GIB),
        # On a CPU the engine dies of a seeded request whose prompt is read in parts.
        enable_chunked_prefill=False if on_cpu else None,
        enable_prefix_caching=options.prefix_cache,
        seed=options.seed,
        structured_outputs_config=StructuredOutputsConfig(backend="xgrammar", disable_any_whitespace=True),
        reasoning_parser=options.reasoning_parser or "",
        trust_remote_code=False,
        disable_log_stats=True,
        use_tqdm_on_load=False,
        enable_log_requests=False,
    )
    return AsyncLLM.from_engine_args(args, stat_loggers=[_gauges_class()])


def _weights(spec: ModelSpec) -> str:
    if not spec.weights:
        raise ValueError(f"model {spec.id!r}: no weights are named")
    folder = Path(__file__).parents[2] / spec.weights
    return str(folder) if folder.is_dir() else spec.weights


def gauges_of(llm: "AsyncLLM") -> Any:
    """The gauges of an engine that `start` made."""
    assert llm.logger_manager is not None
    return llm.logger_manager.stat_loggers[0]


def _gauges_class() -> Any:
    from vllm.v1.metrics.loggers import PrometheusStatLogger

    class Gauges(PrometheusStatLogger):
        """Keeps the last figures. As a PrometheusStatLogger it takes the place of vLLM's own, which costs more."""

        def __init__(self, *_: Any, **__: Any) -> None:
            self._scheduled: Any = None

        def record(self, scheduler_stats: Any, *_: Any, **__: Any) -> None:
            if scheduler_stats is not None:
                self._scheduled = scheduler_stats

        def log_engine_initialized(self) -> None:
            pass

        def record_sleep_state(self, *_: Any, **__: Any) -> None:
            pass

        def record_admission_rejection(self, *_: Any, **__: Any) -> None:
            pass

        def read(self, *, unfinished: int) -> dict[str, float]:
            """The engine reports when it steps, so figures of a time before it fell idle are left out."""
            idle = self._scheduled is None or not unfinished
            waiting = 0 if idle else min(unfinished, self._scheduled.num_waiting_reqs)
            return {
                "running": float(unfinished - waiting),
                "waiting": float(waiting),
                "kv_cache_usage": 0.0 if idle else float(self._scheduled.kv_cache_usage),
            }

    return Gauges
