"""Chat users for Locust, each with an account and a key of its own: streamed answers, whole ones, now and then a tool.

    POLYPHONY_ADMIN_PASSWORD=… locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000

Eight users for a minute, without the web page, unless Locust's own options or LOCUST_… variables say otherwise.
"""

import os
import random
import time
from typing import Any

from locust import HttpUser, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from benchmarks.accounts import Admin

_PROMPTS = ("hello", "Tell me about rivers.", "What is the capital of France, and why?")
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
        "strict": True,
    },
}


@events.init_command_line_parser.add_listener
def _bounds(parser: LocustArgumentParser) -> None:
    """Load without end is nobody's default."""
    parser.set_defaults(headless=True, num_users=8, spawn_rate=4, run_time="60s")


@events.test_start.add_listener
def _log_in(environment: Environment, **_: Any) -> None:
    email = os.environ.get("POLYPHONY_ADMIN_EMAIL", "admin@polyphony.local")
    ChatUser.admin = Admin(environment.host or "", email, os.environ["POLYPHONY_ADMIN_PASSWORD"])


class ChatUser(HttpUser):
    """Asks, reads the answer, thinks for a moment."""

    wait_time = between(0.1, 0.5)
    admin: Admin

    def on_start(self) -> None:
        self._account = self.admin.add_user(rate_limit=600)
        self.client.trust_env = False
        self.client.headers["Authorization"] = f"Bearer {self._account.key}"

    def on_stop(self) -> None:
        self.admin.remove(self._account)

    @task(6)
    def streamed(self) -> None:
        """The first token has an entry of its own."""
        self._stream("chat, streamed", _body())

    @task(3)
    def whole(self) -> None:
        name = "chat, whole"
        with self.client.post("/api/chat", json=_body(stream=False), name=name, catch_response=True) as answer:
            if answer.ok and not answer.json()["done"]:
                answer.failure("the answer is not done")

    @task(1)
    def tool(self) -> None:
        """A model that can must call the tool."""
        self._stream("chat, tool call", _body(tools=[_TOOL], tool_choice="required"))

    def _stream(self, name: str, body: dict[str, Any]) -> None:
        began, first, last = time.perf_counter(), 0.0, ""
        with self.client.post("/api/chat", json=body, name=name, stream=True, catch_response=True) as answer:
            for line in answer.iter_lines() if answer.ok else ():
                if line.startswith(b"event: "):
                    first, last = first or time.perf_counter(), line[7:].decode()
            # By itself Locust takes the time until the headers.
            answer.request_meta["response_time"] = (time.perf_counter() - began) * 1000
            if answer.ok and last != "done":
                answer.failure(f"the stream ended with {last or 'nothing'}")
        if first:
            self.environment.events.request.fire(
                request_type="SSE",
                name=f"{name}: first token",
                response_time=(first - began) * 1000,
                response_length=0,
                exception=None,
                context={},
            )


def _body(**extra: Any) -> dict[str, Any]:
    chosen = {"model": model} if (model := os.environ.get("BENCH_MODEL")) else {}
    messages = [{"role": "user", "content": random.choice(_PROMPTS)}]
    return {"messages": messages, "max_tokens": 48, **chosen, **extra}
