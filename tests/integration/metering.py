"""A replica that meters and books until it is killed: `metering.py URL FOLDER` acknowledges on stdout."""

import asyncio
import sys
from pathlib import Path

from deployments.contracts.chat import Usage
from serve_app.db.database import Database
from serve_app.domain.principals import Asker, Principal
from serve_app.services.usage.meter import Meter

ANN = Principal(1, "ann@example.com", "Ann", "customer", rate_limit=60, key_id=7)


def asker(request_id: str, principal: Principal = ANN, route: str = "/api/chat") -> Asker:
    return Asker(principal, route, request_id)


async def turn(meter: Meter, request_id: str, tokens: int) -> None:
    """One stream; every token is acknowledged as a caller would see it."""
    reading = meter.open(asker(request_id), ability="chat", model="m")
    for count in range(1, tokens + 1):
        reading.spent(Usage(prompt_tokens=3, completion_tokens=count))
        print(request_id, count, "open", flush=True)
        await asyncio.sleep(0)
    reading.close("finished")
    print(request_id, tokens, "closed", flush=True)


async def main(url: str, folder: str, name: str) -> None:
    meter = Meter(Database(url, deadline_s=10), Path(folder))
    await meter.start()
    for number in range(10**6):
        async with asyncio.TaskGroup() as group:
            for part in range(8):
                group.create_task(turn(meter, f"{name}-{number}-{part}", tokens=part * 5))
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
