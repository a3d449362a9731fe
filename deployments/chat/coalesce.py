"""Events gathered into batches, so that a token costs less than a hop between replicas."""

import asyncio
from collections.abc import AsyncIterator

from deployments.contracts.chat import EngineEvent, Finish, ReasoningDelta, Spent, TextDelta

Batch = tuple[EngineEvent, ...]


async def coalesced(events: AsyncIterator[EngineEvent], *, every_s: float) -> AsyncIterator[Batch]:
    """The same events: the first at once, then whatever came within `every_s`, and the end without delay.

    A batch holds one Spent at most, first. Closing the iterator closes `events`.
    """
    loop = asyncio.get_running_loop()
    gathered: list[EngineEvent] = []
    wake = asyncio.Event()
    due = loop.time()

    async def gather() -> None:
        async for event in events:
            gathered.append(event)
            if isinstance(event, Finish):
                wake.set()
            elif len(gathered) == 1:
                # The delta that a Spent announces follows in the same step of the loop.
                loop.call_at(max(due, loop.time()), wake.set)

    work = asyncio.create_task(gather())  # noqa: TID251 - awaited below, whatever happens
    work.add_done_callback(lambda _: wake.set())
    try:
        while not work.done() or gathered:
            await wake.wait()
            wake.clear()
            if gathered:
                due = loop.time() + every_s
                batch, gathered[:] = merged(gathered), []
                yield batch
        await work
    finally:
        work.cancel()
        await asyncio.wait([work])


def merged(events: list[EngineEvent]) -> Batch:
    """The last Spent, then the rest in order, neighbouring deltas of a kind made one."""
    spent: Spent | None = None
    rest: list[EngineEvent] = []
    run: list[str] = []
    kind: type[TextDelta | ReasoningDelta] | None = None
    for event in events:
        if isinstance(event, Spent):
            spent = event
        elif kind is not None and type(event) is kind:
            run.append(event.text)
        else:
            if kind is not None:
                rest.append(kind("".join(run)))
            if isinstance(event, TextDelta | ReasoningDelta):
                kind, run = type(event), [event.text]
            else:
                kind = None
                rest.append(event)
    if kind is not None:
        rest.append(kind("".join(run)))
    return (*(() if spent is None else (spent,)), *rest)
