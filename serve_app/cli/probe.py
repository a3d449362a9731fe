"""The proof that the stack works: one chat through the public port."""

import json
from collections.abc import Iterator

import httpx

from deployments.contracts.errors import Unavailable

_BODY = {"messages": [{"role": "user", "content": "hello"}]}
_PATIENCE_S = 120


def chat(base_url: str, key: str) -> None:
    """Returns once the streamed answer is `done`; Unavailable says what came instead."""
    # Proxies of the environment are for the world outside.
    with httpx.Client(base_url=base_url, timeout=_PATIENCE_S, trust_env=False) as client:
        try:
            with client.stream("POST", "/api/chat", json=_BODY, headers={"Authorization": f"Bearer {key}"}) as response:
                if not response.is_success:
                    response.read()
                    raise Unavailable(f"POST /api/chat answered {response.status_code}: {response.text[:500]}")
                for event, data in _events(response.iter_lines()):
                    if event == "error":
                        raise Unavailable(f"the chat failed: {json.loads(data).get('error')}")
                    if event == "done":
                        return
        except httpx.HTTPError as error:
            raise Unavailable(f"the public port does not answer: {error}") from error
    raise Unavailable("the chat ended before it was done")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    event, data = "message", ""
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            event = value.strip()
        elif field == "data":
            data += value.strip()
        elif not line:
            yield event, data
            event, data = "message", ""
