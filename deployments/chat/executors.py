"""vLLM's executors, in an engine process that does not outlive the replica. Imported on the replica only."""

import multiprocessing
import os
import threading

from vllm.v1.executor.multiproc_executor import MultiprocExecutor  # noqa: TID253
from vllm.v1.executor.uniproc_executor import UniProcExecutor  # noqa: TID253


class OneProcess(UniProcExecutor):
    """The model on one device, within the engine process."""

    def _init_executor(self) -> None:
        _end_with_parent()
        super()._init_executor()


class ProcessPerDevice(MultiprocExecutor):
    """The model shared by several devices, each with a process that ends with the engine's."""

    def _init_executor(self) -> None:
        _end_with_parent()
        super()._init_executor()


def _end_with_parent() -> None:
    """A killed replica cannot stop its engine, which would go on holding memory and sockets."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), name="end-with-parent", daemon=True).start()
