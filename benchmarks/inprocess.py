"""An engine with nothing around it: the measure of what everything else adds."""

import asyncio
import sys
import time
from typing import Any

from benchmarks.work import Plan, Result
from benchmarks.worker import serve_plans
from deployments.chat import engine
from deployments.contracts.chat import ChatRequest, Finish, Message, Sampling, Spent
from deployments.contracts.models import ModelSpec


async def main(spec: ModelSpec) -> None:
    subject = engine.load(spec)
    await subject.check_health()

    async def one(plan: Plan, result: Result) -> None:
        request = _request(**plan.job)
        arrivals: list[tuple[float, int]] = []
        began = time.perf_counter()
        async for event in subject.generate(request):
            if isinstance(event, Finish):
                result.add(began, arrivals, event.usage.completion_tokens)
            elif not isinstance(event, Spent):
                arrivals.append((time.perf_counter(), 1))

    await serve_plans(one)


def _request(messages: list[dict[str, Any]], max_tokens: int, temperature: float) -> ChatRequest:
    sampling = Sampling(max_tokens=max_tokens, temperature=temperature)
    return ChatRequest(tuple(Message(**message) for message in messages), sampling=sampling)


if __name__ == "__main__":
    asyncio.run(main(ModelSpec.model_validate_json(sys.argv[2])))
